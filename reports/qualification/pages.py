"""The qualification as documents: a page with the kill matrix, Markdown, and files of a bundle.

A bundle has the record that `drillbook qualify` left in reports/runs/qualification, if that is
whole and about this very code. Else it has reports/qualification.json, which is under version
control (--keep), and says which parts of the code have changed since.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from drillbook.core.application import IS_CHECKOUT, PACKAGE, ROOT
from reports.errors import Unqualifiable
from reports.qualification.record import (
    KEPT,
    LATEST,
    Applies,
    Checked,
    Generated,
    Qualification,
    Row,
    load,
    text,
)
from reports.record import run_metadata
from reports.render.html import render_template
from reports.render.phrases import duration

_DECIDING = (
    "suites",
    "fixtures",
    "drillbook",
    "compose",
    "conftest.py",
    "tests/predicted.toml",
    "reports/verdict.py",
    "reports/session/judging.py",
    "reports/controls.py",
)
# Bytecode, and the folder in which a wheel has the rest.
_NO_PART = {"__pycache__", "application"}
_CLAIMS = (
    (
        "It detects",
        "For each control, at least one known-bad deployment makes the control fail, for the "
        "reason that was written down beforehand. A failure for another reason does not count.",
    ),
    (
        "It raises no false alarm",
        "A healthy deployment gets, in every run, the verdicts that measurements of the real "
        "product predict.",
    ),
    (
        "It passes nothing that it could not check",
        "A check that could not be finished is inconclusive, one that was left out is not run; "
        "neither counts as a pass, and a bug that merely stops a check counts as not caught.",
    ),
    (
        "It changes nothing",
        "A planted bug lives in a separate stack that is removed with it; a check of a running "
        "instance only reads.",
    ),
)
_INCOMPLETE = (
    "Sound, not complete: what was caught can be caught. Bugs no one thought of are not here, and "
    "100 % of this list is not 100 % of what can be wrong."
)
_REFERENCE = (
    "Most bugs are planted in the reference backend, which behaves as the product was measured; "
    "the product itself may fail in ways the reference does not know."
)
_AROUND = (
    "Only bugs that can be planted around a product that is not ours were run: in procedures and "
    "in the network."
)
_ONCE = (
    "Each bug was run with the control meant for it, up to the failure that was meant; where "
    "another came first, once more to the end. An empty cell says that a control was not asked, "
    "not that it saw nothing."
)
_PARTIAL = "Those in containers and on a remote instance judge only some controls."
_HERE = "The bound on false alarms holds for this machine and its load, and for runs like these."


def figures(record: Qualification) -> Iterator[str]:
    """What was planted and caught, and false alarms, a sentence each."""
    yield (
        f"Planted bugs: {record.planted}. Caught by the control meant for them, for their reason: "
        f"{record.killed_by_meant} ({record.kill_rate:.1%}). Equivalent: {record.equivalent}. "
        f"Not run: {record.not_run}."
    )
    if record.healthy_runs:
        yield (
            f"Healthy runs: {record.healthy_runs}. With a false alarm: "
            f"{record.runs_with_false_alarm}, so at most {record.false_alarm_bound:.1%} of runs "
            f"like these have one (95 % confidence). Verdicts that varied between them: "
            f"{record.flake_rate:.2%}."
        )
        if record.stack == "auto":
            yield _PARTIAL
    else:
        yield "No healthy run was made, so nothing is said of false alarms."
    if record.generated:
        yield _fates_of_generated_bugs(record.generated)
    yield f"It took {duration(record.duration_s)}, {record.workers} runs side by side."


def _fates_of_generated_bugs(generated: Generated) -> str:
    """How the generated bugs ended, in sentences."""
    return (
        f"Generated bugs ({generated.engine}, seed {generated.seed}): {generated.counted}. Killed: "
        f"{generated.killed} ({generated.rate:.1%}). Survived, as gaps of the suite or because no "
        f"one outside can see them: {generated.survived}. Kept controls from being finished, "
        f"accused by none: {generated.stumbled}. Reviewed as unseen from outside, not counted: "
        f"{generated.equivalent}."
    )


def _limits(record: Qualification) -> list[str]:
    """What the qualification does not show."""
    found = [_INCOMPLETE, _AROUND if record.stack == "containers" else _REFERENCE, _ONCE, _HERE]
    if record.selection:
        found.insert(0, f"Only a part was asked: {','.join(record.selection)}.")
    if record.not_run:
        found.insert(0, f"{record.not_run} bugs were not run: their driver was not available.")
    return found


README = ROOT / "README.md"
_PLACE = re.compile(r"(?<=<!-- qualification -->\n).*?(?=<!-- end of qualification -->)", re.DOTALL)
_WIDTH = 110


def summary(record: Qualification) -> str:
    """The figures in a paragraph, for README.md."""
    partial = f"{_PARTIAL} " if record.stack == "auto" else ""
    drawn = f"{_fates_of_generated_bugs(record.generated)} " if record.generated else ""
    text = (
        f"{record.killed_by_meant} of {record.planted} planted bugs were caught by the control "
        f"meant for them, for the reason written down beforehand ({record.kill_rate:.1%}; "
        f"{record.equivalent} equivalent, {record.not_run} not run). {_name_escaped(record)}"
        f"{record.runs_with_false_alarm} of {record.healthy_runs} healthy runs raised a false "
        f"alarm, so at most {record.false_alarm_bound:.1%} of runs like these do (95 % "
        f"confidence); {record.flake_rate:.2%} of their verdicts varied. {partial}{drawn}Commit "
        f"{(record.commit or 'unknown')[:12]}, {record.started:%Y-%m-%d}, "
        f"{duration(record.duration_s)} with {record.workers} runs side by side."
    )
    return textwrap.fill(text, _WIDTH, break_on_hyphens=False) + "\n"


def _name_escaped(record: Qualification) -> str:
    named = ", ".join(f"{one.mutant} ({one.meant})" for one in record.escaped)
    return f"Not caught: {named}. " if named else ""


def update(record: Qualification) -> None:
    """Put the figures between the marks; Unqualifiable if there are none."""
    text = README.read_text(encoding="utf-8")
    if not _PLACE.search(text):
        raise Unqualifiable("README.md has no <!-- qualification --> to put the figures behind")
    README.write_text(_PLACE.sub(lambda _: summary(record), text), encoding="utf-8")


def files(record: Qualification, note: str = "") -> dict[str, bytes]:
    """The record in its three forms, by file name; the note stands at the top."""
    return {
        "qualification.json": text(record).encode(),
        "qualification.md": _render("qualification.md.j2", record, note).encode(),
        "qualification.html": _render("qualification.html.j2", record, note).encode(),
    }


def write(record: Qualification, folder: Path) -> Path:
    """Write the three files to the folder, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files(record).items():
        (folder / name).write_bytes(data)
    return folder


