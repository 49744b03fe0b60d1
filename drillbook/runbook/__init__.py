"""The documented procedures, why a backend fails, what is due, and what documents get wrong."""
