"""The command line: a table of commands, and what carries some of them out."""
