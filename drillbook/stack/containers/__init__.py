"""A stack of containers on a Docker engine: compose files, images, limits, migrations."""
