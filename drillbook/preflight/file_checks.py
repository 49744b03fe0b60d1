"""`drillbook preflight`: every check of the given files, and what they found.

The exit code is 1 with a finding, 2 where a check did not end or none could be made, 3 where a file
cannot be read, else 0. The corrections of the runbook fail nothing.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from drillbook.core.application import ROOT
from drillbook.core.display import Finding, Result, printable, write_json, write_sarif
from drillbook.core.errors import (
    FAILED,
    PASSED,
    UNDECIDED,
    BadInput,
    DrillbookError,
    Unsupported,
    Unusable,
    state_outcome,
)
from drillbook.preflight import backupfile, compose_checks, key_strength
from drillbook.preflight.given_files import GivenFiles


@dataclass(frozen=True)
class Check:
    """A check for a control: the files that it needs, and what finds faults in them.

    find returns the findings; it raises Unsupported where the files do not show what is judged,
    and StackTrouble where it could not end.
    """

    control: str
    needs: tuple[str, ...]
    find: Callable[[GivenFiles], list[Finding]]


def _find_wrong_key(files: GivenFiles) -> list[Finding]:
    deployed = files.deployed
    return backupfile.find_wrong_key(files.newest_backup, deployed.root_key, deployed.second_key)


def _find_faults_of_backup(files: GivenFiles) -> list[Finding]:
    deployed = files.deployed
    own = deployed.root_key, deployed.get("INSTANCE_ID"), deployed.second_key
    found = backupfile.faults(files.newest_backup, *own)
    if not found:
        backupfile.prove_fresh(files.newest_backup)
    return found


def _find_exposure(files: GivenFiles) -> list[Finding]:
    return compose_checks.find_exposure(files.deployed.compose)


def _find_faults_of_compose_file(files: GivenFiles) -> list[Finding]:
    deployed = files.deployed
    return [
        *compose_checks.lint(deployed.compose, deployed.env),
        *key_strength.find_written_samples(deployed.compose),
        *key_strength.find_empty_variables(deployed),
    ]


def _find_unmatched_ways(files: GivenFiles) -> list[Finding]:
    ways = compose_checks.find_unmatched_ways(files.deployed.compose)
    return [Finding("", None, way, "") for way in ways]


def _find_end_of_life(files: GivenFiles) -> list[Finding]:
    return compose_checks.find_end_of_life(files.deployed.compose, datetime.now(UTC).date())


CHECKS = (
    Check("KEY-8", ("env_file",), lambda files: key_strength.keys(files.deployed)),
    Check("KEY-9", ("env_file", "repo"), lambda files: files.searched_repo.find_known()),
    Check("KEY-9", ("repo",), lambda files: files.searched_repo.leaks),
    Check(
        "KEY-11",
        ("escrow", "env_file"),
        lambda files: key_strength.escrow_differences(files.deployed, files.escrowed),
    ),
    Check("KEY-11", ("backup", "env_file"), _find_wrong_key),
    Check("SEC-1", ("env_file",), lambda files: key_strength.passwords(files.deployed)),
    Check("SEC-2", ("env_file",), lambda files: key_strength.address(files.deployed)),
    Check("BKP-5", ("backup", "env_file"), _find_faults_of_backup),
    Check("DEP-3", ("compose",), _find_exposure),
    Check("DEP-4", ("compose",), _find_faults_of_compose_file),
    Check("DEP-5", ("compose",), _find_unmatched_ways),
    Check("DEP-6", ("compose",), _find_end_of_life),
)


@dataclass
class Answer:
    """What the checks found: each finding with its control; a sentence why a control has none."""

    controls: Mapping[str, Mapping[str, Any]]
    findings: list[tuple[str, Finding]] = field(default_factory=list)
    corrections: list[tuple[str, Finding]] = field(default_factory=list)
    not_run: dict[str, str] = field(default_factory=dict)
    not_finished: dict[str, str] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)

    def carry_out(self, check: Check, files: GivenFiles) -> None:
        """Carry out a check and keep what it found; Unusable for a file that cannot be read."""
        control = check.control
        try:
            for name in check.needs:
                files.need(name)
            found = check.find(files)
        except Unusable:
            raise
        except Unsupported as reason:
            self.not_run.setdefault(control, str(reason))
        except DrillbookError as reason:
            self.not_finished[control] = str(reason)
        else:
            self.ended.append(control)
            if found and self.controls[control]["nature"] == "claim":
                found = self._correct(control, found)
                self.corrections += [(control, finding) for finding in found]
            else:
                self.findings += [(control, finding) for finding in found]

    def _correct(self, control: str, found: list[Finding]) -> list[Finding]:
        """The findings with a place; without one, what the runbook should say instead."""
        corrections = self.controls[control].get("corrections", {}).values()
        known = " ".join(correction["sentence"] for correction in corrections)
        return [one for one in found if one.file] or [Finding("", None, known, "")]

    @property
    def held(self) -> list[str]:
        """The controls all of whose checks ended without a finding."""
        faulty = {control for control, _ in (*self.findings, *self.corrections)}
        return sorted(set(self.ended) - faulty - {*self.not_finished, *self.not_run})

    @property
    def exit_code(self) -> int:
        if self.findings:
            return FAILED
        return UNDECIDED if self.not_finished or not self.ended else PASSED

    def lines(self, *, verbose: bool) -> Iterator[str]:
        """Each finding and reason as a line; verbose: also what held."""
        yield from (f"{finding} [{control}]" for control, finding in self.findings)
        yield from (f"runbook: {finding} [{control}]" for control, finding in self.corrections)
        for reason in dict.fromkeys(self.not_run.values()):
            alike = [control for control, why in self.not_run.items() if why == reason]
            yield f"not run: {', '.join(alike)}: {reason}"
        yield from self.unfinished
        if verbose:
            for control in self.held:
                yield f"held: {self.controls[control]['title']} [{control}]"

    @property
    def unfinished(self) -> list[str]:
        """A line for each check that did not end."""
        return [f"not finished: {control}: {why}" for control, why in self.not_finished.items()]

    def summary(self) -> str:
        """The last line."""
        count = len(self.findings)
        many = "" if count == 1 else "s"
        return f"preflight: {count} finding{many}; held: {', '.join(self.held) or 'nothing'}"

    def write_json(self) -> None:
        """Write everything as one JSON document."""
        write_json(
            "preflight",
            findings=_rows(self.findings),
            corrections=_rows(self.corrections),
            not_run=_reasons(self.not_run),
            not_finished=_reasons(self.not_finished),
            held=self.held,
        )

    def write_sarif(self) -> None:
        """Write findings as errors and corrections as warnings, in SARIF."""
        rules = {
            control: {
                "shortDescription": {"text": self.controls[control]["title"]},
                "fullDescription": {"text": self.controls[control]["claim"]},
            }
            for control, _ in (*self.findings, *self.corrections)
        }
        results = [
            Result(control, str(finding), finding.file, finding.line, level=level)
            for level, found in (("error", self.findings), ("warning", self.corrections))
            for control, finding in found
        ]
        write_sarif("drillbook preflight", rules, results, unfinished=self.unfinished)


def _rows(found: list[tuple[str, Finding]]) -> list[dict[str, object]]:
    return [{"control": control, **asdict(finding)} for control, finding in found]


def _reasons(reasons: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"control": control, "reason": reason} for control, reason in reasons.items()]


@contextmanager
def _backup_of(given: SimpleNamespace) -> Iterator[Path | None]:
    """The path of the given backup, or of a copy for the block; None where none was given."""
    if not given.backup:
        yield None
        return
    # Imported here: most runs have no backup, and checks of files should be fast.
    from drillbook.backup.fetch import fetch_backup

    def say(text: str) -> None:
        sys.stderr.write(f"{printable(text)}\n")

    # A folder is judged as one, by its newest file.
    with fetch_backup(given.backup, say, choose=False) as backup:
        yield backup.path


@state_outcome("; nothing is decided")
def check_files(given: SimpleNamespace) -> int:
    """Check the files that the options name, and print what is found; the exit code."""
    names = ("env_file", "compose", "repo", "escrow")
    paths = {name: Path(path).expanduser() for name in names if (path := getattr(given, name))}
    if not paths and not given.backup:
        raise BadInput("nothing to check: give --compose, --env-file, --repo, --escrow or --backup")
    catalogue = tomllib.loads((ROOT / "suites" / "controls.toml").read_text(encoding="utf-8"))
    answer = Answer({control["id"]: control for control in catalogue["control"]})
    with _backup_of(given) as backup:
        files = GivenFiles(**paths, backup=backup)
        files.read()
        for check in CHECKS:
            answer.carry_out(check, files)
    if given.output == "json":
        answer.write_json()
    elif given.output == "sarif":
        answer.write_sarif()
    else:
        lines = [] if given.quiet else answer.lines(verbose=given.verbose)
        # A line may quote a name from a repository, which may have any bytes.
        sys.stdout.writelines(f"{printable(line)}\n" for line in (*lines, answer.summary()))
    return answer.exit_code
