"""`make merge`: shards become one record; runs of different images or machines become a matrix.

A record has one verdict, as it is of one subject; a matrix has none of its own. What is merged
stays as it is, and was searched for secrets where they were known.
"""

from __future__ import annotations

import argparse
import hashlib
import secrets
import shlex
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from reports import evidence, facts, matrix
from reports.bundle import Bundle
from reports.errors import ReportError, Unmergeable
from reports.framing import unique
from reports.joining import check, join
from reports.lines import Line, write
from reports.matrix import page
from reports.matrix.model import unique as unique_runs
from reports.model import Redaction, Run
from reports.redact import Redactor
from reports.seal.folder import unchanged
from reports.seal.options import chosen
from reports.shard import Shard
from reports.summary import summary
from reports.verdict import PASSED, UNUSABLE

_RECORD = "evidence.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Join the given folders; the exit code of the joined run, 3 where they cannot be joined."""
    given = _parser().parse_args(arguments)
    try:
        lines, code = _merge(given)
    except (ReportError, OSError) as trouble:
        said = str(trouble)
        if isinstance(trouble, OSError):
            said = f"{trouble.filename}: {trouble.strerror}"
        write([Line(f"merge: {said}", ("red", "bold"))], sys.stderr)
        return UNUSABLE
    write(lines, sys.stdout)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="merge", description=__doc__)
    parser.add_argument(
        "runs", help="folders of shards or of runs, quoted where a name has a space"
    )
    parser.add_argument("--run-dir", type=Path, default=Path("reports/runs"))
    parser.add_argument("--signing-key", metavar="FILE")
    parser.add_argument("--signing-key-env", metavar="NAME")
    parser.add_argument("--tsa", metavar="URL")
    return parser


def _merge(given: argparse.Namespace) -> tuple[list[Line], int]:
    folders = list(dict.fromkeys(Path(name).resolve() for name in shlex.split(given.runs)))
    if len(folders) < 2:
        raise Unmergeable('name the shards, or runs: make merge RUNS="folder folder ..."')
    runs = [_read(folder) for folder in folders]
    if not any(run.run.shard for run in runs):
        return _side_by_side(runs, folders, given.run_dir)
    check(runs)
    joined = _joined(runs, given.run_dir)
    sealer = chosen(given.signing_key, given.signing_key_env, given.tsa)
    bundle = Bundle(given.run_dir, joined.run.id, sealer)
    for run, folder in zip(runs, folders, strict=True):
        _copy_logs(folder, bundle.logs / str(run.run.shard).replace("/", "-of-"))
    written = bundle.write(Redactor(), lambda found: _scanned(joined, found))
    lines = list(summary(written, str(bundle.path / "report.html")))
    if lost := bundle.sealed.trouble:
        lines.append(Line(lost, ("red", "bold")))
    lines += bundle.tell_history()
    return lines, written.exit_code or (UNUSABLE if bundle.incomplete else PASSED)


def _side_by_side(
    runs: Sequence[Run], folders: Sequence[Path], run_dir: Path
) -> tuple[list[Line], int]:
    """The matrix in a folder of its own; whether it shows good news is for each run to say."""
    if twice := unique_runs(runs):
        raise Unmergeable(f"run {twice} is there twice")
    named, command = _name(runs)
    digests = {
        run.run.id: hashlib.sha256((folder / _RECORD).read_bytes()).hexdigest()
        for run, folder in zip(runs, folders, strict=True)
    }
    made = matrix.matrix(runs, id=named, command=command, digests=digests)
    place = run_dir / f"{named}-matrix"
    place.mkdir(parents=True)
    for name, data in page.files(made).items():
        (place / name).write_bytes(data)
    return [*matrix.told(made), Line(f"Matrix: {place / 'matrix.html'}")], PASSED


def _name(runs: Sequence[Run]) -> tuple[str, str]:
    """The id of what is made now, and the command that makes it."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    command = shlex.join(["python", "-m", "reports.merge", " ".join(one.run.id for one in runs)])
    return f"{now}-{secrets.token_hex(3)}", command


def _joined(runs: Sequence[Run], run_dir: Path) -> Run:
    run_id, command = _name(runs)
    run = join(runs, id=run_id, command=command, make=facts.make())
    fresh = {"uuid": unique(run_id), "previous_run": facts.previous_run(run_dir)}
    return run.model_copy(update={"identity": run.identity.model_copy(update=fresh)})


def _read(folder: Path) -> Run:
    """The record of a shard, unless somebody has changed the folder since it was sealed."""
    record = folder / _RECORD
    if not record.is_file():
        raise Unmergeable(f"{folder} is no folder of a run: it has no {_RECORD}")
    unchanged(folder)
    try:
        run = evidence.load(record)
        if run.run.shard:
            Shard.read(run.run.shard)
    except (ValueError, ReportError):
        raise Unmergeable(f"{record}: no record that this version can read") from None
    return run


def _scanned(run: Run, found: Redaction) -> Run:
    counted = run.redaction.model_copy(update={"scanned_files": found.scanned_files})
    return run.model_copy(update={"redaction": counted})


def _copy_logs(folder: Path, to: Path) -> None:
    if (folder / "logs").is_dir():
        shutil.copytree(folder / "logs", to)


if __name__ == "__main__":
    sys.exit(main())
