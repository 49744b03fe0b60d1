"""Marks in a runbook: which blocks they name, how a wrong mark is refused, what is proposed."""

import subprocess
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run
from drillbook.core.errors import BadInput
from drillbook.runbook.document import Document
from drillbook.runbook.mark_proposals import mark, proposals, with_marks
from drillbook.runbook.marks import ACTS, marked_blocks, unmarked_blocks

MARKED = """\
# Infisical

## Backup & Restore

### Backup

```bash drillbook=backup CONTAINER=db folder=/opt/infisical
  docker exec $CONTAINER pg_dump -U infisical infisical > backup.sql
```

### Restore

1. As root:

   <!-- drillbook: restore DB=db FILE=backup -->
   ```
   $ docker exec -i $DB psql < $FILE
   SET
   ```

```sh { name=x drillbook=check }
docker ps
```

<!-- drillbook: accept terminal for now -->
```bash
docker exec -it x sh
```

<!-- drillbook: logs -->

    docker logs x

```json
{"message": "Ok"}
```
"""


def blocks(text):
    return marked_blocks(Document("ops.md", text))


def test_a_mark_names_the_act_the_folder_and_what_names_stand_for():
    backup, restore, check, logs = blocks(MARKED)
    assert (backup.act, backup.language, backup.line) == ("backup", "bash", 8)
    assert (backup.folder, backup.bindings) == ("/opt/infisical", {"CONTAINER": "db"})
    assert backup.text == "docker exec $CONTAINER pg_dump -U infisical infisical > backup.sql\n"
    assert (restore.section, restore.language) == ("Infisical > Backup & Restore > Restore", "sh")
    assert restore.bindings == {"DB": "db", "FILE": "backup"}
    assert restore.text == "docker exec -i $DB psql < $FILE\n"
    assert (check.act, check.bindings, check.folder) == ("check", {}, "")
    assert (logs.act, logs.text, logs.line) == ("logs", "docker logs x\n", 32)


def test_shell_blocks_without_a_mark_are_listed():
    assert unmarked_blocks(Document("ops.md", MARKED)) == [
        (27, "Infisical > Backup & Restore > Restore")
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("```bash drillbook=bakcup\nls\n```", "line 1 names no act: it has to be one of backup,"),
        ("```bash drillbook\nls\n```", "names no act"),
        ("<!-- drillbook: -->\n```bash\nls\n```", "names no act"),
        ("```drillbook=backup\nls\n```", "is not of a shell"),
        ("```json drillbook=health\n{}\n```", "is not of a shell"),
        (
            "\n<!-- drillbook: health -->\n\nSee:\n\n```bash\nls\n```",
            "line 2 stands before no block",
        ),
        ("Text <!-- drillbook: health -->\n```bash\nls\n```", "stands before no block"),
        ("<!-- drillbook: logs -->\n```bash drillbook=health\nls\n```", "line 2 is the second"),
        ("```bash drillbook=restore container=db\nls\n```", "not understood"),
        ("```bash drillbook=restore DB=db DB=redis\nls\n```", "not understood"),
        ("```bash drillbook=restore folder=infisical\nls\n```", "not understood"),
        ("```bash drillbook=restore drillbook=logs\nls\n```", "not understood"),
    ],
)
def test_a_mark_that_cannot_be_followed_is_refused_with_its_line(text, words):
    with pytest.raises(BadInput, match=words):
        blocks(text)


def test_the_runbook_that_we_ship_has_every_act_that_a_control_judges():
    document = Document("runbook.md", Path("docs/runbook.md").read_text())
    judged = {act for act, controls in ACTS.items() if controls}
    assert judged <= {block.act for block in marked_blocks(document)}
    assert (unmarked_blocks(document), proposals(document)) == ([], [])


def test_controls_of_acts_are_in_the_catalogue():
    catalogue = tomllib.loads(Path("suites/controls.toml").read_text())
    ids = {control["id"] for control in catalogue["control"]}
    assert {control for controls in ACTS.values() for control in controls} <= ids


_PIECES = st.sampled_from(
    [
        *(
            "```",
            "```bash ",
            "~~~sh",
            "drillbook=",
            "drillbook",
            "<!-- drillbook: ",
            "-->",
            "DB=db",
        ),
        *(
            "folder=/x",
            "- ",
            "1. ",
            "> ",
            "# ",
            "    ",
            "\t",
            "\n",
            "\n\n",
            "$ ls",
            "<pre>",
            "</pre>",
        ),
        *("<<EOF", "{", "}", "|", "$(", "'", '"', "`", "---\n", *ACTS),
    ]
)


