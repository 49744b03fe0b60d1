"""Evidence in formats of other people, made on demand from a bundle."""
