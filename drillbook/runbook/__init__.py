"""The documented procedures, why a backend fails and what cures it, and what is due."""
