"""The engine: what the suites, the fixtures and the reports share."""
