"""What can be corrected by rule alone is corrected, and applies as a patch; the rest stays."""

import subprocess

import pytest

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run
from drillbook.runbook.document import Document
from drillbook.runbook.fix import correct
from drillbook.runbook.lint import lint
from drillbook.runbook.rules import check, rules


def fixed(text):
    document = Document("infisical.md", text)
    return correct(document, [(one.line, rule.id) for rule, one in check(document)])


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


def test_the_patch_makes_the_corrected_document(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ops.md").write_text(WRONG)
    assert run(COMMANDS, ["runbook", "lint", "ops.md", "--fix", "--output", "json"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("{")
    assert err == "ops.md: 1 corrected in ops.corrected.md, 1 left; the patch is ops.md.patch\n"
    assert (tmp_path / "ops.md").read_text() == WRONG
    subprocess.run(["git", "apply", "ops.md.patch"], cwd=tmp_path, check=True)
    assert (tmp_path / "ops.md").read_text() == (tmp_path / "ops.corrected.md").read_text()
    assert "docker exec db" in (tmp_path / "ops.md").read_text()


def test_what_is_accepted_is_not_corrected(tmp_path, capsys):
    mark = "<!-- drillbook: accept terminal for now -->\n```bash\ndocker exec -t"
    (tmp_path / "ops.md").write_text(WRONG.replace("```bash\ndocker exec -t", mark))
    lint([tmp_path / "ops.md"], fix=True)
    assert "nothing that can be corrected by rule alone" in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["ops.md"]
