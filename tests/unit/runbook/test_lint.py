"""What is known to be wrong is found at its line in a runbook; what is right has no finding."""

import base64
import hashlib
import json
import re
import time
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run
from drillbook.core.application import ROOT
from drillbook.core.errors import BadInput
from drillbook.runbook import rules
from drillbook.runbook.document import Document
from drillbook.runbook.lint import excerpt, lint

DOCS = ROOT / "docs" / "runbook-lint.md"
SAMPLE = "f13dbc92aaaf86fa7cb0ed8ac3265f47"
MADE = hashlib.sha256(b"a key of nobody").digest()
FILLED = {
    "{SAMPLE}": SAMPLE,
    "{HEX}": MADE.hex()[:32],
    "{BASE64}": base64.b64encode(MADE).decode(),
}
PHRASINGS = tomllib.loads((ROOT / "tests" / "runbook_phrasings.toml").read_text())
CONTROLS = tomllib.loads((ROOT / "suites" / "controls.toml").read_text())["control"]


def cases(kind):
    return [
        pytest.param(rule, filled(text), id=f"{rule}-{number}")
        for rule, both in PHRASINGS.items()
        for number, text in enumerate(both[kind])
    ]


def filled(text):
    for name, value in FILLED.items():
        text = text.replace(name, value)
    return text


def found(text):
    return {(rule.id, one.line) for rule, one in rules.check(Document("infisical.md", text))}


@pytest.mark.parametrize(("rule", "text"), cases("finds"))
def test_phrasing_is_found(rule, text):
    assert rule in {id_ for id_, _ in found(text)}


@pytest.mark.parametrize(("rule", "text"), cases("passes"))
def test_near_miss_is_not_found(rule, text):
    assert rule not in {id_ for id_, _ in found(text)}


def test_each_rule_has_phrasings_a_control_and_what_to_write():
    assert set(PHRASINGS) == set(rules.rules())
    for rule in rules.rules().values():
        both = PHRASINGS[rule.id]
        assert min(len(both["finds"]), len(both["passes"])) >= 2, rule.id
        assert rule.control in {one["id"] for one in CONTROLS}, rule.id
        assert rule.measured.endswith("."), rule.id
        assert rule.title, rule.id
        assert rule.write, rule.id


def test_what_is_to_be_written_is_safe_on_an_instance_with_data():
    for rule in rules.rules().values():
        makes_a_key = re.search(r"ENCRYPTION_KEY.*\brand\b|\brand\b.*ENCRYPTION_KEY", rule.write)
        assert not makes_a_key or "before there is data, and never after" in rule.write, rule.id
        names_a_version = re.search(r"infisical/infisical:v\d", rule.write)
        assert not names_a_version, f"{rule.id}: it may be older than what the database has seen"


def test_commands_that_are_to_be_run_exist():
    known = {one.name for one in COMMANDS}
    for rule in rules.rules().values():
        for words in re.findall(r"`drillbook ([a-z ]+)", rule.write):
            assert words.strip() in known, rule.id


def test_the_example_of_a_right_runbook_has_no_finding(capsys):
    assert lint([ROOT / "docs" / "runbook.example.md"]) == 0
    assert capsys.readouterr().out == "runbook lint: 0 findings in 1 file\n"


DOCUMENT = """# Infisical

Generate the ENCRYPTION_KEY
with `openssl rand -hex 32` on the server.

## Restore

1. On the server:

   ```bash
   # bring it back
   docker stop backend && \\
     docker exec db psql -U infisical < backup.sql
   ```

| item | version |
| ---- | ------- |
| PostgreSQL | 14 |
"""


def test_each_finding_stands_at_its_line():
    assert found(DOCUMENT) == {
        ("key-format", 4),
        ("restore-errors", 13),
        ("restore-no-input", 13),
        ("restore-not-empty", 13),
        ("postgres-14", 18),
    }


