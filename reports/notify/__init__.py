"""Notices of how a command ended: to people, to monitors, and as a file for Prometheus."""
