"""A log alone names the cause of a failure, in the words of every version, and no other."""

import io
import json
import re
import subprocess
import sys
from collections import deque

import pytest

from drillbook.core.application import ROOT
from drillbook.core.errors import BadInput
from drillbook.runbook import diagnosis
from drillbook.runbook.diagnosis import ALL, diagnose
from tests.support.boot_logs import (
    COMPLAINT,
    ENVIRONMENT,
    HEALTHY,
    HEAP,
    KEY,
    KNOWN,
    LATE,
    LOST,
    MIGRATION,
    PASSWORD,
    REFUSED,
    asked,
    died,
    entry,
)

ELSEWHERE = "getaddrinfo ENOTFOUND mydb.internal"
RUNBOOK_HEADINGS = {
    "Recovery Options If Keys Are Rotated",
    "Key Security Best Practices",
    "How to Safely Rotate Database Password",
    "Restore Database",
    "Deploy via Coolify",
    "Issue: Backend won't start / keeps restarting",
    "Issue: \"password authentication failed for user 'infisical'\"",
}


@pytest.mark.parametrize(("name", "log"), KNOWN)
def test_cause_is_named_among_noise(name, log):
    found = diagnose(["", "(node:1) NOTE: noise", *log, "    at here (file:1:1)"])
    assert found
    assert found.cause.name == name


def test_every_cause_is_known_by_a_log():
    assert {name for name, _log in KNOWN} == {cause.name for cause in ALL}


def test_cures_cite_a_section_of_the_runbook():
    assert {cause.section.partition(" (")[0] for cause in ALL} <= RUNBOOK_HEADINGS


@pytest.mark.parametrize(
    "log",
    [
        [],
        HEALTHY,
        [COMPLAINT],
        [died("Something went wrong")],
        [died("Invalid credentials", reqId="req-1")],
        [died(KEY, reqId="req-1")],
        ["the talk: Unsupported state or unable to authenticate data"],
        ["[" * 100_000],
        ["{" + '"a":{' * 50_000],
        ["\ufffd\x1b[31m{}"],
        ["backend-1 | Welcome back!", "backup-1 exited with code 137"],
        ["infisical-db-1 exited with code 137"],
        ["backup-1  | Killed"],
        ["[12.3] Out of memory: Killed process 4711 (postgres) total-vm:1kB"],
        *([died(f"connect ECONNREFUSED 10.0.0.4:{port}")] for port in (80, 443, 25, 587, 389)),
        [died(ELSEWHERE, reqId="req-1")],
        [died(ELSEWHERE, reqId="req-1"), died(ELSEWHERE, reqId="req-1")],
        [
            died(ELSEWHERE, reqId="req-1"),
            *asked("/api/v3/secrets/raw", 200),
            died(ELSEWHERE, reqId="req-2"),
        ],
        [died("connect ECONNREFUSED 10.0.0.4:8080", reqId="req-1")],
    ],
)
def test_noise_has_no_cause(log):
    assert diagnose(log) is None


def test_variables_are_named_and_their_values_are_not():
    log = [ENVIRONMENT, '"input": "postgres://infisical:hunter2@db/x"', "path: [ 'SITE_URL' ],"]
    shown = str(diagnose([*log, "message: 'Either REDIS_URL, REDIS_SENTINEL_HOSTS or'"]))
    assert "SITE_URL, REDIS_URL" in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("log", "number", "shown"),
    [
        (["noise", died(KEY)], 2, KEY),
        ([*[LOST] * 3], 3, "nosuchredis"),
        ([*[LOST] * 3, died(LATE)], 4, "nosuchredis"),
        (
            [died("getaddrinfo ENOTFOUND nosuchdb", MIGRATION)],
            1,
            "known in the backend's network: nosuchdb",
        ),
        ([died(REFUSED)], 1, "10.0.0.2:5432"),
        ([died('database "vault" does not exist')], 1, "of this name: vault"),
        ([HEAP], 1, "JavaScript heap out of memory"),
        ([ENVIRONMENT, "path: [ 'SITE_URL' ],"], 1, "SITE_URL"),
    ],
)
def test_line_that_decided_is_shown_with_the_host_it_names(log, number, shown):
    found = diagnose(log)
    assert found.number == number
    assert found.words
    assert shown in " ".join(str(found).split())


SECRET = "hunter2/with#signs and@more"


