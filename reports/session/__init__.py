"""One evidence run under pytest: selection, order, workers, and its bundle."""
