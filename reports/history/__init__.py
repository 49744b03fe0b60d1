"""What earlier runs saw: their evidence in a folder, and a line each that outlives it."""