def test_a_script_that_a_command_writes_has_its_lines():
    text = "```bash\ncat > job.sh <<'E'\n#!/bin/sh\npg_dump infisical | gzip > b.gz\nE\n```\n"
    assert ("dump-pipe", 4) in found(text)


def test_ends_of_lines_change_no_finding():
    assert (
        found(DOCUMENT.replace("\n", "\r\n"))
        == found(DOCUMENT)
        == found(DOCUMENT.replace("\n", "\r"))
    )


@pytest.mark.parametrize(
    "around",
    [
        "## What not to do\n\n{}",
        "## Common mistakes\n\n### Keys\n\n{}",
        "Do not run this:\n\n{}",
        "❌ Wrong:\n\n{}",
    ],
)
def test_what_the_document_itself_forbids_is_not_found(around):
    block = "```bash\ndocker exec db psql -U infisical < backup.sql\n```\n"
    assert found(block)
    assert found(around.format(block)) == set()


def test_session_with_prompts_is_read_without_what_it_printed():
    session = (
        "```console\n$ docker exec db pg_dump infisical | gzip > b.gz\npg_dump x | gzip\n```\n"
    )
    assert {pair for pair in found(session) if pair[0] == "dump-pipe"} == {("dump-pipe", 2)}


@pytest.mark.parametrize(
    "command",
    [
        "sudo docker exec db pg_dump infisical | gzip > b.gz",
        "sudo -E docker exec db pg_dump infisical | gzip > b.gz",
        "ssh root@server 'docker exec db pg_dump infisical | gzip > b.gz'",
        "docker --context prod compose -f x.yml exec -T db pg_dump infisical | gzip > b.gz",
        "kubectl exec -n x db-0 -- pg_dump infisical | gzip > b.gz",
        "if true; then docker exec db pg_dump infisical | gzip > b.gz; fi",
        "PGPASSWORD=x timeout 60 pg_dump infisical \\\n  | gzip > b.gz",
        "su - postgres -c 'pg_dump infisical | gzip > b.gz'",
    ],
)
def test_command_is_found_in_whatever_wraps_it(command):
    assert "dump-pipe" in {id_ for id_, _ in found(f"```bash\n{command}\n```\n")}


@pytest.mark.parametrize("command", ["docker exec db", "sudo", "ssh host", "docker compose exec"])
def test_a_wrapper_around_nothing_is_read(command):
    assert found(f"```bash\n{command}\n```\n") == set()


