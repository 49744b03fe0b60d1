"""A run in plain sentences, the same on the terminal and in every document.

A run that asked one question shows readers the controls that it asked for; the record has all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple, get_args

from reports.evidence.context import Waiver
from reports.evidence.model import LEFT_OUT, OUTSIDE, Control, Run, Spec, Subject
from reports.verdict import HOLDS, IDLE, PASSED, UNDECIDED, Severity, Verdict, is_judged

REHEARSAL = (
    "A rehearsal of the reference backend, not of Infisical. Anything you did not supply was "
    "made up by Drillbook. This proves nothing about your deployment."
)
MAPPED = (
    "Proposals for the reader's own auditor to confirm: the controls show something of the clause, "
    "and none of them meets it alone. What they leave open stands next to it."
)
REHEARSED = "Rehearsed on the reference backend: this run shows nothing of any clause."
LIMITS = (
    "Drillbook is sound, not complete: a violated control was seen to fail, a satisfied one was "
    "only not seen to fail, under the conditions described here. "
    "What no control asks, this report does not answer."
)
_LONGEST = 600
_MUTANT = re.compile(r"--mutant[= ](\S+)")
_SOON_DAYS = 30
_PLACE = re.compile(r"\n?\(at [^()]*\)$")
# Two short values that an assertion compares.
_COMPARED = re.compile(
    r"^\s*(?:AssertionError: )?assert (?!not )(?P<left>.{1,60}?) "
    r"(?P<how>==|is(?! not)|[<>]=?) (?P<right>.{1,60})$",
    re.MULTILINE,
)
# Where pytest begins to explain an assertion, and what it found in a list that had to be empty.
_EXPLAINED = re.compile(r"^(?:AssertionError: )?(?:assert\b|Failed: DID NOT RAISE)", re.MULTILINE)
_EXTRA = re.compile(
    r"^ *Left contains (?P<count>one|\d+) more items?(?:, first extra item)?: (?P<item>.+)$"
    r"|^ *Extra items in the left set:\n(?P<items>(?: *\S.*\n?)+)",
    re.MULTILINE,
)
# Between findings: a semicolon, or a new line for each stack.
_ITEMS = re.compile(r"; |\n(?=the )")
# A place that holds a secret, or a request that was answered and should have been refused.
_ALIKE = re.compile(r"(?P<place>.+? holds) .+|[^/:]+: (?P<request>[A-Z]+ /.+)")
# A spec of such a verdict ended by an assertion: it says what was expected and what was seen.
ASSERTED = (Verdict.VIOLATED, Verdict.CONTRADICTED)
_PROGRAMS = ("psql", "docker", "gzip", "compose", "make", "createdb", "dropdb")
COLUMNS = (
    Verdict.SATISFIED,
    Verdict.CONTRADICTED,
    Verdict.VIOLATED,
    Verdict.INCONCLUSIVE,
    Verdict.NOT_RUN,
    Verdict.NOT_APPLICABLE,
)
FRAMEWORKS = {
    "iso27001": "ISO 27001",
    "nist": "NIST 800-53",
    "pci": "PCI DSS",
    "soc2": "SOC 2",
}
NO_CORRECTION = "No sentence is prepared for this observation; write one from the details."
# Before the cure of a violated control.
TO_DO = "What to do"
KNOWN_WEAKNESSES = "Known weaknesses of this release: what never to do"
NEXT = {
    Verdict.VIOLATED: "Do not rely on what is checked here: repair it, then run again.",
    Verdict.INCONCLUSIVE: "Nothing is known about these: remove the cause, then run again.",
    Verdict.NOT_RUN: "Nothing is known about these: provide what was missing, then run again.",
    Verdict.CONTRADICTED: "Change the runbook: the report has the sentence that belongs there.",
}


def asked_controls(run: Run) -> list[Control]:
    """The controls that the run was asked for, in their order; all without a named question."""
    return [control for control in run.controls if control.note != OUTSIDE]


def judged_count(run: Run) -> str:
    """How many of the controls that the run was asked for have a verdict, such as 4 of 6."""
    asked = asked_controls(run)
    return f"{sum(control.verdict not in IDLE for control in asked)} of {len(asked)}"


def exclusions(run: Run) -> list[dict[str, str | None]]:
    """The controls of which nothing ran; those with the same reason share a row."""
    controls_by_reason: dict[str | None, list[str]] = {}
    for control in run.controls:
        if control.verdict in IDLE:
            same = (spec for spec in control.specs if spec.verdict is control.verdict)
            messages = dict.fromkeys(spec.message for spec in same if spec.message)
            reason = "; ".join(messages) or control.note
            controls_by_reason.setdefault(reason, []).append(control.id)
    return [
        {
            "what": f"{len(ids)} controls" if reason == OUTSIDE else ", ".join(ids),
            "reason": reason,
        }
        for reason, ids in controls_by_reason.items()
    ]


def by_chapter(controls: Iterable[Control]) -> dict[str, list[Control]]:
    """The controls of each chapter, in their order."""
    found: dict[str, list[Control]] = {}
    for control in controls:
        found.setdefault(control.chapter, []).append(control)
    return found


def tally(controls: Iterable[Control]) -> list[tuple[Verdict, int]]:
    """How many of the controls have each verdict, in the order of every document.

    Known weaknesses to which the deployment is not exposed do not count.
    """
    verdicts = [control.verdict for control in controls if not control.known_weakness]
    return [(verdict, verdicts.count(verdict)) for verdict in COLUMNS]


class Outcome(NamedTuple):
    """The result in a word, why, what to do next, and the answer to the question of the run."""

    word: str
    sentence: str
    next: str
    answer: str = ""


def grade(run: Run) -> str | None:
    """Why the result is not evidence about a deployment; None if it is."""
    reason = None
    if run.subject.driver == "none":
        reason = "No stack was started. This proves nothing about your deployment."
    elif run.subject.grade == "rehearsal":
        reason = REHEARSAL
    if bug := planted_bug(run.run.command):
        words = f"The bug {bug} was planted on purpose"
        return f"{words}. {reason}" if reason else f"{words}: the result is not evidence."
    return reason


def planted_bug(command: str) -> str | None:
    """The bug that a command line plants on purpose."""
    found = _MUTANT.search(command)
    return found[1] if found else None


def color_code(run: Run) -> int:
    """The exit code that a result is coloured by: green only if a gating control held."""
    return run.exit_code or (PASSED if _deciding(run) else UNDECIDED)


def cover_code(run: Run) -> int:
    """The exit code that a cover is coloured by: green only if no control is violated, too."""
    code = color_code(run)
    bad = [one for one in run.controls if one.verdict is Verdict.VIOLATED]
    return UNDECIDED if code == PASSED and not all(one.known_weakness for one in bad) else code


def _deciding(run: Run) -> list[Control]:
    """The controls that decide the exit code: they gate, apply here, and are not waived."""
    return [control for control in applicable_gates(run) if not control.waived]


def outcome(run: Run) -> Outcome:
    """The result of the gate, and why; for a rehearsal, the word says so."""
    end = _outcome(run)
    end = end._replace(sentence=f"{end.sentence}{_limited(run)}")
    end = end._replace(word=f"{end.word} in rehearsal") if is_rehearsal(run) else end
    answer = _deployment_answer(run) if answers_deployment(run) else f"{end.word}."
    return end._replace(answer=answer)


def answers_deployment(run: Run) -> bool:
    """Whether the question of the run is if this may be deployed, and not, say, that of a drill."""
    asked = {name.partition("-")[0] for name in run.run.asked}
    is_other = bool({"DRL", "UPG"} & asked) or run.subject.document is not None
    return not is_other and run.subject.driver in ("embedded", "containers")


def _deployment_answer(run: Run) -> str:
    if planted_bug(run.run.command):
        return "No answer about your deployment: a bug was planted on purpose."
    if is_rehearsal(run):
        return (
            "No answer about your deployment: this was a rehearsal on Drillbook's reference "
            "backend."
        )
    if run.exit_code == 1 or run.redaction.leaks:
        return "No: do not deploy this."
    if run.exit_code:
        return "Not decided: this run does not show that you may deploy this."
    if not _deciding(run):
        return "Nothing shown: no control that decides was judged."
    if run.run.selection:
        return "No answer about the whole deployment: only a part of the controls was asked."
    if unjudged := _unjudged(run):
        return f"Yes, unless your deployment is exposed to {_ids(unjudged)}."
    return "Yes: you may deploy this."


def is_rehearsal(run: Run) -> bool:
    """Whether the reference backend was examined: such a run shows nothing of a deployment."""
    return run.subject.grade == "rehearsal" and run.subject.driver != "none"


def mapped(run: Run) -> str:
    """What the tables by framework are worth."""
    return REHEARSED if is_rehearsal(run) else MAPPED


def _limited(run: Run) -> str:
    """How many of all controls a selection kept, and how many of these were judged; or empty."""
    if not run.run.selection:
        return ""
    kept = [one for one in asked_controls(run) if reasons(one) != [LEFT_OUT]]
    judged = sum(is_judged(one.verdict) for one in kept)
    return (
        f" The run was limited to {len(kept)} of {len(run.controls)} controls; {judged} "
        f"{'was' if judged == 1 else 'were'} judged."
    )


def _outcome(run: Run) -> Outcome:
    if run.redaction.leaks:
        return _leak_outcome(run)
    gating = _deciding(run)
    if run.run.stopped:
        said = f"{run.run.stopped.rstrip('.')}. {_ended_early(run, gating)}"
        return Outcome("Stopped", said, "Set this right, then run again.")
    if run.run.interrupted and run.exit_code != 1:
        if run.run.ended:
            said = f"{run.run.ended} {_ended_early(run, gating)}"
            return Outcome("Undecided", said, "Set this right, then run again.")
        return Outcome("Interrupted", _ended_early(run, gating), "Run it again, to its end.")
    if run.exit_code == 0:
        return _pass_outcome(run, gating)
    return _fail_outcome(run, gating) if run.exit_code == 1 else _undecided_outcome(run, gating)


def applicable_gates(run: Run) -> list[Control]:
    """The controls that decide the exit code, without those that do not apply here."""
    return [c for c in run.controls if c.gating and c.verdict is not Verdict.NOT_APPLICABLE]


def _leak_outcome(run: Run) -> Outcome:
    files = _list(dict.fromkeys(leak.file for leak in run.redaction.leaks))
    names = _list(dict.fromkeys(leak.secret for leak in run.redaction.leaks))
    return Outcome(
        "Failed",
        f"A secret was found in the finished report: {files} held {names}. It has been removed.",
        "Find out how it got there; make it known to the recorder before anything prints it.",
    )


def _pass_outcome(run: Run, gating: list[Control]) -> Outcome:
    sentence = f"{_all_held(run, gating)}{_advisory(run)}"
    warning = f"{bad} " if (bad := advisory_warning(run)) else ""
    if not gating:
        advice = "Read why each does not apply: only a run to which one applies shows anything."
        if any(control.gating and control.waived for control in run.controls):
            advice = (
                "Each gating control that applies is waived: take a waiver back, then run again."
            )
        return Outcome("Nothing shown", sentence, warning + advice)
    if run.subject.grade == "rehearsal":
        what = "instance you run" if run.subject.driver == "remote" else "image you deploy"
        return Outcome("Passed", sentence, f"Run it against the {what}. {warning}".strip())
    kept = "Keep the folder of this run with your audit records."
    if _unjudged(run):
        kept = "Run it again with both files of your deployment, --compose FILE --env-file FILE."
    return Outcome("Passed", sentence, f"{kept} {warning}".strip())


def advisory_warning(run: Run) -> str:
    """A warning of controls that are violated and do not decide the exit code, or empty."""
    violated = [one for one in _outside_gate(run) if one.verdict is Verdict.VIOLATED]
    bad = [control for control in violated if not control.known_weakness]
    verb = "is" if len(bad) == 1 else "are"
    return f"{_ids(bad)} {verb} violated: do not rely on what is checked there." if bad else ""


def _all_held(run: Run, gating: list[Control]) -> str:
    let_pass = [control for control in run.controls if control.gating and control.waived]
    if not let_pass:
        others = len([one for one in run.controls if one.gating]) - len(gating)
        verb = "does" if others == 1 else "do"
        rest = f"; {others} {verb} not apply" if others else ""
        if not gating:
            return f"No gating control was judged{rest}."
        return f"{len(gating)} of {len(gating)} gating controls hold{rest}."
    planned = len(gating) + len(let_pass)
    return (
        f"{len(gating)} of {planned} gating controls hold; the gate lets "
        f"{_ids(let_pass)} pass because of a waiver."
    )


def waiver(one: Waiver) -> str:
    """The effect of a waiver on this run, in a sentence."""
    if one.state == "expired":
        return f"The waiver expired on {one.expires} and no longer counts: renew it or repair."
    if one.state == "not_needed":
        return "The control needs no waiver: take it out of the waivers file."
    left = one.days_left or 0
    soon = f" Expires {f'in {days(left)}' if left else 'today'}." if left <= _SOON_DAYS else ""
    return f"Waived until {one.expires} by {one.owner}, approved by {one.approved_by}.{soon}"


def _fail_outcome(run: Run, gating: list[Control]) -> Outcome:
    bad = failures(run)
    unknown = len(_unknown(gating))
    undecided = f", and {unknown} {'was' if unknown == 1 else 'were'} not judged" if unknown else ""
    return Outcome(
        "Failed",
        f"{len(bad)} of {len(gating)} gating controls failed: {_titles(bad)}{undecided}."
        f"{' The run was interrupted.' if run.run.interrupted else ''}{_advisory(run)}",
        _advice(run, bad[0].id, next((one.sentence for one in bad[0].corrections), "")),
    )


def failures(run: Run) -> list[Control]:
    """The controls that fail the run: those without a condition first, then the gravest."""
    severities = get_args(Severity)
    bad = [control for control in _deciding(run) if control.verdict in ASSERTED]
    return sorted(bad, key=lambda c: (c.exposure is not None, severities.index(c.severity)))


def known_weaknesses(run: Run) -> list[Control]:
    """Weaknesses of the release to which the deployment is not shown to be exposed."""
    return [control for control in asked_controls(run) if control.known_weakness]


def weakness(control: Control) -> str:
    """What was seen of a known weakness."""
    return sentence(control.observed or f"not so: {control.title}")


def exposure(control: Control) -> str:
    """Whether the deployment is exposed to the weakness of a control, and why; or empty."""
    judged = control.exposure
    if judged is None or judged.state == "not_judged":
        return ""
    return f"{'Exposed' if judged.state == 'exposed' else 'Not exposed'}: {judged.because}."


def unjudged_exposure(run: Run) -> str:
    """Which known weaknesses could not be judged for this deployment, and what to give."""
    if not (unjudged := _unjudged(run)):
        return ""
    return (
        f"Whether your deployment is exposed to {_ids(unjudged)} was not judged: give both files, "
        "--compose FILE --env-file FILE."
    )


def _unjudged(run: Run) -> list[Control]:
    """Known weaknesses of which it is not known whether the deployment is exposed to them."""
    known = [(control, control.exposure) for control in known_weaknesses(run)]
    return [control for control, judged in known if judged and judged.state == "not_judged"]


def _advice(run: Run, first: str, cure: str) -> str:
    """What to do about the first failure, by what the run is about."""
    if any(one.startswith("DRL-") for one in run.run.asked):
        return _DRILL_ADVICE.get(
            first, f"Do not rely on a recovery from this backup. Begin with {first}."
        )
    if run.subject.driver == "remote":
        return f"Do not rely on this instance before it is put right. Begin with {first}."
    document = next((one for one in run.controls if one.id == "RBK-1"), None)
    if document and document.verdict not in (Verdict.NOT_APPLICABLE, Verdict.NOT_RUN):
        return f"Do not follow this document as it is. Begin with {first}."
    return (
        f"Do not deploy. Begin with {first}: {cure}"
        if cure
        else f"Do not deploy. Begin with {first}."
    )


# By the first control that failed in a drill, which is about a backup and not a deployment.
_DRILL_ADVICE = {
    "BKP-4": (
        "Do not rely on this backup: it is damaged, or more than data. Take the one before it, and "
        "find out how it was made."
    ),
    "DRL-1": (
        "Do not rely on this backup with these keys. Look for the key that opens it: drillbook key "
        "check BACKUP --env-file one.env --env-file other.env. Where they open a part, the rest "
        "may be damaged: take an earlier backup, and save that part by drillbook key recover."
    ),
    "DRL-3": "Do not rely on this backup for a recovery in time. Begin with DRL-3.",
    "DRL-4": (
        "Compare backup and keys with copies of theirs, and remove what the drill left behind: "
        "drillbook sweep."
    ),
    "DRL-5": (
        "Find out what was lost, and keep the older backups until then. If it was deleted on "
        "purpose, a larger --drop accepts it once."
    ),
}


def _undecided_outcome(run: Run, gating: list[Control]) -> Outcome:
    unknown = _unknown(gating)
    if not gating:
        return _without_a_gate(run)
    sentence = (
        f"{_no_failure(run)}, but {len(unknown)} of {len(gating)} gating controls could not "
        f"be judged: {_ids(unknown)}.{_advisory(run)}"
    )
    if run.run.selection and all(reasons(control) == [LEFT_OUT] for control in unknown):
        advice = "Controls left out count as not run; for a verdict run all of them."
        return Outcome("Undecided", sentence, advice)
    advice = "Remove the causes that the report names, then run again."
    return Outcome("Undecided", sentence, advice)


def _without_a_gate(run: Run) -> Outcome:
    if any(control.gating for control in run.controls):
        sentence = "Every control that gates is waived, so this run proves nothing."
        return Outcome("Undecided", sentence, "Take a waiver back, then run again.")
    sentence = f"None of the controls that were asked decides about a deployment.{_advisory(run)}"
    advice = "Read what was seen of each; for a verdict on the deployment run `drillbook verify`."
    return Outcome("Undecided", sentence, advice)


def _ended_early(run: Run, gating: list[Control]) -> str:
    """How far a run came that did not end, and what had failed by then."""
    judged = len(gating) - len(_unknown(gating))
    bad = [control for control in gating if control.verdict in ASSERTED]
    failed = f"Of these failed: {_ids(bad)}" if bad else _no_failure(run)
    return (
        f"The run did not end. {judged} of {len(gating)} gating controls were judged before. "
        f"{failed}.{_advisory(run)}"
    )


def _unknown(gating: list[Control]) -> list[Control]:
    return [c for c in gating if c.verdict in (Verdict.INCONCLUSIVE, Verdict.NOT_RUN)]


def _no_failure(run: Run) -> str:
    """That nothing failed; if a control failed, only that none of those that gate did."""
    bad = [c for c in run.controls if c.verdict in ASSERTED]
    if waived := [c for c in bad if c.waived]:
        return f"No gating control failed without a waiver ({_ids(waived)} did with one)"
    return "No gating control failed" if bad else "Nothing failed"


def _outside_gate(run: Run) -> list[Control]:
    """The controls that were asked for and do not decide the exit code."""
    return [c for c in asked_controls(run) if not c.gating]


def _advisory(run: Run) -> str:
    """How many of the controls that do not gate have which bad verdict; empty if all hold."""
    verdicts = [control.verdict for control in _outside_gate(run) if not control.known_weakness]
    known = len(known_weaknesses(run))
    wrong = verdicts.count(Verdict.CONTRADICTED)
    counts = (
        (verdicts.count(Verdict.VIOLATED), "violated"),
        (wrong, f"runbook correction{'' if wrong == 1 else 's'}"),
        (verdicts.count(Verdict.INCONCLUSIVE), "inconclusive"),
        (verdicts.count(Verdict.NOT_RUN), "not run"),
        (known, f"known weakness{'' if known == 1 else 'es'}"),
    )
    said = ", ".join(f"{count} {what}" for count, what in counts if count)
    return f" Advisory: {said}." if said else ""


def describe_subject(seen: Subject) -> str:
    """What a run examined, in one line: the backup, and the backend."""
    return f"backup {seen.backup.name}, {backend_name(seen)}" if seen.backup else backend_name(seen)


def backend_name(seen: Subject) -> str:
    """The image, command or address of the backend; of a run without one, that none was started."""
    address = seen.endpoint_note if seen.driver == "remote" else None
    return seen.backend.image or seen.backend.command or address or "no backend was started"


NOT_SIGNED = (
    "not signed when the record was written; a later sign-off is a file next to bundle.zip, which "
    "drillbook evidence verify names"
)


def seal(run: Run) -> str:
    """Who signed the bundle of this report when it was written; it may be signed later."""
    if run.seal.key_id is None:
        return (
            "not signed when this was written: unless drillbook evidence verify names a key, "
            "anyone could have made or changed the bundle"
        )
    return f"bundle signed by key {run.seal.key_id}; check it with drillbook evidence verify"


def reasons(control: Control) -> list[str]:
    """Why a control has its verdict: what its worst specs said, each sentence once."""
    said = [spec.message for spec in control.specs if spec.verdict is control.verdict]
    return list(dict.fromkeys(message for message in said if message)) or [control.note or ""]


def expectation(control: Control) -> str | None:
    """The title of the step at which a control failed, which says what should have happened."""
    specs = [spec for spec in control.specs if spec.verdict is control.verdict]
    titles = (failing_step(spec) for spec in specs if spec.verdict in ASSERTED)
    return next(filter(None, titles), None)


def observation(control: Control) -> list[str]:
    """What was seen of a control that failed, without pytest's words; else its reasons."""
    if control.verdict not in ASSERTED:
        return reasons(control)
    observed = [sentence(control.observed)] if control.observed else []
    said, groups, known = list[str](), dict[str, list[str]](), {""}
    for text in map(_asserted_words, reasons(control)):
        rest = group = list[str]()
        for item in _ITEMS.split(text):
            alike = _ALIKE.fullmatch(item)
            if alike:
                group = groups.setdefault(alike["place"] or alike["request"], [])
            elif not item.startswith("and "):
                group = rest
            if item not in known:
                group.append(item)
            known.add(item)
        said += ["; ".join(rest)] if rest else []
    said += [_join(same, found) for same, found in groups.items()]
    compared = dict.fromkeys(filter(None, map(_compared, reasons(control))))
    return (
        [*observed, *said]
        or [*compared]
        or ["Something else; the report has what was compared, under “Technical detail”."]
    )