def _render(template: str, record: Qualification, note: str) -> str:
    return render_template(
        template,
        record=record,
        note=note,
        figures=list(figures(record)),
        claims=_CLAIMS,
        limits=_limits(record),
        places=_places(record),
        chapters=_chapters(record),
        matrix=_matrix(record),
        legend=_LEGEND,
        taken=duration(record.duration_s),
    )


def _places(record: Qualification) -> list[tuple[str, int, int]]:
    """Each place where bugs were planted, how many, and how many of them were caught."""
    planted = Counter(one.where for one in record.matrix)
    caught = Counter(one.where for one in record.matrix if one.state == "killed")
    return [(where, count, caught[where]) for where, count in planted.items()]


def _chapters(record: Qualification) -> list[tuple[str, int, int, int]]:
    """Each chapter, its controls, the bugs meant for them, and how many of those were caught."""
    chapters: dict[str, list[Checked]] = {}
    for one in record.controls:
        chapters.setdefault(one.chapter, []).append(one)
    return [
        (name, len(found), sum(one.mutants for one in found), sum(one.caught for one in found))
        for name, found in chapters.items()
    ]


_LEGEND = (
    ("meant", "the control meant for the bug turned, for its reason"),
    ("escaped", "the control meant for it did not, or for another reason"),
    ("by-catch", "another control turned as well"),
    ("stumbled", "a control could not be finished"),
    ("unmoved", "a control was asked and said what it says of a healthy stack"),
)