@pytest.mark.parametrize(
    "message",
    [
        f"Invalid URL: postgres://infisical:{SECRET}@db:5432/x",
        f"Invalid URL infisical:{SECRET.partition(' ')[0]}@db",
        "Invalid URL password=hunter2",
        "Invalid URL password='correct hunter2'",
        "Invalid URL redis-cli -a hunter2",
        "Invalid URL 'ENCRYPTION_KEY': hunter2",
        "Invalid URL hunter2hunter2hunter2hunter2",
    ],
)
def test_line_is_shown_without_what_may_be_a_secret(message):
    shown = str(diagnose([died(message)]))
    assert "Invalid URL" in shown
    assert "hunter2" not in shown


def test_line_is_shown_without_what_a_terminal_obeys():
    shown = str(diagnose([died("Invalid URL \x1b[2J\x9b31m\u202e\r" + "x" * 999)]))
    assert all(one.isprintable() or one == "\n" for one in shown)
    assert max(map(len, shown.splitlines())) < 250


def test_an_answer_fits_a_terminal_of_80_columns():
    lines = str(diagnose([died(KEY)])).splitlines()
    assert [one.partition(":")[0] for one in lines if not one.startswith(" ")] == [
        *("Cause", "Log", "Do", "Runbook"),
    ]
    assert max(map(len, lines)) < 80


@pytest.mark.parametrize("cause", ALL, ids=lambda one: one.name)
def test_a_command_is_not_broken_into_lines(cause):
    shown = str(diagnosis.Diagnosis(cause))
    assert all(command in shown for command in re.findall("`[^`]*`", cause.cure))


def test_wrong_key_leads_to_the_proof_before_anything_is_wiped():
    cure = diagnose([died(KEY)]).cause.cure
    assert cure.index("drillbook key check") < cure.index("wipe")
    # Coolify keeps a service from its templates and an application from Git in two places.
    coolify = [f"/data/coolify/{kind}/" for kind in ("services", "applications")]
    for place in ("escrow", "docker inspect", *coolify, "Git"):
        assert place in cure


def test_label_of_the_key_that_the_database_needs_is_shown():
    # Releases of autumn 2026: the newest backup may be from before a rotation.
    refused = (
        f"The configured encryption key (label {'0a' * 16}) does not decrypt this database's root "
        f"key. This database was last written with encryption key label(s): {'1b' * 16}, "
        f"{'2c' * 16}. Set the matching key and restart."
    )
    found = diagnose([died(refused)])
    assert f"label(s): {'1b' * 16}, {'2c' * 16}." in found.words
    cure = found.cause.cure
    assert cure.index("names the label") < cure.index("the backend uses another database")
    # A value that only looks like a label may be a key.
    for hidden in (f"(s): {'1b' * 16}", f"{'2c' * 16}, {'1b' * 16}"):
        assert "1b1b" not in diagnose([died(f"Invalid URL {hidden}")]).words


@pytest.mark.parametrize("name", ["encryption_key_length", "encryption_key_missing"])
def test_only_a_new_instance_gets_a_new_key(name):
    (cure,) = (one.cure.lower() for one in ALL if one.name == name)
    places = [cure.index(words) for words in ("if there is data", "only if", "openssl")]
    assert places == sorted(places)


def test_a_key_of_the_wrong_length_may_have_quotes():
    # key check reads them away, and then says of the key that is set now that it opens the backup.
    assert "without quotes" in diagnose([died("Invalid key length")]).cause.cure


@pytest.mark.parametrize(
    "name", ["wrong_encryption_key", "encryption_key_length", "encryption_key_missing"]
)
def test_cure_says_in_which_variable_the_key_belongs(name):
    (cure,) = (one.cure for one in ALL if one.name == name)
    assert "SERVICE_PASSWORD_ENCRYPTIONKEY" in cure


def test_password_is_changed_by_a_command_that_does_not_show_it():
    cure = diagnose([died(PASSWORD, MIGRATION)]).cause.cure
    assert cure.index("check that the database's volume") < cure.index("change the password")
    # Without a name, it would be the password of POSTGRES_USER; without quotes, of a name in small
    # letters. For a role that does not exist, PostgreSQL reports a wrong password, too.
    assert """-U <POSTGRES_USER> -d <POSTGRES_DB> -c '\\password "<user in the log>"'`""" in cure
    assert cure.index("the role does not exist") < cure.index("redeploy")


