"""A stack of processes of this host: PostgreSQL, Redis, and a backend that they start."""
