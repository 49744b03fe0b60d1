"""corrected-runbook.md and REPRODUCE.md.

The first is the runbook as it should read for the version that ran, the second how to repeat the
run and how to check its bundle.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from reports.evidence.model import Control, Run
from reports.record import tested_runbook as runbook
from reports.render import phrases
from reports.verdict import Verdict


def corrected_runbook(run: Run) -> str:
    """`corrected-runbook.md`: the runbook under test, with the corrections in their place.

    Each correction stands once, in its section. A statement that was not judged says so.
    """
    book, backend = runbook.load(), run.subject.backend
    lines = ["# Corrected runbook", ""]
    if worth := phrases.grade(run):
        lines += [f"> {worth}", ""]
    lines += [
        f"For `{backend.image or backend.command or 'unknown'}`, from run {run.run.id} of "
        f"{run.run.started:%d %B %Y}: {book.file} (SHA-256 {book.sha256[:16]}…), in which each "
        "statement that did not hold is replaced by what to do. Corrections are **bold**. What "
        "this run did not judge is marked.",
        "",
    ]
    if run.subject.document:
        lines += ["The run carried out the operator's own document; here is what it showed.", ""]
    controls = {control.id: control for control in run.controls}
    placed: set[tuple[str, str]] = set()
    for section, statements in groupby(book.lines, lambda line: line.section):
        lines += [f"## {section}", ""]
        for line in statements:
            judges = [controls[name] for name in line.controls if name in controls]
            lines += _statement(line, judges, placed)
        lines += [""]
    others = [
        text
        for control in run.controls
        if control.verdict in phrases.ASSERTED
        for text in _corrections(control, None, placed)
    ]
    return "\n".join([*lines, *(["## Other corrections", "", *others] if others else ())])


def _statement(
    line: runbook.Line, judges: list[Control], placed: set[tuple[str, str]]
) -> Iterator[str]:
    """A statement as it stands, or what is to be done instead."""
    false = [control for control in judges if control.verdict in phrases.ASSERTED]
    named = ", ".join(line.controls)
    if not false:
        proved = any(control.verdict is Verdict.SATISFIED for control in judges)
        yield f"- {line.text} ({named}{'' if proved else '; not judged'})"
        yield from ("", *line.body, "") if line.body else ()
    for control in false:
        found = list(_corrections(control, line.section, placed))
        if not control.corrections:
            yield f"- **This does not hold here:** {line.text} ({control.id})"
        elif not found and control.runbook[0] != line.section:
            yield f"- Corrected under {control.runbook[0]} ({control.id})."
        yield from found


def _corrections(
    control: Control, section: str | None, placed: set[tuple[str, str]]
) -> Iterator[str]:
    """The corrections of a control that stand in a section (None: anywhere), each once."""
    if control.known_weakness and control.exposure:
        key = (control.id, control.exposure.avoid or "")
        if key not in placed and section in (None, *control.runbook[:1]):
            placed.add(key)
            yield f"- **{control.exposure.avoid}** ({control.id})"
        return
    for said in control.corrections:
        place = said.section or next(iter(control.runbook), None)
        key = (control.id, said.sentence)
        if key not in placed and section in (None, place):
            placed.add(key)
            yield f"- **{said.sentence}** ({control.id})"
            if said.commands:
                yield from ("", "```bash", said.commands, "```", "")
            if said.because:
                yield f"{'' if said.commands else '  '}{said.because}"
                yield from [""] * bool(said.commands)


def reproduce(run: Run) -> str:
    """The commands and versions of the run, as far as they are known."""
    lines = [f"# How to repeat run {run.run.id}", ""]
    if worth := phrases.grade(run):
        lines += [f"> {worth}", ""]
    lines += ["## With what", "", *(f"- {name}: `{value}`" for name, value in _versions(run)), ""]
    lines += ["## How", "", *_steps(run), ""]
    lines += ["## What may differ", "", *(f"- {line}" for line in _differs(run)), ""]
    return "\n".join([*lines, *_CHECK])


def _versions(run: Run) -> Iterator[tuple[str, str]]:
    tool, subject, host = run.run.tool, run.subject, run.run.host
    known = {
        "Drillbook": tool.version,
        "commit": tool.commit,
        "driver": subject.driver,
        "backend image": subject.backend.image,
        "backend digest": subject.backend.digest,
        "backend version": subject.backend.version,
        "database": subject.database.version,
        "cache": subject.cache.version,
        "compose file, SHA-256": subject.compose.sha256,
        "operator's document, SHA-256": subject.document.sha256 if subject.document else None,
        "container engine": subject.engine.version if subject.engine else None,
        "seed": str(run.run.seed),
        "machine": f"{host.system}, {host.machine}, {host.cpus} CPUs",
        "Python": host.python,
    }
    yield from ((name, value) for name, value in known.items() if value)
    yield from ((f"key {key.name}, label", key.label) for key in subject.keys)


def _steps(run: Run) -> Iterator[str]:
    command, folder = run.run.command, ".venv/bin/"
    yield "```sh"
    if run.run.tool.commit:
        yield f"git checkout {run.run.tool.commit}"
        yield "make .venv/ready   # the locked environment, hash-checked"
    else:
        yield f"# in an environment that has Drillbook {run.run.tool.version}"
        folder = ""
    if "--seed" not in command:
        # Options end at a lone --.
        options, mark, places = command.partition(" -- ")
        command = f"{options} --seed={run.run.seed}{mark}{places}"
    yield f"{folder}{'' if command.startswith('drillbook ') else 'python -m '}{command}"
    yield "```"


def _differs(run: Run) -> Iterator[str]:
    if run.run.tool.commit is None:
        yield "The commit is unknown: Drillbook did not run from a git checkout."
    if run.run.tool.dirty:
        yield "The checkout had changes that no commit holds: it cannot be repeated exactly."
    yield (
        "Keys and passwords are made anew in each run; their labels differ. The verdicts do not, "
        "except those that depend on the day (DEP-6, BKP-5, SEC-2, DRL-3), on earlier runs (SEC-6, "
        "DRL-5) or on the speed of the machine (DRL-3, UPG-4, UPG-5)."
    )
    yield "Times and durations; the order of specs follows from the seed."
    if "…" in run.run.command:
        yield "Where the command has …, a password or a query of an address stood: put yours there."
    if run.run.interrupted or run.run.stopped:
        yield "The run did not come to its end; a repetition may."
    if run.subject.grade == "deployment" and not run.subject.backend.digest:
        yield "The image's digest is unknown: its tag may name another image by now."


_CHECK = """\
## Is this bundle what was sealed?