def _join(same: str, found: list[str]) -> str:
    """Findings in one place, or by one request, as a sentence."""
    if len(found) == 1:
        return found[0]
    return f"{same}: {_list(item.replace(same, '').strip(': ') for item in found)}"


def _compared(message: str) -> str:
    """The two values that an assertion without a message compared; empty if it shows none."""
    text = cause(message)
    found = _COMPARED.search(text)
    if not found:
        return ""
    if found["how"] in ("==", "is"):
        left, right = _whole(found["left"], "+", text), _whole(found["right"], "-", text)
        return left.strip("'\"") if right == "''" else f"{left} instead of {right}"
    return f"not {found['left']} {found['how']} {found['right']}"


def _whole(value: str, sign: str, text: str) -> str:
    """A text that pytest shortened, rebuilt from the lines below it that begin with this sign."""
    lines = re.findall(rf"^ *\{sign} (.*)$", text, re.MULTILINE) if "..." in value else []
    return f"'{' '.join(lines)}'" if lines else value


def _asserted_words(message: str) -> str:
    """The message of a failed assertion, else the items that should not be there."""
    text = cause(message)
    own = _EXPLAINED.split(text, maxsplit=1)[0].strip().removeprefix("AssertionError: ")
    if own or not (extra := _EXTRA.search(text)):
        return own
    if extra["items"]:
        return "; ".join(line.strip().strip("'\"") for line in extra["items"].splitlines())
    more = "" if extra["count"] == "one" else f"; and {int(extra['count']) - 1} more"
    return extra["item"].strip("'\"") + more