def test_lock_of_migrations_may_be_that_of_a_start_that_migrates_now():
    # Of two backends that start at once, releases of 2025 end the second with these words.
    found = diagnose([died("Migration table is already locked", MIGRATION, "LockError")])
    assert "one that migrates at this moment" in found.cause.sentence
    cure = found.cause.cure
    assert cure.index("wait until it serves") < cure.index("stop every backend")


def test_tables_without_rows_are_no_reason_to_migrate():
    # A restore that was cut leaves tables, and no user in them.
    cure = diagnose([died('relation "super_admin" does not exist')]).cause.cure
    assert "SELECT count(*) FROM users" in cure
    assert cure.index("counts 0") < cure.index("do not migrate") < cure.index("a restore was cut")


def test_owner_is_changed_by_one_statement():
    # There are some 200 tables, and functions and types besides, which migrations change as well.
    cure = diagnose([died("must be owner of table users", MIGRATION)]).cause.cure
    assert 'REASSIGN OWNED BY "<owner>" TO "<backend\'s role>"' in cure
    assert cure.index("REASSIGN") < cure.index("ALTER TABLE")


@pytest.mark.parametrize("refused", [REFUSED, "getaddrinfo ENOTFOUND db"])
def test_database_that_does_not_stay_up_keeps_its_volume(refused):
    # A full disk, or another release of PostgreSQL than that of its files.
    cure = diagnose([died(refused, MIGRATION)]).cause.cure
    assert cure.index("docker logs <db-container>") < cure.index("remove no volume")


def test_tls_wants_a_certificate_that_the_backend_trusts():
    # By the source of node-postgres, sslmode=require checks the certificate; and by the backend's,
    # without sslmode, DB_ROOT_CERT alone asks for TLS and is what the certificate is checked with.
    refused = 'no pg_hba.conf entry for host "10.0.1.5", user "infisical", no encryption'
    cure = diagnose([died(refused, MIGRATION)]).cause.cure
    assert cure.index("must trust its certificate") < cure.index("sslmode=require")
    assert cure.index("set DB_ROOT_CERT") < cure.index("redeploy")
    untaken = diagnose([died("The server does not support SSL connections", MIGRATION)]).cause.cure
    assert "DB_ROOT_CERT out of the environment" in untaken


def test_unknown_host_of_the_cache_leads_to_its_variable():
    found = diagnose([LOST] * 3)
    assert found.cause.cure.index("REDIS_URL") < found.cause.cure.index("start the Redis container")


@pytest.mark.parametrize("cause", ALL, ids=lambda one: one.name)
def test_no_cure_makes_a_key_or_wipes_before_a_proof(cause):
    harm = re.search("make one|openssl|wipe|UPDATE|restore the", cause.cure)
    if harm:
        before = cause.cure[: harm.start()]
        assert re.search(
            "key check|back the database up|only if|where there was|newer image",
            before,
            re.IGNORECASE,
        )


@pytest.mark.parametrize(
    "cause", [one for one in ALL if "restore" in one.cure], ids=lambda one: one.name
)
def test_restore_begins_with_a_stopped_backend_and_a_dump(cause):
    steps = ("stop the backend", "dump", "FLUSHALL", "an empty", "key check has proved", "start")
    cure = cause.cure[cause.cure.index(steps[0]) :]
    places = [cure.index(step) for step in steps]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "cause", [one for one in ALL if "Coolify" in one.cure], ids=lambda one: one.name
)
def test_cure_in_coolify_fits_compose_as_well(cause):
    assert "Coolify" not in cause.cure.replace("Coolify (or in .env)", "")


@pytest.mark.parametrize(
    ("log", "name"),
    [
        ([died(ELSEWHERE, reqId=f"req-{n}") for n in (1, 2)], "database_host_unknown"),
        ([LOST, died("getaddrinfo ENOTFOUND nosuchredis", reqId="req-1")], "cache_host_unknown"),
        (["infisical-backend exited with code 137"], "killed"),
        (["infisical-db-migration | Error: " + PASSWORD], "database_password"),
        ([died(KEY), died(PASSWORD)], "database_password"),
        ([died(PASSWORD), *HEALTHY], None),
        ([died(KEY), died("Something went wrong")], None),
        ([died(KEY), *asked("/api/v3/secrets/raw", 200)], None),
        ([died(REFUSED, reqId="req-2"), *asked("/api/v3/secrets/raw", 200)], None),
        ([*[COMPLAINT] * 9, *asked("/api/status", 200)], None),
        ([*[COMPLAINT] * 9, "Redis successfully connected"], None),
        ([*HEALTHY, died(KEY)], "wrong_encryption_key"),
        ([HEAP, *HEALTHY], None),
    ],
)
def test_latest_failure_decides(log, name):
    found = diagnose(log)
    assert (found.cause.name if found else None) == name


