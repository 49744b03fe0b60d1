"""A sample run with every verdict, to test the writers of documents.

`python -m tests.support.sample_run FOLDER` writes all its documents.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reports.evidence.context import Waiver
from reports.evidence.model import (
    RULES,
    Backend,
    BackupFile,
    Control,
    Counts,
    Exchange,
    Host,
    Key,
    LogExcerpt,
    Objectives,
    Redaction,
    Run,
    RunFacts,
    Server,
    Span,
    Spec,
    Step,
    Subject,
    Tool,
)
from reports.session.bundle import WRITERS, render
from reports.verdict import Verdict, exit_code, gates, overall

_START = datetime(2026, 11, 24, 16, 5, 12, tzinfo=UTC)
_SEEN = {
    "KEY-3": ("safety", "critical", Verdict.VIOLATED, "Nothing is served under a wrong key"),
    "KEY-5": ("safety", "critical", Verdict.SATISFIED, "The old keys bring everything back"),
    "KEY-12": ("claim", "minor", Verdict.NOT_APPLICABLE, "Keys cannot be rotated"),
    "DBP-1": ("claim", "major", Verdict.CONTRADICTED, "The documented procedure works"),
    "DBP-2": ("safety", "critical", Verdict.INCONCLUSIVE, "The old password is dead"),
    "DEP-2": ("claim", "minor", Verdict.NOT_RUN, "Two processors and 2 GB are enough"),
}
_MESSAGES = {
    Verdict.VIOLATED: "assert [200] == []\n  At index 0: <200 \"&\" 'OK'>\n(at suites/x.py:33)",
    Verdict.CONTRADICTED: "assert not True\n(at suites/database/x.py:27)",
    Verdict.INCONCLUSIVE: "NotReady: backend not healthy after 90 s (GET /api/status: 502)",
    Verdict.NOT_RUN: "this driver cannot limit memory",
    Verdict.NOT_APPLICABLE: "this version has no staged rotation",
}
_OBSERVED = "after the documented restart the backend still used the old password"
_CORRECTION = {
    "sentence": "Redeploy instead of restarting the container.",
    "commands": "docker compose up -d --pull never backend   # <the service>",
    "because": "Because `docker restart` keeps the old environment.",
}


def run(**changes: object) -> Run:
    """The sample run, with these fields replaced."""
    controls = tuple(_control(number, control) for number, control in enumerate(_SEEN))
    verdict = overall(control.verdict for control in controls if control.gating)
    made = Run(
        run=_facts(),
        subject=_subject(),
        controls=controls,
        counts=_counts(controls),
        timeline=_timeline(),
        objectives=Objectives(rto_s=74.0, rto_target_s=3600.0),
        redaction=Redaction(secrets_known=12, secrets_weak=1, scanned_files=6),
        verdict=verdict,
        exit_code=exit_code(verdict),
        rules=RULES,
    )
    return made.model_copy(update=changes)


def waived_run(**changes: object) -> Run:
    """The run with its violated control waived for two more weeks."""
    waiver = Waiver(
        control="KEY-3",
        reason="the vendor repairs it in the next release",
        owner="Ada Lovelace",
        approved_by="Grace Hopper",
        expires=(_START + timedelta(days=14)).date(),
        days_left=14,
    )
    made = run()
    first = made.controls[0].model_copy(update={"waived": True, "waiver": waiver})
    controls = (first, *made.controls[1:])
    verdict = overall(
        control.verdict for control in controls if control.gating and not control.waived
    )
    update = {
        "controls": controls,
        "counts": made.counts.model_copy(update={"waived": 1}),
        "verdict": verdict,
        "exit_code": exit_code(verdict),
    }
    return made.model_copy(update=update | changes)


def drill_run(**changes: object) -> Run:
    """The run with a given backup as its subject."""
    backup = BackupFile(
        name="nightly.sql.gz",
        sha256="5a" * 32,
        bytes=73_400_320,
        form="plain",
        compression="gzip",
        taken_at="2026-11-24 02:00:07",
        taken_by="pg_dump 14.23",
        server="PostgreSQL 14.23",
        instance="4a6f1f0e-4a7e-4d3e-9f52-5f0f3f6a9c10",
        source="file",
    )
    return run(subject=_subject().model_copy(update={"backup": backup}), **changes)


def large_run(controls: int, steps: int = 5) -> Run:
    """The run with this many controls of two specs, each with `steps` steps if it ran."""
    made = run()
    copies = (_copy(made.controls[n % 6], n, steps) for n in range(controls))
    return made.model_copy(update={"controls": tuple(copies)})


def _copy(control: Control, number: int, steps: int) -> Control:
    specs = tuple(
        spec.model_copy(update={"steps": (spec.steps * steps)[:steps]})
        for spec in control.specs * 2
    )
    title = f"{control.title}, whatever stands in the title of number {number}"
    name = f"{control.id.split('-')[0]}-{number}"
    return control.model_copy(update={"id": name, "title": title, "specs": specs})


def _facts() -> RunFacts:
    return RunFacts(
        id="20261124T160512Z-3f9a1c",
        started=_START,
        finished=_START + timedelta(seconds=252),
        duration_s=252.0,
        command="pytest suites --evidence --reason scheduled",
        reason="scheduled",
        seed=42,
        tool=Tool(version="0.1.0", commit="8c1f" * 10, dirty=False),
        host=Host(
            name="drill-1",
            system="Linux 6.12",
            machine="x86_64",
            python="3.13.5",
            cpus=2,
            memory_bytes=8 << 30,
        ),
        operator="ada",
    )


def _subject() -> Subject:
    return Subject(
        driver="containers",
        grade="deployment",
        backend=Backend(image="infisical/infisical:v0.1", digest="sha256:" + "ab" * 32),
        database=Server(version="PostgreSQL 14.23"),
        cache=Server(version="Redis 7.4.1"),
        keys=(Key(name="ENCRYPTION_KEY", label="2e8c387a6790c53b", bytes=32),),
    )


def _control(number: int, control: str) -> Control:
    nature, severity, verdict, title = _SEEN[control]
    wrong = verdict is Verdict.CONTRADICTED
    return Control.model_validate(
        {
            "id": control,
            "title": title,
            "claim": f"{title}, says the runbook of <{control}>.",
            "nature": nature,
            "severity": severity,
            "gating": gates(nature, severity),  # type: ignore[arg-type]
            "verdict": verdict,
            "observed": _OBSERVED if wrong else None,
            "correction": _CORRECTION["sentence"] if wrong else None,
            "corrections": (_CORRECTION,) if wrong else (),
            "frameworks": {"nist": ("SC-12", "CP-10"), "soc2": ("CC6.1",)},
            "duration_s": 12.5 * number,
            "specs": (_spec(number, control, verdict),),
            "chapter": "keys" if control.startswith("KEY") else "database",
            "runbook": ("What Happens If Keys Are Rotated",),
        }
    )


def _spec(number: int, control: str, verdict: Verdict) -> Spec:
    name = control.lower().replace("-", "_")
    started = _START + timedelta(seconds=20 * number)
    poll = Exchange(method="GET", url="/api/status", status=502, duration_s=9.1, count=90)
    log = LogExcerpt(service="backend", text="KMS: Loading ROOT Key <script>", truncated=True)
    first = Step(title="write `canaries`", started=started, duration_s=1, verdict=Verdict.SATISFIED)
    second = Step(
        title="restart with another key",
        started=started,
        duration_s=11,
        verdict=verdict,
        exchanges=(poll, poll.model_copy(update={"status": None, "count": 1})),
        logs=(log,),
        notes=("backend serves after 4.2 s; see `docker logs`",),
    )
    idle = verdict in (Verdict.NOT_RUN, Verdict.NOT_APPLICABLE)
    return Spec(
        id=f"suites/keys/test_keys.py::test_{name}_holds[JWT]",
        verdict=verdict,
        duration_s=12.5,
        message=_MESSAGES.get(verdict),
        steps=() if idle else (first, second),
    )


def _counts(controls: tuple[Control, ...]) -> Counts:
    verdicts = [control.verdict for control in controls]
    tally = {verdict.value: verdicts.count(verdict) for verdict in Verdict}
    return Counts(planned=6, executed=4, specs_planned=6, specs_executed=4, **tally)


def _timeline() -> tuple[Span, ...]:
    kinds = ("boot", "migrate", "dump", "step", "restore", "step", "boot", "teardown")
    return tuple(
        Span.model_validate(
            {
                "name": f"{kind} <{number}>",
                "kind": kind,
                "started": _START + timedelta(seconds=30 * number),
                "duration_s": 4.0 + 3 * number,
            }
        )
        for number, kind in enumerate(kinds)
    )


if __name__ == "__main__":
    for file in WRITERS:
        Path(sys.argv[1], file).write_bytes(render(file, run()))