def find_repeats(controls: Iterable[Control]) -> dict[str, str]:
    """By the id of a control, the earlier control that has the same reasons.

    A cause such as a missing image is then stated once and not once for each control.
    """
    first: dict[tuple[str, ...], str] = {}
    found = {}
    for control in (one for one in controls if one.verdict not in ASSERTED):
        causes = tuple(cause(reason) for reason in reasons(control))
        if any(causes) and first.setdefault(causes, control.id) != control.id:
            found[control.id] = first[causes]
    return found


def cause(reason: str) -> str:
    """A reason without the line of the spec at which it was seen."""
    return _PLACE.sub("", reason)


def findings(run: Run) -> list[Control]:
    """Controls that failed or could not be judged, the gravest first.

    Not run, or contradicted, only if they gate.
    """
    bad = (Verdict.VIOLATED, Verdict.INCONCLUSIVE)
    found = [
        one
        for one in run.controls
        if not one.known_weakness
        and (one.verdict in bad or (one.gating and one.verdict not in HOLDS))
    ]
    return sorted(found, key=lambda c: (c.gating, c.verdict), reverse=True)


class JudgedStatement(NamedTuple):
    """A line of the runbook under test, and the controls that judge it."""

    line: int
    section: str
    text: str
    controls: list[Control]


