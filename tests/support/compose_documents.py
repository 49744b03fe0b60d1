"""Reads texts as compose files, and returns the findings of the lint in them."""

from drillbook.preflight import compose_checks
from drillbook.stack import compose_file

PINNED = "redis:7@sha256:" + "0" * 64


def service(text):
    """A compose file of one service whose keys are these lines."""
    lines = "".join(f"    {one}\n" for one in text.splitlines())
    return f"services:\n  other:\n{lines}"


def about(found, words):
    return [(at, said) for at, said in found if words in said]


def reader(folder, monkeypatch):
    """A function that reads a text as a compose file, as if docker were not installed."""
    monkeypatch.setattr(compose_file.shutil, "which", lambda _: None)

    def read(text, variables=()):
        file = folder / "compose.yml"
        file.write_text(text)
        return compose_file.load(file, dict(variables))

    return read


def told(found):
    """Findings as line and sentence."""
    return [(one.line, one.sentence) for one in found]


def linter(folder, monkeypatch):
    """A function that returns the lint's findings in a text, as line and sentence."""
    read = reader(folder, monkeypatch)

    def found(text, **variables):
        return told(compose_checks.lint(read(text, variables), variables))

    return found
