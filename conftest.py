"""Lists the pytest plugins by which suites, fixtures and reports work together."""

pytest_plugins = [
    "pytester",
    "reports.session.plugin",
    "fixtures.session.stacks",
    "fixtures.session.workers",
    "fixtures.oracle.plugin",
    "fixtures.data.plugin",
    "fixtures.session.file_fixtures",
    "fixtures.lifecycle.plugin",
    "fixtures.document.plugin",
    "fixtures.session.live_fixtures",
    "fixtures.session.drill_fixtures",
]