def _matrix(record: Qualification) -> dict[str, object]:
    """Columns, and rows with their marks, for the picture; kills form a diagonal."""
    controls = {cell.control for row in record.matrix for cell in row.cells}
    columns = [one for one in record.controls if one.mutants or one.id in controls]
    place = {one.id: number for number, one in enumerate(columns)}
    chapters = list(dict.fromkeys(one.chapter for one in columns))
    # Every other chapter is shaded.
    shaded = {one.id for one in columns if chapters.index(one.chapter) % 2}
    rows = sorted(record.matrix, key=lambda one: (place.get(one.meant, 0), one.mutant))
    return {
        "columns": columns,
        "rows": [(one, one.meant in shaded, list(_marks(one, columns))) for one in rows],
    }


def _marks(row: Row, columns: Sequence[Checked]) -> Iterator[tuple[int, str, str]]:
    """The marks of a row: column, kind and title."""
    cells = {cell.control: cell for cell in row.cells}
    for place, control in enumerate(columns):
        cell = cells.get(control.id)
        kind: str = cell.kind if cell else "not run"
        if row.escaped and control.id == row.meant:
            kind = "escaped"
        if kind != "not run":
            observed = f", {cell.observed}" if cell and cell.observed else ""
            said = f"{cell.verdict.words}{observed}" if cell else "-"
            yield place, kind, f"{row.mutant} before {control.id}: {said}"


def code_digests() -> dict[str, str]:
    """By part, a folder or a file: SHA-256 of the names and contents of the files that decide."""
    parts: dict[str, hashlib._Hash] = {}
    for name in sorted(_names()):
        path = _above(name) / name
        if path.is_file():
            inner = hashlib.sha256(path.read_bytes()).digest()
            digest = parts.setdefault("/".join(name.split("/")[:2]), hashlib.sha256())
            digest.update(name.encode() + b"\0" + inner)
    return {part: digest.hexdigest() for part, digest in parts.items()}


def whole(parts: Mapping[str, str]) -> str:
    """One SHA-256 over the digests of all parts."""
    text = "".join(f"{part} {digest}\n" for part, digest in sorted(parts.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def _above(name: str) -> Path:
    """The folder of a part: in a wheel, drillbook contains the rest."""
    return PACKAGE.parent if name.startswith("drillbook") else ROOT


def _names() -> list[str]:
    """The files that Git tracks; outside a checkout, those that exist."""
    if IS_CHECKOUT:
        listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--", *_DECIDING]
        with suppress(OSError, subprocess.SubprocessError):
            output = subprocess.run(listing, capture_output=True, check=True, timeout=20).stdout
            return [name for name in output.decode().split("\0") if name]
    found = []
    for part in _DECIDING:
        above = _above(part)
        paths = (above / part).rglob("*") if (above / part).is_dir() else [above / part]
        names = (path.relative_to(above) for path in paths)
        found += [one.as_posix() for one in names if _NO_PART.isdisjoint(one.parts)]
    return found


def bundle_files(path: Path = KEPT, latest: Path = LATEST) -> dict[str, bytes]:
    """The files for a bundle by name; {} if nothing was ever qualified.

    For a record that cannot be read, a file that says so.
    """
    parts = code_digests()
    code = whole(parts)
    try:
        record = _of_this_code(latest, code) or load(path)
    except Unqualifiable as trouble:
        return {"qualification.md": f"# Qualification record\n\n{trouble}\n".encode()}
    if record is None:
        return {}
    same = record.code == code
    applies = Applies(commit=run_metadata.tool().commit, code=code, same_code=same)
    return files(record.model_copy(update={"applies": applies}), _note(record, parts))


def _note(record: Qualification, parts: dict[str, str]) -> str:
    """What has changed since the qualification, in sentences; empty if nothing has."""
    if record.code == whole(parts):
        return ""
    of = f"commit {(record.commit or 'unknown')[:12]} of {record.started:%Y-%m-%d}"
    if not record.parts:
        return (
            f"This record is of {of}, and not of the code of this run: what has changed since "
            "then, it cannot tell."
        )
    names = sorted({*record.parts, *parts})
    changed = [name for name in names if record.parts.get(name) != parts.get(name)]
    return (
        f"This record is of {of}. {len(changed)} of {len(names)} parts have changed since then: "
        f"{', '.join(changed)}. It says nothing about those."
    )


def _of_this_code(path: Path, code: str) -> Qualification | None:
    try:
        record = load(path)
    except Unqualifiable:
        return None
    is_whole = record and not record.selection and not record.not_run
    return record if record and is_whole and record.code == code else None
