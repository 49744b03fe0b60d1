"""`make status`: what was carried out when, what is due next, and what is overdue."""
