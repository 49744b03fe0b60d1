"""What can be corrected by rule alone is corrected, and applies as a patch; the rest stays."""

import os
import subprocess

import pytest

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run
from drillbook.core.errors import BadInput
from drillbook.runbook.document import Document
from drillbook.runbook.lint import correct, lint, write_correction
from drillbook.runbook.rules import check, rules
from tests.support.commands import call


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
def test_an_odd_document_keeps_all_that_it_has(tmp_path, monkeypatch, content, name):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o640)
    assert lint([name], fix=True) == 1
    corrected = path.with_name(f"{path.stem}.corrected.md")
    added = [line for line in corrected.read_bytes().splitlines(True) if b"set -o pipefail" in line]
    assert len(added) == 1
    assert corrected.read_bytes().replace(added[0], b"") == content
    assert added[0].endswith(b"\r\n") == (
        PIPED.encode() + b"\r\n" in content or b"\\\r\n" in content
    )
    assert corrected.stat().st_mode & 0o777 == 0o640
    assert path.read_bytes() == content
    patched = subprocess.run(["git", "apply", f"{name}.patch"], capture_output=True, text=True)
    assert patched.returncode == 0, patched.stderr
    assert path.read_bytes() == corrected.read_bytes()


def test_a_second_run_changes_nothing(tmp_path, capsys):
    path = tmp_path / "ops.md"
    path.write_text(WRONG)
    written = [tmp_path / "ops.corrected.md", tmp_path / "ops.md.patch"]
    lint([path], fix=True)
    before = [(one.stat().st_mtime_ns, one.stat().st_ino) for one in written]
    lint([path], fix=True)
    assert [(one.stat().st_mtime_ns, one.stat().st_ino) for one in written] == before
    capsys.readouterr()
    lint([written[0]], fix=True)
    assert "nothing that can be corrected by rule alone" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("name", ["ops.corrected.md", "ops.md.patch"])
def test_no_other_text_is_overwritten(tmp_path, capsys, name):
    (tmp_path / "ops.md").write_text(WRONG)
    (tmp_path / name).write_text("mine\n")
    assert call("runbook lint", ["--fix", tmp_path / "ops.md"]) == 3
    assert f"{name} is there already and is something else" in capsys.readouterr().err
    assert (tmp_path / name).read_text() == "mine\n"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_copy_that_cannot_be_written_hides_no_finding_and_no_copy(tmp_path, capsys):
    for name in ("one.md", "two.md"):
        (tmp_path / name).write_text(WRONG)
    (tmp_path / "two.md.patch").write_text("mine\n")
    assert call("runbook lint", ["--fix", tmp_path / "one.md", tmp_path / "two.md"]) == 3
    told = capsys.readouterr()
    assert "two.md:" in told.out
    assert " in 2 files" in told.out
    assert f"corrected in {tmp_path / 'one.corrected.md'}" in told.err
    assert not (tmp_path / "two.corrected.md").exists()


def test_a_link_is_not_written_through(tmp_path, capsys):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine.md").write_text("")
    (tmp_path / "ops.md").write_text(WRONG)
    (tmp_path / "ops.corrected.md").symlink_to("elsewhere/mine.md")
    assert call("runbook lint", ["--fix", tmp_path / "ops.md"]) == 3
    assert (tmp_path / "elsewhere" / "mine.md").read_text() == ""
    (tmp_path / "ops.corrected.md").unlink()
    (tmp_path / "linked.md").symlink_to("ops.md")
    assert lint([tmp_path / "linked.md"], fix=True) == 1
    assert (tmp_path / "linked.md").is_symlink()
    assert (tmp_path / "ops.md").read_text() == WRONG
    assert "docker exec db" in (tmp_path / "linked.corrected.md").read_text()
    capsys.readouterr()


def test_a_document_that_only_can_be_read_is_corrected_beside_it(tmp_path):
    path = tmp_path / "ops.md"
    path.write_text(WRONG)
    path.chmod(0o400)
    assert lint([path], fix=True) == 1
    assert (tmp_path / "ops.corrected.md").stat().st_mode & 0o777 == 0o400
    assert path.read_text() == WRONG


def test_a_document_that_changes_meanwhile_is_left_alone(tmp_path):
    path = tmp_path / "ops.md"
    path.write_text(WRONG)
    document = Document(str(path), WRONG)
    found = [(one.line, rule.id) for rule, one in check(document)]
    path.write_text(f"{WRONG}\nmore\n")
    with pytest.raises(BadInput, match="has changed while it was read"):
        write_correction(document, found)
    assert [one.name for one in tmp_path.iterdir()] == ["ops.md"]


def test_a_disk_that_is_full_leaves_no_half_of_a_file(tmp_path, monkeypatch, capsys):
    path = tmp_path / "ops.md"
    path.write_text(WRONG)

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    assert call("runbook lint", ["--fix", path]) == 3
    assert "No space left on device" in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["ops.md"]


def test_a_huge_document_is_refused_and_kept(tmp_path, capsys):
    path = tmp_path / "ops.md"
    path.write_text(WRONG * (5_000_000 // len(WRONG)))
    assert call("runbook lint", ["--fix", path]) == 3
    assert "1 MiB" in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["ops.md"]


@pytest.mark.parametrize(
    "text",
    [
        f"# Infisical\n\n> ```sh\n> {PIPED}\n> ```\n",
        f"# Infisical\n\n<pre><code>{PIPED}\n</code></pre>\n",
    ],
    ids=["quotation", "HTML"],
)
def test_a_block_that_a_new_line_would_break_stays(text):
    assert "dump-pipe" in {rule.id for rule, _ in check(Document("infisical.md", text))}
    assert fixed(text) == text