@pytest.fixture
def runbook(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("a runbook.md")
    path.write_text(DOCUMENT)
    return path


def test_text_has_file_line_words_control_measure_and_correction(runbook, capsys):
    assert lint([runbook]) == 1
    out = capsys.readouterr().out
    rule = rules.rules()["restore-no-input"]
    assert (
        f"a runbook.md:13: {rule.title} [restore-no-input, BKP-3]\n"
        "    found:    docker stop backend && docker exec db psql -U infisical < backup.sql\n"
        f"    measured: {rule.measured}\n"
        f"    write:    {rule.write}\n"
    ) in out
    assert out.endswith("runbook lint: 5 findings in 1 file\n")


def test_json_has_the_same_findings(runbook, capsys):
    assert lint([runbook], "json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["schema"] == "drillbook/runbook-lint/1"
    assert [(one["rule"], one["line"]) for one in report["findings"]] == sorted(
        found(DOCUMENT), key=lambda pair: (pair[1], pair[0])
    )
    assert set(report["findings"][0]) == {
        *("file", "line", "rule", "control", "title", "found", "measured", "write")
    }


def test_sarif_has_rules_results_and_addresses(runbook, capsys):
    assert lint([runbook], "sarif") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["version"] == "2.1.0"
    (run,) = report["runs"]
    known = [one["id"] for one in run["tool"]["driver"]["rules"]]
    for result in run["results"]:
        assert known[result["ruleIndex"]] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "a%20runbook.md"
        assert place["region"]["startLine"] in {line for _, line in found(DOCUMENT)}


ACCEPTED = """# Infisical

<!-- drillbook: accept dump-pipe the job around it looks for the last line -->
```bash
docker exec db pg_dump infisical | gzip > a.gz

docker exec db pg_dump infisical | gzip > b.gz
```

```bash
docker exec db pg_dump infisical | gzip > c.gz
```
"""


def test_a_mark_accepts_what_follows_it_and_says_so(tmp_path, capsys):
    path = tmp_path / "ops.md"
    path.write_text(ACCEPTED)
    assert lint([path]) == 1
    out = capsys.readouterr().out
    assert [line.split(":")[1] for line in out.splitlines() if "[dump-pipe" in line] == [
        *("11", "5", "7")
    ]
    assert out.count("    because:  the job around it looks for the last line\n") == 2
    assert out.endswith("runbook lint: 1 finding in 1 file, 2 accepted\n")
    path.write_text(ACCEPTED[: ACCEPTED.rindex("```bash")])
    assert lint([path]) == 0
    assert "runbook lint: 0 findings in 1 file, 2 accepted" in capsys.readouterr().out


def test_programs_get_what_is_accepted_apart(tmp_path, capsys):
    path = tmp_path / "ops.md"
    path.write_text(ACCEPTED)
    lint([path], "json")
    report = json.loads(capsys.readouterr().out)
    assert [one["line"] for one in report["findings"]] == [11]
    reason = "the job around it looks for the last line"
    assert [(one["line"], one["reason"]) for one in report["accepted"]] == [
        (5, reason),
        (7, reason),
    ]
    lint([path], "sarif")
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    why = [one["justification"] for it in run["results"] for one in it.get("suppressions", ())]
    assert (len(run["results"]), why) == (3, [reason, reason])


@pytest.mark.parametrize("mark", ["accept terminal for now", "accept dump-pipe", "accept"])
def test_a_mark_for_another_rule_or_without_a_reason_accepts_nothing(tmp_path, capsys, mark):
    path = tmp_path / "ops.md"
    path.write_text(re.sub("accept dump-pipe [^>]*-->", f"{mark} -->", ACCEPTED))
    assert lint([path]) == 1
    assert capsys.readouterr().out.endswith("runbook lint: 3 findings in 1 file\n")


def test_a_mark_within_a_block_is_an_example_of_one(tmp_path):
    path = tmp_path / "ops.md"
    mark = "<!-- drillbook: accept dump-pipe as an example -->"
    path.write_text(f"# Infisical\n\n```html\n{mark}\n```\n\n`pg_dump infisical | gzip > x`\n")
    assert lint([path]) == 1


def test_in_a_runbook_of_other_services_only_what_is_of_infisical_is_found():
    text = (
        "# Our servers\n\nSecrets come from Infisical.\n\n"
        "## Wiki\n\n```bash\npg_dump wiki | gzip > w.gz\n```\n\n"
        "## Infisical\n\n### Dump\n\n```bash\npg_dump secrets | gzip > s.gz\n```\n\n"
        "## All\n\n```bash\npg_dump chat | gzip > c.gz\n```\n\n"
        "```bash\npg_dump infisical | gzip > i.gz\n```\n"
    )
    lines = {
        one.line for rule, one in rules.check(Document("ops.md", text)) if rule.id == "dump-pipe"
    }
    assert lines == {16, 26}


@pytest.mark.parametrize(
    ("beginning", "about"),
    [
        ("Self-hosted [Infisical](https://example.com), one release behind.", True),
        ("This server runs a wiki, Infisical and a chat.", False),
        ("It runs Infisical and a chat.", False),
        ("It runs a chat.", False),
        ("Infisical runs here.\n\n## Infisical\n\nSee there.", False),
    ],
)
def test_what_a_document_begins_with_says_what_it_is_about(beginning, about):
    text = f"# acme/ops\n\n{beginning}\n\n## Dump\n\n```bash\npg_dump chat | gzip > c.gz\n```\n"
    found = {rule.id for rule, _ in rules.check(Document("readme.md", text))}
    assert ("dump-pipe" in found) == about


def test_document_about_something_else_is_named_and_not_checked(tmp_path, capsys):
    path = tmp_path / "other.md"
    path.write_text("```bash\npsql < backup.sql\n```\n")
    assert lint([path]) == 0
    assert f"{path}: does not mention Infisical: not checked\n" in capsys.readouterr().out


@pytest.mark.parametrize(("fence", "named"), [("```", False), ("----", True)])
def test_a_document_whose_commands_stand_in_no_block_is_named(tmp_path, capsys, fence, named):
    path = tmp_path / "infisical.adoc"
    path.write_text(f"[source,bash]\n{fence}\ndocker exec -t db pg_dump x > y\n{fence}\n")
    assert lint([path]) == int(not named)
    assert (f"{path}: holds no block of commands" in capsys.readouterr().err) == named


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe\x00", "is not text"),
        (b"# Infisical\0", "is not text"),
        (b"x" * (1 << 20) + b"x", "1 MiB"),
        (b"Infisical\n\n```sh\n" + b"a |" * 7_000 + b"\n```\n", "shell block of more than 20,000"),
    ],
    ids=["missing", "empty", "blank", "no UTF-8", "binary", "huge", "huge block"],
)
def test_bad_input_is_one_sentence(tmp_path, capsys, content, said):
    path = tmp_path / "runbook.md"
    if content is not None:
        path.write_bytes(content)
    assert run(COMMANDS, ["runbook", "lint", str(path)]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "path", ["/dev/zero", "/proc/self", "a\0b"], ids=["device", "folder", "name"]
)
def test_what_is_no_file_is_refused(path, capsys):
    assert run(COMMANDS, ["runbook", "lint", path]) == 3
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("ENCRYPTION_KEY=4c9be1d07a51f2b8e6630fd2a1c47e95", "ENCRYPTION_KEY=…"),
        ("AUTH_SECRET: 'hunter2hunter2' # x", "AUTH_SECRET: … # x"),
        (
            "ALTER USER infisical WITH PASSWORD 'hunter2';",
            "ALTER USER infisical WITH PASSWORD '…';",
        ),
        ("ALTER USER a PASSWORD 'it''s hunter2';", "ALTER USER a PASSWORD '…';"),
        (r"ALTER USER a PASSWORD E'it\'s hunter2';", "ALTER USER a PASSWORD E'…';"),
        ("ALTER USER a PASSWORD 'hunter2", "ALTER USER a PASSWORD '…"),
        ("ALTER USER a PASSWORD 'one\nhunter2';", "ALTER USER a PASSWORD '…';"),
        (
            r"psql -c 'ALTER USER a PASSWORD '\''hunter2'\'';'",
            r"psql -c 'ALTER USER a PASSWORD '\''…'\'';'",
        ),
        (
            """psql -c 'ALTER USER a PASSWORD '"'"'hunter2'"'"';'""",
            """psql -c 'ALTER USER a PASSWORD '"'"'…'"'"';'""",
        ),
        ("postgres://infisical:hunter2@db/infisical", "postgres://infisical:…@db/infisical"),
        ("key 4c9be1d07a51f2b8e6630fd2a1c47e95 here", "key … here"),
        ("POSTGRES_PASSWORD=<strong-password>", "POSTGRES_PASSWORD=<strong-password>"),
        ("a\x1b[31mb", "a�[31mb"),
        ("POSTGRES_PASSWORD=Ab1$cdef9XyzSecretTail", "POSTGRES_PASSWORD=…"),
        ("PGPASSWORD=hunt psql", "PGPASSWORD=… psql"),
        ("db:\n  password: hunt\n  user: x", "db: password: … user: x"),
        ("{password: hunter, user: x}", "{password: … user: x}"),
        ('"host=db password=lowercaseSecret99"', '"host=db password=…'),
        ("redis-cli -a MyRedisPass99 PING", "redis-cli -a … PING"),
        ("redis-cli --pass 'my pass' PING", "redis-cli --pass … PING"),
        ("export SMTP_PASS=hunter; x", "export SMTP_PASS=… x"),
        ("don't PASSWORD='correct horse battery'", "don't PASSWORD=…"),
        (r'sh -c "PASSWORD=\"correct horse\" x"', 'sh -c "PASSWORD=… x"'),
        ("PASSWORD='correct horse", "PASSWORD=…"),
        ("`PASSWORD=Longenough#rest`, x", "`PASSWORD=… x"),
        ("Password: `hunter2`.", "Password: …."),
        ("redis://:p@ss/word@redis", "redis://:…@redis"),
        ("PASSWORD: ${PASSWORD:-hunter2}", "PASSWORD: ${PASSWORD:-…"),
        ("s/^PASSWORD=.*/PASSWORD=hunter2/", "s/^PASSWORD=…"),
    ],
)
def test_no_secret_and_no_control_character_is_printed(words, kept):
    assert excerpt(words) == kept


