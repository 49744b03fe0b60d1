"""The table of commands: what each answers, which options it has, and what it calls.

A command imports its code when it runs, so that help and the refusal of a wrong line are quick.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.cli.parser import Command, Given
from drillbook.core import options as o
from drillbook.core.application import IS_CHECKOUT, PACKAGE, ROOT, install_extra
from drillbook.core.display import write_json
from drillbook.core.errors import UNUSABLE, BadInput
from drillbook.core.files import write_file

if TYPE_CHECKING:
    from reports.notify.notice import Announcement


FILES = ("drillbook.toml", "waivers.toml")
_DECLARED = (o.RUN_DIR, o.CONFIG, o.WAIVERS, o.CERTIFIED, o.REASON, o.OPERATOR)
_SIGNED = (o.SIGNING_KEY, o.SIGNING_KEY_ENV, o.TSA)
_RECORD = (*_DECLARED, *_SIGNED, o.SEED)
_SPOKEN = (o.QUIET, o.VERBOSE)
_ANNOUNCED = (o.ON_END, o.PING_FILE, o.RECEIVERS_FILE)
_RUN = (*_RECORD, o.MUTANT, *_ANNOUNCED, *_SPOKEN)
_BACKUP = (o.BACKUP,)
_NEWEST_BACKUP = (o.NEWEST_BACKUP,)
_FILES = (o.COMPOSE, o.ENV_FILE, o.REPO, o.ESCROW, *_NEWEST_BACKUP)


def _announce(given: Given) -> Announcement:
    """What reports how the command ended; it has _ANNOUNCED among its options."""
    from reports.notify.notice import Announcement

    return Announcement(given.command.name, given.values)


def _call_pytest(
    words: Sequence[str], folders: Sequence[str], plugins: Sequence[object] = ()
) -> int:
    """Run pytest in this process on folders of the application; the exit code."""
    # Imported here: it takes a fifth of a second, and most commands do not need it.
    import pytest

    # The caller's own pytest settings could leave specs out, or plant a bug that no record names.
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        os.environ.pop(name, None)
    # The word that pytest prints before the sentence that ends a run.
    pytest.exit.Exception.__name__ = "drillbook"
    place = [f"--config-file={ROOT / 'pyproject.toml'}", f"--rootdir={ROOT}"]
    # Hypothesis' own plugin loads all of Hypothesis when a run ends; no spec needs it.
    quiet = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    # Outside a checkout libraries are not locked, and a warning of a newer one is not a finding.
    quiet += [] if IS_CHECKOUT else ["-W", "default"]
    paths = (str(ROOT / one) for one in folders)
    code = int(pytest.main([*place, *quiet, *words, *paths], [*plugins]))
    return min(code, UNUSABLE)


def _called_as(given: Given) -> str:
    return f"--{o.CALLED_AS.name}={given.line}"


def _run_specs(
    given: Given, folders: Sequence[str], fixed: Sequence[str], plugins: Sequence[object] = ()
) -> int:
    """Run the specs of some folders with the options that the command was given; the exit code."""
    own = given.command.options
    words = given.words(*(option for option in own if option not in _ANNOUNCED))
    return _call_pytest(["--evidence", *fixed, *words, _called_as(given)], folders, plugins)


def _run(given: Given, folders: Sequence[str], fixed: Sequence[str]) -> int:
    """Run specs, and report how they ended."""
    # Other commands have a control that judges the file.
    if o.KEY_FILE in given.command.options:
        from drillbook.keys.key_files import warn_of_permissions

        warn_of_permissions(given.command.name, given[o.KEY_FILE])
    announcement = _announce(given)
    return announcement.watch(lambda: _run_specs(given, folders, fixed, [announcement]))


def _verify(given: Given) -> int:
    return _run(given, ["suites"], ["--own-question"] if given[o.CONTROLS] else [])


# The specs that try an operator's procedures in place of the documented ones.
_OF_RUNBOOKS = (
    "suites/database/test_password.py::test_documented_procedure_leaves_the_service_healthy",
    "suites/database/test_password.py::test_redeploying_leaves_the_service_healthy",
    "suites/backup/test_restore.py::test_documented_restore_over_a_live_database",
    "suites/backup/test_restore.py::test_documented_restore_after_a_first_start",
    "suites/backup/test_soundness.py::test_documented_backup_is_usable",
    "suites/backup/test_soundness.py::test_failed_backup_is_noticed",
    "suites/wipe/test_wipe.py",
    "suites/keys/test_rotation.py",
    "suites/keys/test_wrong_key.py::test_old_keys_bring_everything_back",
    "suites/keys/test_generation.py",
    "suites/health/test_status.py::test_mail_and_cache_flags_follow_the_configuration",
    "suites/health/test_status.py::test_sign_up_flag_follows_the_setting",
    "suites/deployment/test_compose_file.py::test_documented_patterns_find_the_containers",
    "suites/document",
)


def _runs(specs: Sequence[str], *fixed: str) -> Callable[[Given], int]:
    """A function that runs specs, of folders or by name: their controls alone decide."""

    def call(given: Given) -> int:
        arguments = given.words(*given.command.arguments)
        return _run(given, specs, ["--one-question", *fixed, *arguments])

    return call


def _rehearse(given: Given) -> int:
    parts = ["database_move"] if given[o.TO_DATABASE] else ["upgrade", "way_back", "bad_starts"]
    specs = [f"suites/change/test_{name}.py" for name in parts]
    return _run(given, specs, ["--one-question", "--rehearse", *given.words(o.BACKUP)])


def _calls(module: str, function: str = "main", *options: o.Option) -> Callable[[Given], int]:
    """A function that calls one of a module, with these options or with all that was given."""

    def call(given: Given) -> int:
        _name_latest(given)
        values = [given[option] for option in options] or [given.named]
        return int(getattr(import_module(module), function)(*values))

    return call


def _name_latest(given: Given) -> None:
    """Print which run a command acts on, where a path goes through `latest`."""
    paths: list[str] = [
        given.values.get(option.key) or "" for option in (o.BUNDLE, o.RUN, o.RECORD)
    ]
    if any("latest" in Path(path).parts for path in paths):
        from reports.history.runs import describe_latest

        said = filter(None, map(describe_latest, paths))
        sys.stderr.writelines(f"{sentence}\n" for sentence in said)


def _check_backup(given: Given) -> int:
    from drillbook.cli.offline_checks import check_backup

    return _announce(given).watch(lambda: check_backup(given.named))


def _status(given: Given) -> int:
    from reports.history import status
    from reports.notify.metrics import write_metrics

    report = partial(write_metrics, Path(given[o.METRICS])) if given[o.METRICS] else None
    return _announce(given).watch(lambda: status.main(given.named, report))


def _fleet(name: str) -> Callable[[Given], int]:
    def call(given: Given) -> int:
        from drillbook.cli import fleet

        try:
            return int(getattr(fleet, name)(given))
        except ModuleNotFoundError as missing:
            raise BadInput(f"{missing.name} is not installed; {install_extra('fleet')}") from None

    return call


def _schedule(given: Given) -> int:
    from drillbook.cli.schedule import check_line, schedule

    words = given[o.LINE]
    name = check_line(COMMANDS, words)
    image, out = given[o.COMMAND_IMAGE], given[o.UNIT_FOLDER]
    return schedule(given[o.SCHEDULER], name, words, given[o.EVERY], image, out)


def _images(given: Given) -> int:
    site = sysconfig.get_path("purelib")
    build = [str(ROOT / "compose" / "offline" / "build.sh"), str(PACKAGE), site]
    # With --output json, standard output has the answer alone.
    progress = sys.stderr if given[o.OUTPUT] == "json" else None
    # 1 would say that what was checked is wrong.
    code = UNUSABLE if subprocess.run(build, stdout=progress, check=False).returncode else 0
    if progress and not code:
        from drillbook.stack.base import SERVICES
        from drillbook.stack.containers.compose import offline_image

        write_json("images", images=[offline_image(service) for service in SERVICES])
    return code


def template(name: str) -> str:
    """The documented file with each setting as a comment: an example must not become evidence."""
    path = Path(name)
    text = (ROOT / "docs" / f"{path.stem}.example{path.suffix}").read_text(encoding="utf-8")
    return re.sub(r"^(?=[^#\n])", "# ", text.rstrip("\n"), flags=re.MULTILINE) + "\n"


def _init(_given: Given) -> int:
    """Write drillbook.toml and waivers.toml with nothing set."""
    for name in FILES:
        path = Path(name)
        if path.exists() or path.is_symlink():
            sys.stdout.write(f"{name} is there and stays as it is\n")
        else:
            write_file(path, template(name).encode())
            sys.stdout.write(f"{name} written; what you do not set stays empty in the record\n")
    return 0


def _completion(given: Given) -> int:
    from drillbook.cli.parser import completion

    sys.stdout.write(completion(COMMANDS, given[o.SHELL]))
    return 0


def _in_checkout(run: Callable[[Given], int]) -> Callable[[Given], int]:
    """A command for developers of Drillbook, which runs in the checkout."""

    def call_there(given: Given) -> int:
        os.chdir(ROOT)
        return run(given)

    return call_there


COMMANDS: Sequence[Command] = (
    Command(
        "verify",
        "Check every statement of the runbook on a new stack.",
        "drillbook verify --stack embedded --control 'KEY-*'",
        _verify,
        options=(
            *(o.STACK, o.IMAGE, o.COMPOSE, o.WORKERS, o.OFFER, o.CONTROLS, o.BUDGET),
            *(o.STRICT, o.ENV_FILE, o.REPO, o.ESCROW, *_NEWEST_BACKUP, *_RUN),
        ),
    ),
    Command(
        "drill",
        "Restore your backup into an isolated stack, and time it.",
        "drillbook drill backup.sql.gz --env-file keys.env --image infisical/infisical:v0.154.6 "
        "--rto 4h --rpo 24h",
        _runs(("suites/drill",), "--drill"),
        arguments=(o.BACKUP,),
        options=(
            *(o.KEY_FILE, o.CREDENTIAL, o.RTO, o.RPO, o.DROP),
            *(o.STATEMENT_LIMIT, o.STACK, o.IMAGE, o.COMPOSE, o.TO_DATABASE, o.CONTROLS),
            *(o.INSTANCE, *_RUN),
        ),
        needs=(o.KEY_FILE,),
    ),
    Command(
        "rehearse",
        "Try another release or PostgreSQL on a backup's copy.",
        "drillbook rehearse backup.sql.gz --env-file keys.env --from image:now --to image:next",
        _rehearse,
        arguments=(o.BACKUP,),
        options=(
            *(o.KEY_FILE, o.OLDER, o.NEWER, o.OUTAGE, o.STATEMENT_LIMIT, o.VERIFY_FROM),
            *(o.VERIFY_TO, o.FROM_DATABASE, o.TO_DATABASE, o.CREDENTIAL),
            *(o.STACK, o.COMPOSE, o.CONTROLS, *_RUN),
        ),
        needs=(o.KEY_FILE, o.OLDER, o.NEWER),
        spared={o.OLDER: o.TO_DATABASE, o.NEWER: o.TO_DATABASE},
    ),
    Command(
        "live",
        "Check a running instance without changing it.",
        "drillbook live https://secrets.example.com --credential token.env --docker",
        _runs(("suites/live",), "--stack=remote"),
        arguments=(o.URL,),
        options=(
            *(o.CREDENTIAL, o.ENV_FILE, o.BACKUPS, o.DOCKER, o.PROJECT),
            *(o.CA, o.PLAIN_URL, o.CONTROLS, o.STRICT, *_RUN),
        ),
    ),
    Command(
        "preflight",
        "Check configuration, keys and backups as files.",
        "drillbook preflight --compose docker-compose.yml --env-file .env --repo .",
        _calls("drillbook.preflight.file_checks", "check_files"),
        options=(*_FILES, *_SPOKEN, o.FINDINGS),
    ),
    Command(
        "lifecycle",
        "Try random operator actions, and look for lost data.",
        "drillbook lifecycle --budget 4x12 --stack embedded",
        _runs(("suites/lifecycle",)),
        options=(o.BUDGET, o.STACK, o.IMAGE, o.COMPOSE, o.WORKERS, o.OFFER, *_RUN),
        defaults={o.BUDGET: "100x12"},
    ),
    Command(
        "key check",
        "Check offline whether a key opens a backup.",
        "drillbook key check backup.sql.gz --env-file .env",
        _calls("drillbook.cli.offline_checks", "check_key"),
        arguments=(o.PIPED_BACKUP,),
        options=(o.KEY_FILES, o.OUTPUT),
        needs=(o.KEY_FILES,),
    ),
    Command(
        "backup check",
        "Is the newest backup good? One line, made for cron.",
        "drillbook backup check backup.sql.gz --env-file keys.env --max-age 26h",
        _check_backup,
        arguments=(o.PIPED_BACKUP,),
        options=(
            *(o.KEY_FILES, o.MAX_AGE, o.DROP, o.KEEP_AT_LEAST, o.OUTPUT),
            *_ANNOUNCED,
        ),
        needs=(o.KEY_FILES,),
    ),
    Command(
        "key recover",
        "Get the secrets out of a backup without a server.",
        "drillbook key recover backup.sql.gz --env-file .env --out secrets.json.age "
        "--passphrase-file phrase.txt",
        _calls("drillbook.cli.recover"),
        arguments=(o.PIPED_BACKUP,),
        options=(
            *(o.KEY_FILES, o.SECRETS_FILE, o.RECIPIENT, o.PASSPHRASE_FILE, o.PLAINTEXT),
            o.ONLY,
        ),
        needs=(o.KEY_FILES, o.SECRETS_FILE),
    ),
    Command(
        "env diff",
        "Show what changed settings do to an instance.",
        "drillbook env diff keys.env new.env",
        _calls(
            "drillbook.infisical.settings",
            "print_changes",
            o.OLD_ENV,
            o.CHANGED_ENV,
            o.OUTPUT,
        ),
        arguments=(o.OLD_ENV, o.CHANGED_ENV),
        options=(o.OUTPUT,),
    ),
    Command(
        "diagnose",
        "Read a backend's log: why it fails, and what to do.",
        "drillbook diagnose backend.log",
        _calls("drillbook.runbook.diagnosis", "print_diagnosis", o.LOG, o.OUTPUT),
        arguments=(o.LOG,),
        options=(o.OUTPUT,),
    ),
    Command(
        "runbook lint",
        "Find known mistakes in your own runbook.",
        "drillbook runbook lint runbook.md",
        _calls("drillbook.runbook.lint", "lint", o.DOCUMENTS, o.FINDINGS),
        arguments=(o.DOCUMENTS,),
        options=(o.FINDINGS,),
    ),
    Command(
        "runbook mark",
        "Propose marks for your own runbook; exit code 1 if it does.",
        "drillbook runbook mark runbook.md",
        _calls("drillbook.runbook.mark_proposals", "mark", o.DOCUMENT, o.WRITE_MARKS),
        arguments=(o.DOCUMENT,),
        options=(o.WRITE_MARKS,),
    ),
    Command(
        "runbook run",
        "Carry out your own runbook on a separate stack.",
        "drillbook runbook run runbook.md",
        _runs(_OF_RUNBOOKS, "--stack=containers", "--workers=1"),
        arguments=(o.DOCUMENT,),
        options=(o.IMAGE, o.COMPOSE, o.CONTROLS, o.STRICT, *_RUN),
    ),
    Command(
        "evidence verify",
        "Check that a bundle is unchanged, and who signed it.",
        "drillbook evidence verify bundle.zip --pubkey drill.key.pub",
        _calls("reports.seal.verification"),
        arguments=(o.BUNDLE,),
        options=(o.PUBKEY, o.PREVIOUS, o.TSA_CERT, o.UNSIGNED, o.OUTPUT),
    ),
    Command(
        "evidence sign-key",
        "Create an Ed25519 key to sign bundles with.",
        "drillbook evidence sign-key drill.key",
        _calls("reports.seal.sealer", "sign_key"),
        arguments=(o.KEY_NAME,),
    ),
    Command(
        "evidence seal",
        "Sign a run that has ended.",
        "drillbook evidence seal reports/runs/latest --signing-key drill.key",
        _calls("reports.seal.sealer", "seal"),
        arguments=(o.RUN,),
        options=_SIGNED,
    ),
    Command(
        "evidence timestamp",
        "Have an authority time-stamp a bundle (RFC 3161).",
        "drillbook evidence timestamp bundle.zip --tsa https://tsa.example.com",
        _calls("reports.seal.sealer", "stamp"),
        arguments=(o.BUNDLE,),
        options=(o.TSA, o.TSR),
    ),
    Command(
        "evidence sign-off",
        "Sign off a bundle as prepared, reviewed or approved.",
        "drillbook evidence sign-off bundle.zip --act approved --name 'Grace Hopper'",
        _calls("reports.seal.sealer", "sign_off"),
        arguments=(o.BUNDLE,),
        options=(
            *(o.ACT, o.NAME, o.ROLE, o.REMARK, o.SIGNING_KEY, o.SIGNING_KEY_ENV),
            *(o.PUBKEY, o.ANYWAY),
        ),
        needs=(o.ACT, o.NAME),
    ),
    Command(
        "evidence render",
        "Rebuild the documents of a run from its record.",
        "drillbook evidence render bundle.zip --out documents",
        _calls("reports.session.bundle"),
        arguments=(o.RECORD,),
        options=(o.RENDERED,),
    ),
    Command(
        "evidence export",
        "Convert a bundle to another tool's format.",
        "drillbook evidence export bundle.zip --format oscal --out exported",
        _calls("reports.export.formats"),
        arguments=(o.BUNDLE,),
        options=(o.TAKER, o.EXPORTED),
        needs=(o.TAKER,),
    ),
    Command(
        "history",
        "Show verdicts, recovery times and corrections over time.",
        "drillbook history",
        _calls("reports.history.overview"),
        options=(o.RUN_DIR, o.OUTPUT),
    ),
    Command(
        "history report",
        "Report a period as PDF and CSV, with each gap in it.",
        "drillbook history report --from 2026-01-01 --to 2026-12-31 --out period",
        _calls("reports.history.period_report"),
        options=(
            *(o.SINCE, o.UNTIL, o.OUT_FOLDER, o.OF_FLEET, o.RUN_DIR, o.CONFIG, o.PUBKEY, o.OUTPUT),
        ),
        needs=(o.SINCE, o.UNTIL, o.OUT_FOLDER),
    ),
    Command(
        "status",
        "Show what was last drilled and tried out, and what is due.",
        "drillbook status --pubkey drill.key.pub",
        _status,
        options=(o.RUN_DIR, o.CONFIG, o.PUBKEY, o.METRICS, *_ANNOUNCED, o.OUTPUT),
    ),
    Command(
        "fleet enqueue",
        "Add a drill of each instance that is due to the queue.",
        "drillbook fleet enqueue --queue queue.txt --pubkey drill.key.pub",
        _fleet("enqueue"),
        options=(o.QUEUE, o.INSTANCES, o.FLEET, o.RUN_DIR, o.PUBKEY, o.OUTPUT),
        needs=(o.QUEUE,),
    ),
    Command(
        "fleet work",
        "Carry out the drills of one label from the queue.",
        "drillbook fleet work --queue queue.txt --label eu --sign drill.key",
        _fleet("work"),
        options=(
            *(o.QUEUE, o.LABEL, o.FLEET, o.UNTIL_EMPTY, o.RUN_DIR, o.SIGNING_KEY),
            *(o.SIGNING_KEY_ENV, o.QUIET, o.VERBOSE),
        ),
        needs=(o.QUEUE, o.LABEL),
    ),
    Command(
        "fleet report",
        "Say of each instance what was last proven, and what is due.",
        "drillbook fleet report runs --pubkey drill.key.pub",
        _fleet("report"),
        arguments=(o.COLLECTED,),
        options=(o.FLEET, o.PUBKEY, o.OUTPUT),
        needs=(o.PUBKEY,),
    ),
    Command(
        "schedule",
        "Print a schedule: systemd, cron, Kubernetes, Coolify.",
        "drillbook schedule systemd --every quarterly -- drill backups --env-file keys.env "
        "--image infisical/infisical:v0.154.6",
        _schedule,
        arguments=(o.SCHEDULER, o.LINE),
        options=(o.EVERY, o.COMMAND_IMAGE, o.UNIT_FOLDER),
    ),
    Command(
        "catalogue",
        "List every control and the statement it checks.",
        "drillbook catalogue --output json",
        _calls("reports.render.catalogue"),
        options=(o.LISTING,),
    ),
    Command(
        "doctor",
        "Check what this machine can run, and what is missing.",
        "drillbook doctor --stack embedded",
        _calls("drillbook.cli.doctor"),
        options=(o.STACK, o.RUN_DIR, o.OUTPUT),
    ),
    Command(
        "init",
        "Write drillbook.toml and waivers.toml to fill in.",
        "drillbook init",
        _init,
    ),
    Command(
        "completion",
        "Print the completion script for your shell.",
        "drillbook completion bash",
        _completion,
        arguments=(o.SHELL,),
    ),
    Command(
        "images",
        "Build the images from Debian packages (as root).",
        "drillbook images",
        _images,
        options=(o.OUTPUT,),
    ),
    Command(
        "sweep",
        "Remove what killed runs left behind.",
        "drillbook sweep",
        _calls("drillbook.stack.sweep", "main", o.OUTPUT),
        options=(o.OUTPUT,),
    ),
    Command(
        "qualify",
        "Plant every known bug, and see that the suite finds it.",
        "drillbook qualify --mutants KEY-3 --healthy 0 --stack embedded",
        _in_checkout(_calls("reports.qualification.command")),
        options=(
            *(o.STACK, o.QUALIFIED_IMAGE, o.MUTANTS, o.PART, o.HEALTHY, o.WORKERS),
            *(o.GENERATED, o.FIXED_SEED),
            o.KEEP,
        ),
    ),
)
