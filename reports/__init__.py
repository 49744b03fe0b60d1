"""What a run leaves behind: the record, its verdicts, and one writer for each format."""
