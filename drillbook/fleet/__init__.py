"""Many instances: a queue of drills, and workers that carry them out."""