@pytest.mark.parametrize(
    "wrap",
    [
        lambda line: f"backend-1  | {line}",
        lambda line: f"2026-01-02T03:04:05.678Z {line}",
        lambda line: json.dumps({"log": line + "\n", "stream": "stdout", "time": "then"}),
    ],
)
def test_lines_may_come_from_docker_or_compose(wrap):
    assert diagnose([wrap(died(KEY))]).cause.name == "wrong_encryption_key"


def run(*arguments, given=b""):
    command = [sys.executable, "-m", "drillbook.cli", "diagnose", *arguments]
    done = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize(
    "line",
    [
        json.dumps({"level": 60, "time": 1, "msg": KEY}),
        json.dumps({"level": "fatal", "err": {"type": "Error", "message": KEY}, "msg": KEY}),
        json.dumps({"level": 40, "msg": KEY}),
        entry(30, KEY),
        KEY,
        f"backend-1  | {KEY}",
        f"[07:16:18.123] FATAL (1): {KEY}",
        f"[2026-11-30 07:16:18.123 +0000] ERROR: {KEY}",
        f'"message": "{KEY}",',
    ],
)
def test_a_failure_is_known_by_its_words_at_any_level_and_in_any_form(line):
    code, said, _ = run("-", given=line.encode())
    assert (code, "wrong_encryption_key" in said) == (0, True)
    assert run("-", given=f"{line}\nWelcome back!\n".encode())[0] == 2


@pytest.mark.parametrize("given", [b"", b"\n \n"])
def test_an_empty_log_is_said_to_be_empty(given):
    code, said, complaint = run("-", given=given)
    assert (code, said) == (3, "")
    assert "standard input is empty; give the backend's log" in complaint


def test_command_names_a_cause_and_cites_the_runbook(tmp_path):
    log = tmp_path / "backend.log"
    log.write_text(died(KEY) + "\n")
    code, said, _ = run(str(log))
    assert code == 0
    assert "wrong_encryption_key" in said
    assert '"Recovery Options If Keys Are Rotated"' in said


@pytest.mark.parametrize(
    "form",
    [
        "\x1b[36mbackend-1  | \x1b[0m{}",
        "2026-11-30T22:00:00.123456789Z stdout F {}",
        "2026-11-30T22:00:00.123456789+01:00 stderr F {}",
        "2026-11-30T22:00:00.123456789+01:00 {}",
    ],
)
def test_a_line_is_read_behind_its_colours_and_time(form):
    assert diagnose([form.format(died(KEY))]).cause.name == "wrong_encryption_key"


def test_command_says_unknown_rather_than_guess():
    code, said, _ = run("-", given="\n".join(HEALTHY).encode())
    assert code == 2
    assert "unknown" in said
    assert "no line of it is" not in said


def test_a_log_of_another_container_is_said_to_be_one():
    of_database = '2026-11-30 07:16:18.123 UTC [66] FATAL:  password authentication failed for "x"'
    code, said, _ = run("-", given=of_database.encode())
    assert code == 2
    assert "no line of it is JSON with a level" in " ".join(said.split())


FIRST = ["Welcome to Infisical", "", "Create your Infisical administrator account at:"]


@pytest.mark.parametrize(
    ("log", "is_empty"),
    [
        ([*HEALTHY, *FIRST], True),
        ([f"backend-1  | {line}" for line in FIRST], True),
        ([*FIRST, *HEALTHY], False),
        ([*FIRST, died(KEY)], False),
    ],
)
def test_a_start_without_users_is_said_to_be_one(log, is_empty):
    # As after a renamed project, whose volume is a new one, or a restore that was cut.
    code, said, _ = run("-", given="\n".join(log).encode())
    assert ("stop the backend now" in said) == is_empty
    assert code == (0 if "wrong_encryption_key" in said else 2)
    assert max(map(len, said.splitlines())) < 80


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        (["/nowhere/backend.log"], b""),
        (["."], b""),
        ([""], b""),
        ([], b""),
        (["-"], b"PK\0\0"),
        (["-"], b""),
    ],
)
def test_bad_input_is_one_sentence(arguments, given):
    code, said, complaint = run(*arguments, given=given)
    assert (code, said) == (3, "")
    assert complaint.count("\n") == 1


