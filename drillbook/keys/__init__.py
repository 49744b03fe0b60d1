"""What a key opens of a backup, offline: check it, recover secrets, rekey for another key."""
