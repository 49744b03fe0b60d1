"""Kinds of damage by name: of a plain backup, a packed one, and a pg_dump folder."""

import base64
import gzip
import lzma
import re
import sys
from importlib import import_module

from tests.support.damages import (
    FOREIGN,
    MYSQL,
    TRAILER,
    between,
    block_doubled,
    block_gone,
    columns_swapped,
    cut,
    cut_and_closed,
    cut_at_row,
    cut_in_head,
    cut_in_row,
    flipped,
    high_bit,
    hole,
    in_value,
    latin,
    line_of,
    newline_lost,
    nul,
    page_doubled,
    pages_swapped,
    put,
    reference,
    replaced,
    row_doubled,
    rows_gone,
    rows_of_another,
    separator_lost,
    sixteen,
    some_crlf,
    zeroed,
)

# Each is found before the restore, or refused by the server with its line.
PLAIN = {
    "empty": lambda _c, _r: b"",
    "one byte": lambda _c, _r: b"-",
    "only zeros": lambda c, _r: bytes(len(c)),
    "noise": lambda c, r: r.randbytes(len(c)),
    **{f"cut at a random place, {n}": cut for n in range(1, 9)},
    "cut in its head": cut_in_head,
    "cut in a statement": lambda c, _r: c[: c.index(b"CREATE TABLE") + 40],
    "cut in a row": cut_in_row,
    "cut between two rows": cut_at_row,
    "cut after the rows": lambda c, _r: c[: c.rindex(b"\n\\.\n") + 4],
    "cut, and closed by hand": cut_and_closed,
    "last words gone": lambda c, _r: c[: c.rindex(TRAILER)],
    "a letter of the last words flipped": lambda c, _r: flipped(c, c.rindex(b"complete")),
    "first half gone": lambda c, _r: c[len(c) // 2 :],
    "4 KiB gone": hole,
    "2 KiB zeroed": zeroed,
    "two pages swapped": pages_swapped,
    "a page doubled": page_doubled,
    "a row doubled": row_doubled,
    "a table's rows doubled": block_doubled,
    "the secrets' rows and heading gone": block_gone(b"COPY public.secrets_v2 "),
    "an empty table's heading gone": block_gone(b"COPY public.secrets "),
    "the root key's row gone": rows_gone(b"COPY public.kms_root_config "),
    "the projects' rows gone": rows_gone(b"COPY public.projects "),
    "the folders' rows gone": rows_gone(b"COPY public.secret_folders "),
    "the root key of another instance": rows_of_another,
    "a digit of the root key": in_value(b"COPY public.kms_root_config ", rb"(?<=x)[0-9a-f]{60,}"),
    "a digit of a key of the KMS": in_value(b"COPY public.internal_kms ", rb"(?<=x)[0-9a-f]{60,}"),
    "a digit of a project's key": in_value(b"COPY public.projects ", rb"(?<=x)[0-9a-f]{100,}"),
    "a digit of a secret's value": in_value(b"COPY public.secrets_v2 ", rb"(?<=x)[0-9a-f]{50,}"),
    "a digit of an id that others refer to": in_value(
        b"COPY public.project_environments ", rb"(?<=\n)[0-9a-f]{8}(?=-)"
    ),
    "a digit of a reference": reference,
    "a month that is none": replaced(b"-11-", b"-71-"),
    "columns of the root key swapped": columns_swapped,
    "a keyword flipped": replaced(b"CREATE TABLE public.projects", b"CREATE TABLA public.projects"),
    "a type flipped": replaced(b"uuid NOT NULL", b"uuie NOT NULL"),
    "a name flipped": replaced(
        b"COPY public.secret_folders (id, name", b"COPY public.secret_folders (id, nama"
    ),
    "a table's name flipped": replaced(
        b"COPY public.secret_folders ", b"COPY public.secret_folderz "
    ),
    "a COPY flipped": replaced(b"COPY public.projects ", b"COPX public.projects "),
    "a block's end flipped": replaced(b"\n\\.\n", b"\n\\,\n"),
    "a quote flipped": replaced(b"'UTF8'", b"'UTF8!"),
    "a semicolon flipped": replaced(b"FROM stdin;", b"FROM stdin:"),
    "a separator lost": separator_lost,
    "a line's end lost": newline_lost,
    "CR LF from the middle of a table on": some_crlf,
    "a byte that is not text": high_bit,
    "a zero byte": nul,
    "letters of another encoding": latin,
    "UTF-16 of PowerShell": sixteen,
    "a warning in front": lambda c, _r: b"pg_dump: warning: there are circular foreign keys\n" + c,
    "a warning in between": between(b"pg_dump: error: query failed\n"),
    "a warning behind": lambda c, _r: c + b"pg_dump: error: query failed\n",
    "an order behind": lambda c, _r: c + b"DROP TABLE public.secrets_v2;\n",
    "a command for psql": between(b"\\! id\n"),
    "two backups in one": lambda c, _r: c + c,
    "the structure alone": lambda c, _r: re.sub(rb"COPY .*?\n\\\.\n", b"", c, flags=re.S),
    "another database": lambda _c, _r: FOREIGN,
    "another product": lambda _c, _r: MYSQL,
    "a web page": lambda _c, _r: b"<!DOCTYPE html><title>403 Forbidden</title>\n" * 9,
    "an error in JSON": lambda _c, _r: b'{"error": "AccessDenied"}\n',
    "base64 of it": lambda c, _r: base64.encodebytes(c),
}

# Damage that the file does not show: it restores as another valid backup.
SILENT = {
    "a letter of a secret's name": in_value(
        b"COPY public.secrets_v2 ", rb"(?<=\t)[A-Z][A-Z_]{4,}(?=\t)"
    ),
    "a letter of a folder's name": in_value(b"COPY public.secret_folders ", rb"(?<=\t)root(?=\t)"),
    "a second of a time": in_value(b"COPY public.super_admin ", rb"(?<=:)[0-5](?=\d\.)"),
    "a digit of an id that nothing refers to": in_value(
        b"COPY public.user_encryption_keys ", rb"(?<=\n)[0-9a-f]{8}(?=-)"
    ),
    "a secret's row gone": lambda c, r: (lambda b, e: c[:b] + c[e + 1 :])(
        *line_of(c, b"COPY public.secrets_v2 ", r)
    ),
    "a comment": replaced(b"-- Name: ", b"-- Nama: "),
}

# Harmless changes: the same data is restored.
HARMLESS = {
    "CR LF throughout, as a terminal writes it": lambda c, _r: c.replace(b"\n", b"\r\n"),
    "blank lines in front and behind": lambda c, _r: b"\n\n" + c + b"\n\n\n",
}


def zstd():
    return import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")


PACKINGS = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zstd": lambda c: zstd().compress(c, options={zstd().CompressionParameter.checksum_flag: 1}),
    "lz4": lambda c: import_module("lz4.frame").compress(c, content_checksum=True),
}


