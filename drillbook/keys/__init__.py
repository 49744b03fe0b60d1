"""Which key opens what of a backup: checked, recovered, and rewrapped for another key, offline."""