def statements(run: Run) -> list[JudgedStatement]:
    """The lines of the runbook that the run was asked about, in their order."""
    found: dict[int, JudgedStatement] = {}
    for control in asked_controls(run) if run.identity.runbook else ():
        for said in control.statements:
            new = JudgedStatement(said.line, said.section, said.text, [])
            found.setdefault(said.line, new).controls.append(control)
    return [found[line] for line in sorted(found)]


def says(control: Control) -> str:
    """What the runbook says of this, in its words if the record has them."""
    return " ".join(said.text for said in control.statements) or control.claim


def contradicted_controls(run: Run) -> list[Control]:
    """The controls whose statement the runbook should correct."""
    return [control for control in run.controls if control.verdict is Verdict.CONTRADICTED]


def redaction(run: Run) -> str:
    """How secrets were kept out of the report."""
    done = run.redaction
    found = "none was found"
    if done.leaks:
        found = "what was found has been taken out, and the run failed"
    weak = ""
    if done.secrets_weak:
        weak = (
            f" {done.secrets_weak} of the values are so short or common that they were searched "
            "only where a secret stands."
        )
    return (
        f"{done.secrets_known} secret values were known to this run and replaced by their names, "
        f"written «NAME»; {done.scanned_files} finished files were searched for them in plain "
        f"text, base64, hex, URL, JSON, HTML, UTF-16 and escaped form, the PDF as text: "
        f"{found}.{weak}"
    )