def cut_packed(content, chosen):
    return content[: chosen.randrange(len(content) // 3, len(content) - 1)]


def flipped_packed(content, chosen):
    at = chosen.randrange(len(content) // 3, len(content) - 20)
    return put(content, at, bytes([content[at] ^ 0x10]))


def largest(folder, at=-1):
    """A file of rows in a folder of `pg_dump -Fd`; by default the largest."""
    return sorted(folder.glob("[0-9]*"), key=lambda one: one.stat().st_size)[at]


def written(change):
    """A damage that changes the bytes of the largest file of rows."""

    def damaged(folder, chosen):
        file = largest(folder)
        file.write_bytes(change(file.read_bytes(), chosen))

    return damaged


def swapped(folder, _chosen):
    one, other = largest(folder), largest(folder, -2)
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def contents(change):
    def damaged(folder, _chosen):
        toc = folder / "toc.dat"
        toc.write_bytes(change(toc.read_bytes()))

    return damaged


FOLDER = {
    "a file of rows is missing": lambda folder, _chosen: largest(folder).unlink(),
    "a file of rows is empty": written(lambda _c, _r: b""),
    "a file of rows is cut": written(cut_packed),
    "a bit of a file of rows": written(flipped_packed),
    "two files of rows are swapped": swapped,
    "no table of contents": lambda folder, _chosen: (folder / "toc.dat").unlink(),
    "the table of contents is cut": contents(lambda c: c[:900]),
    "the table of contents is none": contents(lambda _c: b"PGDMP" + bytes(40)),
}
