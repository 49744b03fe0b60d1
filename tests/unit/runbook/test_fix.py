"""What can be corrected by rule alone is a patch that applies; the rest stays."""

import subprocess

import pytest

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run
from drillbook.runbook.document import Document
from drillbook.runbook.lint import correct, lint
from drillbook.runbook.rules import check, rules


def fixed(text):
    document = Document("infisical.md", text)
    return correct(document, text, [(one.line, rule.id) for rule, one in check(document)])


def block(line, language="bash"):
    return f"# Infisical\n\n```{language}\n{line}\n```\n"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (
            "docker exec psql-1 psql -U infisical < backup.sql",
            "docker exec -i psql-1 psql -v ON_ERROR_STOP=1 -U infisical < backup.sql",
        ),
        (
            "docker exec -it db pg_dump infisical > b.sql",
            "docker exec -i db pg_dump infisical > b.sql",
        ),
        ("docker exec -t db pg_dump infisical > b.sql", "docker exec db pg_dump infisical > b.sql"),
        (
            "  docker exec db pg_dump infisical \\\n    | gzip > b.gz",
            "  set -o pipefail\n  docker exec db pg_dump infisical \\\n    | gzip > b.gz",
        ),
        ("docker compose down --remove-orphans -v", "docker compose down --remove-orphans"),
        (
            "openssl rand -base64 32  # POSTGRES_PASSWORD",
            "openssl rand -hex 32  # POSTGRES_PASSWORD",
        ),
    ],
)
def test_what_is_right_everywhere_is_corrected(wrong, right):
    assert fixed(block(wrong)) == block(right)


@pytest.mark.parametrize(
    "line",
    [
        "openssl rand -hex 32  # ENCRYPTION_KEY",
        "ssh host 'docker exec db pg_dump infisical | gzip > b.gz'",
        "docker pull postgres:14",
        "#!/bin/sh\ndocker exec db pg_dump infisical | gzip > b.gz",
        "docker exec -i db psql -v ON_ERROR_STOP=1 infisical < backup.sql",
    ],
)
def test_what_needs_a_decision_stays(line):
    assert fixed(block(line)) == block(line)


def test_a_sentence_stays_as_it_is():
    text = "# Infisical\n\nRun `docker exec db pg_dump infisical | gzip > b.gz`.\n"
    assert fixed(text) == text


def test_no_correction_makes_a_key():
    for rule in rules().values():
        for _, instead in rule.fix:
            assert "rand" not in instead or rule.id == "password-in-address"


WRONG = block("docker exec -t db pg_dump infisical > b.sql") + "\nPostgreSQL 14 is used.\n\nlast"


def test_the_patch_corrects_the_document(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ops.md").write_text(WRONG)
    assert run(COMMANDS, ["runbook", "lint", "ops.md", "--fix"]) == 1
    patch, err = capsys.readouterr()
    assert err == ""
    assert (tmp_path / "ops.md").read_text() == WRONG
    subprocess.run(["git", "apply"], input=patch.encode(), check=True)
    assert (tmp_path / "ops.md").read_text() == WRONG.replace("exec -t", "exec")
    assert run(COMMANDS, ["runbook", "lint", "ops.md", "--fix"]) == 1
    assert capsys.readouterr().out == ""


def test_what_is_accepted_is_not_corrected(tmp_path, capsys):
    mark = "<!-- drillbook: accept terminal for now -->\n```bash\ndocker exec -t"
    (tmp_path / "ops.md").write_text(WRONG.replace("```bash\ndocker exec -t", mark))
    lint([tmp_path / "ops.md"], fix=True)
    assert capsys.readouterr().out == ""


PIPED = "docker exec db pg_dump infisical | gzip > b.gz"
# Documents as editors, systems and people leave them.
ODD = {
    "CRLF": block(PIPED).replace("\n", "\r\n").encode(),
    "mixed ends of lines": b"# Infisical\r\n\n```sh\r\n" + PIPED.encode() + b"\r\n```\nlast\r\n",
    "no final newline": f"# Infisical\n\n```sh\n{PIPED}\n```".encode(),
    "a fence never closed": f"# Infisical\n\n```sh\n{PIPED}\n".encode(),
    "BOM": b"\xef\xbb\xbf" + block(PIPED).encode(),
    "front matter": ("---\r\ntitle: x\r\n---\r\n" + block(PIPED)).encode(),
    "nested fences": f"# Infisical\n\n````md\n```sh\nx\n```\n````\n\n{block(PIPED)}".encode(),
    "in a list": f"# Infisical\n\n1. Dump\n\n   ~~~sh\n   {PIPED}\n   ~~~\n".encode(),
    "continued with CRLF": block("docker exec db pg_dump infisical \\\r\n | gzip > b.gz").encode(),
}


@pytest.mark.parametrize("content", ODD.values(), ids=list(ODD))
@pytest.mark.parametrize("name", ["ops.md", "docs/our runbook.md"])
def test_an_odd_document_keeps_all_that_it_has(tmp_path, monkeypatch, capsys, content, name):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    assert lint([name], fix=True) == 1
    patch = capsys.readouterr().out.encode()
    subprocess.run(["git", "apply"], input=patch, check=True)
    lines = path.read_bytes().splitlines(True)
    (added,) = [line for line in lines if b"set -o pipefail" in line]
    assert b"".join(line for line in lines if line != added) == content
    crlf = PIPED.encode() + b"\r\n" in content or b"\\\r\n" in content
    assert added.endswith(b"\r\n") == crlf


def test_a_block_that_a_new_line_would_break_stays():
    text = f"# Infisical\n\n> ```sh\n> {PIPED}\n> ```\n"
    assert "dump-pipe" in {rule.id for rule, _ in check(Document("infisical.md", text))}
    assert fixed(text) == text
