"""What a key opens of a backup, offline: check it, recover secrets."""
