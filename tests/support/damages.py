"""Functions that damage the content of a backup; damage_kinds.py gives them names."""

import re

from tests.support.backups import rows

TRAILER = b"-- PostgreSQL database dump complete"
FOREIGN = b"""--
-- PostgreSQL database dump
--

CREATE TABLE public.guests (id integer, name text);
COPY public.guests (id, name) FROM stdin;
1\tada
\\.
--
-- PostgreSQL database dump complete
--

"""
MYSQL = (
    b"-- MySQL dump 10.13\n\nDROP TABLE IF EXISTS `secrets`;\nINSERT INTO `secrets` VALUES (1);\n"
)


def line_of(content, start, chosen):
    """Start and end of a random row of the block whose heading begins with `start`."""
    block = content.index(start)
    begin = content.index(b"\n", block) + 1
    lines = content[begin : content.index(b"\n\\.\n", begin)].split(b"\n")
    at = chosen.randrange(len(lines))
    begin += sum(len(one) + 1 for one in lines[:at])
    return begin, begin + len(lines[at])


def block(content, start):
    """Start and end of a block of rows, with its heading and end."""
    begin = content.index(start)
    return begin, content.index(b"\n\\.\n", begin) + len(b"\n\\.\n")


def put(content, at, instead):
    return content[:at] + instead + content[at + len(instead) :]


def flipped(content, at):
    """Replace a character by another of the same kind, a digit or a letter."""
    here = content[at : at + 1]
    return put(
        content,
        at,
        b"1" if here == b"0" else b"0" if here.isdigit() else b"e" if here == b"a" else b"a",
    )


def in_value(start, wanted):
    """A damage that flips a character in a random match of a pattern in a block."""

    def damaged(content, chosen):
        begin, end = block(content, start)
        found = list(re.finditer(wanted, content[begin:end]))
        one = chosen.choice(found)
        return flipped(content, begin + chosen.randrange(one.start(), one.end()))

    return damaged


def replaced(what, instead):
    def damaged(content, _chosen):
        assert what in content
        return content.replace(what, instead, 1)

    return damaged


def cut(content, chosen):
    return content[: chosen.randrange(1, content.rindex(TRAILER))]


def cut_in_head(content, chosen):
    return content[: chosen.randrange(30, 300)]


def cut_in_row(content, chosen):
    begin, end = line_of(content, b"COPY public.secret_folders ", chosen)
    return content[: (begin + end) // 2]


def cut_at_row(content, chosen):
    return content[: line_of(content, b"COPY public.secrets_v2 ", chosen)[0]]


def cut_and_closed(content, chosen):
    """Truncate a dump, and complete it so that it looks whole."""
    begin, _ = line_of(content, b"COPY public.projects ", chosen)
    return content[:begin] + b"\\.\n\n--\n" + TRAILER + b"\n--\n\n"


def hole(content, chosen):
    at = chosen.randrange(3000, len(content) - 6000)
    return content[:at] + content[at + 4096 :]


def zeroed(content, chosen):
    return put(content, chosen.randrange(3000, len(content) - 6000), bytes(2048))


def pages_swapped(content, chosen):
    a, b = sorted(chosen.sample(range(1, len(content) // 2048 - 1), 2))
    a, b = a * 2048, b * 2048
    one, other = content[a : a + 2048], content[b : b + 2048]
    return put(put(content, a, other), b, one)


def page_doubled(content, chosen):
    at = chosen.randrange(2, len(content) // 2048 - 1) * 2048
    return content[:at] + content[at - 2048 :]


def row_doubled(content, chosen):
    begin, end = line_of(content, b"COPY public.secrets_v2 ", chosen)
    return content[:end] + b"\n" + content[begin:end] + content[end:]


def block_doubled(content, _chosen):
    begin, end = block(content, b"COPY public.projects ")
    return content[:end] + b"\n" + content[begin:end] + content[end:]


def block_gone(start):
    def damaged(content, _chosen):
        begin, end = block(content, start)
        return content[:begin] + content[end:]

    return damaged


def rows_gone(start):
    def damaged(content, _chosen):
        begin, end = block(content, start)
        return content[: content.index(b"\n", begin) + 1] + b"\\.\n" + content[end:]

    return damaged


def rows_of_another(content, _chosen):
    """Replace the root key's row by that of another instance."""
    begin, end = block(content, b"COPY public.kms_root_config ")
    other = rows("2024-07").encode()
    there = block(other, b"COPY public.kms_root_config ")
    return (
        content[: content.index(b"\n", begin) + 1]
        + other[other.index(b"\n", there[0]) + 1 : there[1]]
        + content[end:]
    )


def columns_swapped(content, _chosen):
    return content.replace(
        b'COPY public.kms_root_config (id, "encryptedRootKey")',
        b'COPY public.kms_root_config ("encryptedRootKey", id)',
    )


def reference(content, chosen):
    """Change the folder of a secret to one that does not exist."""
    begin, end = block(content, b"COPY public.secret_folders ")
    folders = re.findall(rb"(?<=\n)[0-9a-f]{8}-[-0-9a-f]{27}(?=\t)", content[begin:end])
    begin, end = block(content, b"COPY public.secrets_v2 ")
    used = [content.index(one, begin) for one in folders if one in content[begin:end]]
    return flipped(content, chosen.choice(used))


def separator_lost(content, chosen):
    begin, _ = line_of(content, b"COPY public.secret_folders ", chosen)
    return put(content, content.index(b"\t", begin), b" ")


def newline_lost(content, chosen):
    _, end = line_of(content, b"COPY public.secrets_v2 ", chosen)
    return content[:end] + content[end + 1 :]


def some_crlf(content, chosen):
    middle, _ = line_of(content, b"COPY public.secrets_v2 ", chosen)
    return content[:middle] + content[middle:].replace(b"\n", b"\r\n")


def high_bit(content, chosen):
    begin, end = line_of(content, b"COPY public.secret_folders ", chosen)
    at = chosen.randrange(begin, end)
    return put(content, at, bytes([content[at] | 0x80]))


def nul(content, chosen):
    begin, _ = line_of(content, b"COPY public.secret_folders ", chosen)
    return put(content, begin + 2, b"\0")


def latin(content, chosen):
    begin, end = line_of(content, b"COPY public.projects ", chosen)
    return content[:end] + content[begin:end].replace(b"-", b"\xe9")[-9:] + content[end:]


def between(words):
    def damaged(content, _chosen):
        at = content.index(b"\n\\.\n") + 4
        return content[:at] + words + content[at:]

    return damaged


def sixteen(content, _chosen):
    return b"\xff\xfe" + content.decode().encode("utf-16-le")
