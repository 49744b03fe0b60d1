"""The six verdicts, and how an exception of a spec becomes one."""
