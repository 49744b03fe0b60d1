"""One evidence run under pytest: selection, order, workers, shards, and its bundle."""
