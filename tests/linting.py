"""Compose files for the lint, and what is found in them."""

PINNED = "redis:7@sha256:" + "0" * 64


def service(text):
    """The file of one service whose keys are these lines."""
    lines = "".join(f"    {one}\n" for one in text.splitlines())
    return f"services:\n  other:\n{lines}"


def about(found, words):
    return [(at, said) for at, said in found if words in said]
