"""Many instances: a queue of drills, workers that carry them out, and objects for Kubernetes."""
