"""Archives as pg_dump writes them, made to measure: tables of contents, and parts with rows."""

HEADING = b'COPY public.secrets (id, "b") FROM stdin;\n'
DAY = (5, 4, 3, 24, 10, 126, 0)


def number(value, size=4):
    return bytes([value < 0]) + abs(value).to_bytes(size, "little")


def text(value, size=4):
    return number(-1, size) if value is None else number(len(value), size) + value


def entry(version, what=b"TABLE DATA", statement=HEADING, at=7, state=2, offset=100, **more):
    """One entry as WriteToc writes it; a file's name in place of an offset where it is given."""
    size = more.get("size", 4)
    made = number(at, size) + number(1, size) + text(b"o", size) * 3 + text(what, size)
    sql = more.get("sql", b"d")
    made += number(3, size) + text(sql, size) + text(b"d", size) + text(statement, size)
    made += text(b"n", size) * 2
    made += text(more.get("method", b"heap"), size) if version >= 14 else b""
    made += number(114, size) if version >= 16 else b""
    made += text(b"owner", size) + text(b"false", size)
    made += b"".join(text(one, size) for one in (*more.get("needs", (b"1", b"2")), None))
    if "file" in more:
        return made + text(more["file"], size)
    return made + bytes([state]) + offset.to_bytes(more.get("place", 8), "little")


def archive(version, *entries, form=1, packing=None, day=DAY, size=4, count=None, place=8):
    head = b"PGDMP" + bytes([1, version, 0, size, place, form])
    packing = (0 if version >= 15 else -1) if packing is None else packing
    head += bytes([packing]) if version >= 15 else number(packing, size)
    head += b"".join(number(one, size) for one in day)
    head += text(b"db", size) + text(b"17.2", size) + text(b"18.1", size)
    return head + number(len(entries) if count is None else count, size) + b"".join(entries)


def pieces(*data, size=4):
    return b"".join(number(len(one), size) + one for one in data) + number(0, size)


def part(*data, at=7, kind=1, size=4):
    """The data of one entry in pieces."""
    return bytes([kind]) + number(at, size) + pieces(*data, size=size)


def objects(*numbers):
    """Large objects: each has a number and its pieces, and 0 ends them."""
    return bytes([3]) + number(9) + b"".join(number(n) + pieces(b"ab") for n in numbers) + number(0)
