"""What may be shown: a credential that no representation shows, and text fit for a terminal."""

from __future__ import annotations


class Hidden(str):
    """A credential that no representation shows, not even that of a failed assertion."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "«hidden»"


def printable(text: str, keep: str = "", instead: str = "\N{REPLACEMENT CHARACTER}") -> str:
    """Untrusted text without what a terminal would obey, such as colours or new lines."""
    return "".join(char if char.isprintable() or char in keep else instead for char in text)
