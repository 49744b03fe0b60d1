"""Removes the known secrets from the record, and searches for them in what was written."""
