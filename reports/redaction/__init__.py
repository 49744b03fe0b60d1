"""Known secrets, out of everything that is recorded and out of every finished file."""
