"""The embedded driver: a stack of processes on this host, with PostgreSQL, Redis and a backend."""