def test_line_without_end_does_not_fill_memory(tmp_path):
    log = tmp_path / "backend.log"
    with log.open("wb") as file:
        file.write(died(KEY).encode() + b"\n")
        for _ in range(40):
            file.write(b"x" * (1 << 20))
    limited = (
        "import resource, sys; from drillbook.runbook.diagnosis import print_diagnosis;"
        "resource.setrlimit(resource.RLIMIT_DATA, (1 << 26, 1 << 26));"
        f"sys.exit(print_diagnosis({str(log)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", limited], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("word", ["pass", "a:", "://", "0123456789/"])
def test_a_line_of_megabytes_is_read_at_once(word):
    """The patterns for secrets take time by the square of what they search."""
    assert len(diagnosis.summary_line(word * 1_000_000)) <= diagnosis._LONGEST_SHOWN + 1


def test_credentials_that_a_long_line_cuts_are_not_shown():
    line = "connecting to postgresql://infisical:hunter2 " + "x" * 5000 + "@db"
    assert diagnosis.summary_line(line) == "connecting to postgresql***@"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("'hunter two'", "'***'"),
        ("'it''s hunter' VALID", "'***' VALID"),
        (r"E'it\'s hunter'", "E'***'"),
        ("'hunter and no e", "'***"),
        ("'hunter\\", "'***"),
        ("'Tr0ub:4dor@horse battery'", "'***'"),
    ],
)
def test_a_password_in_a_statement_is_not_shown(written, shown):
    line = "STATEMENT:  ALTER USER infisical PASSWORD "
    assert diagnosis.summary_line(line + written) == line + shown


class Endless(io.RawIOBase):
    """What `yes` prints."""

    def readline(self, _most):
        return b"y\n"


def test_a_log_that_is_no_text_is_refused_with_what_to_do():
    """As PowerShell's > writes it."""
    with pytest.raises(BadInput, match="let `docker logs` write it, as UTF-8"):
        list(diagnosis._lines(io.BytesIO("Error: x\n".encode("utf-16"))))


def test_a_log_of_short_lines_without_end_is_refused():
    with pytest.raises(BadInput, match=r"this log has more than 2,000,000 lines; give its end"):
        deque(diagnosis._lines(Endless()), maxlen=0)


@pytest.mark.parametrize(
    ("log", "words"),
    [
        # Redis also says so where it has space, and may not write.
        ([died("MISCONF Redis is configured to save RDB snapshots")], "cannot write its snapshot"),
        ([died("connect ECONNREFUSED 127.0.0.1:5432")], "localhost is the backend itself"),
        ([COMPLAINT] * 3, "localhost is the backend itself"),
        ([died("Knex: Timeout acquiring a connection.")], "connections (ten by default)"),
        ([died("NOAUTH Authentication required.")], "REDIS_SENTINEL_PASSWORD"),
    ],
)
def test_a_cause_that_looks_alike_is_thought_of(log, words):
    assert words in " ".join(str(diagnose(log)).split())


@pytest.mark.parametrize(
    "prefix",
    [
        "infisical-backend-1  | ",
        "[pod/infisical-5c9/infisical] ",
        "[pod/infisical-5c9/infisical] 2026-11-30T07:16:18.123456789Z ",
        "Nov  3 07:16:18 host infisical[123]: ",
        "2026-11-30T07:16:18+0000 host docker[4711]: ",
        "2026-11-30T07:16:18.123456789Z ",
        "infisical_infisical.1.k3j4h5@node-db-1    | ",
        "2026-11-30T07:16:18.123456789Z infisical_backend.1.k3j4h5@node-1    | ",
        "2026-Nov-30 07:16:18 ",
        "[2026-11-30 07:16:18,123] ",
        "\ufeff",
    ],
)
def test_what_compose_kubernetes_and_systemd_write_before_a_line_is_skipped(prefix):
    assert diagnose([prefix + died(KEY)]).cause.name == "wrong_encryption_key"
    assert diagnose([prefix + line for line in (died(KEY), "Welcome back!")]) is None


def test_an_entry_is_read_behind_an_unknown_prefix():
    assert diagnose([f"infisical-7d9f infisical {died(KEY)}"]).cause.name == "wrong_encryption_key"


@pytest.mark.parametrize("name", ["database_address", "cache_password"])
def test_a_log_that_may_hold_a_password_is_for_no_one_else(name):
    # Both were printed in clear by releases of 2024.
    (cause,) = (one for one in diagnosis.ALL if one.name == name)
    assert "give it to no one" in cause.cure
