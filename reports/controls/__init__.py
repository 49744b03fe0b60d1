"""suites/controls.toml: the catalogue of controls, and its listing."""