@given(st.lists(_PIECES | st.text(max_size=5), max_size=40).map("".join))
def test_no_document_makes_the_reader_fail_but_by_bad_input(text):
    try:
        document = Document("ops.md", text)
        found = [*marked_blocks(document), *unmarked_blocks(document)]
    except BadInput:
        return
    assert len(found) <= len(document.blocks)


def proposed(commands, fence="```bash"):
    document = Document("ops.md", f"Wipe, restore, back up:\n\n{fence}\n{commands}\n```\n")
    return [act for _, act in proposals(document)]


@pytest.mark.parametrize(
    ("commands", "act"),
    [
        ("docker exec -i db psql -U infisical < backup.sql", "restore"),
        (
            "docker stop backend\npg_dump x > old.sql\npsql x < backup.sql\ndocker start b",
            "restore",
        ),
        ("docker volume rm $(docker volume ls -q | grep infisical)", "wipe"),
        ("docker compose -f prod.yml down --volumes", "wipe"),
        (
            "psql -c \"ALTER USER infisical WITH PASSWORD 'new'\"\ndocker restart b",
            "rotate-password",
        ),
        ("psql <<'E'\nALTER ROLE infisical\n  PASSWORD 'new';\nE", "rotate-password"),
        ("openssl rand -hex 16", "make-keys"),
        ("ssh root@host curl -fsS http://localhost:8080/api/status", "health"),
        ("sudo docker compose up -d", "redeploy"),
        ("docker ps -a  # docker volume rm x", None),
        ("docker exec -i db psql -U infisical < alter-role.sql", None),
        ("sed -i s/ENCRYPTION_KEY=.*/ENCRYPTION_KEY=x/ .env", None),
    ],
)
def test_the_commands_of_a_block_tell_its_act(commands, act):
    assert proposed(commands) == ([act] if act else [])


def test_only_a_fence_of_a_shell_gets_a_mark():
    assert proposed("docker restart backend", "```bash drillbook=check") == []
    assert proposed("docker restart backend", "```python") == []
    assert proposals(Document("ops.md", "x\n\n    docker restart backend\n")) == []


UNMARKED = (
    "# Infisical\r\n\r\n1. Stop\r\n\r\n   ```\r\n   docker restart b\r\n   ```\r\n\r\n"
    "> ~~~~sh {name=x}\r\n> docker logs b\r\n> ~~~~\r\n\r\n```console\n$ pg_dump x > b.sql\n```"
)


def test_marks_are_a_patch_that_applies_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = Path("our ops.md")
    path.write_bytes(UNMARKED.encode())
    assert mark(path) == 1
    patch, said = capsys.readouterr()
    assert said == "our ops.md: 3 marks are proposed; with --write they are written\n"
    assert path.read_bytes() == UNMARKED.encode()
    subprocess.run(["git", "apply"], input=patch.encode(), check=True)
    marked = UNMARKED.replace("   ```\r", "   ```bash drillbook=redeploy\r", 1)
    marked = marked.replace("{name=x}", "{name=x} drillbook=logs")
    marked = marked.replace("console", "console drillbook=backup")
    assert path.read_bytes() == marked.encode()
    assert mark(path) == 0
    assert capsys.readouterr() == ("", "our ops.md: there is nothing to propose\n")


def test_marks_are_written_into_the_document_that_a_link_names(tmp_path):
    path = tmp_path / "ops.md"
    path.write_bytes(b"\xef\xbb\xbf" + UNMARKED.encode())
    path.chmod(0o640)
    link = tmp_path / "link.md"
    link.symlink_to(path)
    assert mark(link, write=True) == 0
    assert link.is_symlink()
    assert path.read_bytes().startswith(b"\xef\xbb\xbf# Infisical\r\n")
    assert path.stat().st_mode & 0o777 == 0o640
    assert [block.act for block in blocks(path.read_text())] == ["redeploy", "logs", "backup"]


def test_the_command_refuses_a_wrong_mark(tmp_path, capsys):
    (tmp_path / "ops.md").write_text("```bash drillbook=wip\nls\n```\n")
    assert run(COMMANDS, ["runbook", "mark", str(tmp_path / "ops.md")]) == 3
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "the mark in line 1 names no act" in err


@given(st.lists(_PIECES | st.sampled_from(["docker restart b", "pg_dump x"]), max_size=40))
def test_a_second_run_proposes_nothing(pieces):
    text = "".join(pieces)
    try:
        acts = proposals(Document("ops.md", text))
    except BadInput:
        return
    marked = with_marks(text, acts)
    assert proposals(Document("ops.md", marked)) == []
    assert len(marked_blocks(Document("ops.md", marked))) >= len(acts)
