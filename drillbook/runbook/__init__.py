"""The documented procedures, why a backend fails, and what documents get wrong."""
