"""The seal on a run: manifest, signature, a zip of one possible form, a time-stamp, and a check."""