With Drillbook, without a stack: `drillbook evidence verify bundle.zip --pubkey KEY.pub` if it is
signed (it then holds `attestation.intoto.jsonl`), else
`drillbook evidence verify bundle.zip --unsigned`

Without Drillbook, in an empty folder (needs unzip, jq, openssl):

```sh
unzip -q bundle.zip
jq -r '.files[] | "\\(.sha256)  \\(.name)"' MANIFEST.json | sha256sum --check --quiet
# if it is signed: the signature is over the type and the statement, as DSSE lays down
jq -r .payload attestation.intoto.jsonl | base64 -d > statement.json
printf 'DSSEv1 28 application/vnd.in-toto+json %s ' "$(stat -c %s statement.json)" \\
  | cat - statement.json > signed.bin
jq -r '.signatures[0].sig' attestation.intoto.jsonl | base64 -d > signature.bin
openssl pkeyutl -verify -pubin -inkey KEY.pub -rawin -in signed.bin -sigfile signature.bin
# the backup of a drill is named as well, and is not in the bundle
jq -r '.subject[] | select(.name | startswith("backup:") | not)
  | "\\(.digest.sha256)  \\(.name)"' statement.json | sha256sum --check --quiet
# if it is stamped: someone else's clock
openssl ts -verify -data bundle.zip -in bundle.zip.tsr -CAfile TSA.pem
```
""".splitlines()
