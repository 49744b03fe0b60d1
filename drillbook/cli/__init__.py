"""The command line: a table of commands, and the code of some of them."""
