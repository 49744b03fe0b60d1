"""What may be shown: a credential that no representation shows, and text fit for a terminal."""

from __future__ import annotations


class Hidden(str):
    """A credential that no representation shows, not even that of a failed assertion."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "«hidden»"


def printable(text: str, keep: str = "", instead: str = "\N{REPLACEMENT CHARACTER}") -> str:
    """A text of a stranger's without what a terminal would obey, such as colours or new lines."""
    return "".join(one if one.isprintable() or one in keep else instead for one in text)