def failing_step(spec: Spec) -> str | None:
    """The title of the first step that did not hold."""
    amiss = [step.title for step in spec.steps if step.verdict is not Verdict.SATISFIED]
    return amiss[0] if amiss else None


def sentence(text: str) -> str:
    """An observation, which has neither capital nor full stop, as a sentence.

    A name of a program or a setting is not a word, and keeps its letters.
    """
    first = text.partition(" ")[0].rstrip(",;:")
    word = first.isalpha() and first.islower() and first not in _PROGRAMS
    begun = text[:1].upper() + text[1:] if word else text
    return begun + ("" if text.endswith((".", "!", "?")) else ".")


def shorten(text: str) -> str:
    """A message short enough for paper."""
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " ... (whole in the record)"


def spec_in_words(spec: str) -> str:
    """suites/keys/test_rotation.py::test_old_keys_open[JWT] reads: old keys open (JWT)."""
    name, _, case = spec.rpartition("::")[2].partition("[")
    words = name.removeprefix("test_").replace("_", " ")
    return f"{words} ({case.removesuffix(']')})" if case else words


def objective_result(measured: float | None, target: float | None, *, restored: bool = True) -> str:
    """Whether an objective was met; not determined without a target, measurement or restore."""
    if measured is None or target is None or (measured <= target and not restored):
        return "not determined"
    return "met" if measured <= target else "missed"


def days(number: int) -> str:
    """1 day, 2 days."""
    return f"{number} day{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Seconds as people say them: 30 ms, 0.4 s, 12 s, 3 min 05 s, 1 h 02 min."""
    if seconds < 0.0995:
        return f"{max(1, round(seconds * 1000))} ms" if seconds else "0 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def _titles(controls: list[Control]) -> str:
    """The first controls by id and title, and how many more there are."""
    named = [f"{control.id} {control.title}" for control in controls]
    more = f"; and {len(named) - 4} more" if named[4:] else ""
    return "; ".join(named[:4]) + more


def _ids(controls: list[Control]) -> str:
    return _list([control.id for control in controls])


def _list(names: Iterable[str]) -> str:
    known = list(names)
    return ", ".join(known[:6]) + (f" and {len(known) - 6} more" if len(known) > 6 else "")
