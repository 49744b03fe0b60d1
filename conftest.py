"""Where suites, fixtures and reports meet: a list of plugins, and nothing else."""

pytest_plugins = [
    "pytester",
    "reports.plugin",
    "fixtures.session.stacks",
    "fixtures.session.workers",
    "fixtures.data.plugin",
    "fixtures.fetched_backup",
    "fixtures.preflight.plugin",
    "fixtures.lifecycle.plugin",
    "fixtures.live.plugin",
    "fixtures.rekey.plugin",
    "fixtures.drill.plugin",
]
