"""Whether the suite can fail: planted bugs against controls, and the record of it."""