@pytest.mark.parametrize(
    "words",
    [
        'PASSWORD="$NEW" psql ${PASSWORD:?not set}',
        'echo "ENCRYPTION_KEY="$(openssl rand -hex 16) >> .env',
        "- ENCRYPTION_KEY: `openssl rand -hex 16`",
        "pg_dump --no-password infisical",
        "POSTGRES_PASSWORD_FILE=/run/secrets/db",
    ],
)
def test_what_is_no_secret_stays_readable(words):
    assert excerpt(words) == words


@pytest.mark.parametrize("piece", ["://a:", "key", "KEY=$( ", 'KEY=" " ', "redis-cli ", "--pass-"])
def test_secrets_are_sought_in_linear_time(piece):
    began = time.process_time()
    excerpt(piece * (60_000 // len(piece)))
    assert time.process_time() - began < 15


@pytest.mark.parametrize(
    "text",
    [
        "(" * 60_000,
        "$(" * 30_000,
        "a | " * 15_000,
        "x=$(y) z $x\n" * 5_000,
        "docker exec db sh -c 'docker exec db sh -c \"docker exec\"'\n" * 1_000,
        "<a>" * 20_000,
        "openssl rand -hex 32 " * 3_000,
        "ENCRYPTION_KEY " * 4_000,
        "audit log " * 6_000,
        "- " * 2_000 + "x",
        "> " * 2_000 + "x",
        "AUTH_SECRET change " * 3_000,
    ],
    ids=lambda text: text[:12],
)
@pytest.mark.parametrize("form", ["{}\n", "```bash\n{}\n```\n", "| a |\n| - |\n| {} |\n"])
def test_hostile_document_ends_soon(text, form):
    started = time.process_time()
    with suppress(BadInput):
        rules.check(Document("infisical.md", "Infisical\n\n" + form.format(text)))
    assert time.process_time() - started < 25


def test_command_line_hands_over_files_and_form(runbook, capsys):
    assert run(COMMANDS, ["runbook", "lint", str(runbook), "--output", "json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["findings"]) == 5
    assert run(COMMANDS, ["runbook", "lint", "no.md"]) == 3
    assert run(COMMANDS, ["runbook", "lint", str(runbook), "--output", "xml"]) == 3


def test_hooks_of_pre_commit_are_commands():
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    entries = {one["entry"].removeprefix("drillbook ") for one in hooks}
    assert entries == {"runbook lint", "preflight"}
    assert entries <= {one.name for one in COMMANDS}


def test_the_documentation_lists_every_rule():
    listed = re.findall(r"^\| ([a-z0-9-]+) \| ([A-Z]{3}-\S+) \| (.+) \|$", DOCS.read_text(), re.M)
    assert listed == [(one.id, one.control, one.title) for one in rules.rules().values()]


def test_time_for_a_long_paragraph_does_not_grow_with_its_square():
    started = time.process_time()
    Document("infisical.md", "A `b` c. " * 40_000)
    assert time.process_time() - started < 60
