"""Marks in a runbook: which blocks they name, and how a wrong mark is refused."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.core.errors import BadInput
from drillbook.runbook.document import Document
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
        ("```bash drillbook=restore DB=postgres\nls\n```", "not understood"),
        ("```bash drillbook=restore DB=db DB=redis\nls\n```", "not understood"),
        ("```bash drillbook=restore folder=infisical\nls\n```", "not understood"),
        ("```bash drillbook=restore drillbook=logs\nls\n```", "not understood"),
    ],
)
def test_a_mark_that_cannot_be_followed_is_refused_with_its_line(text, words):
    with pytest.raises(BadInput, match=words):
        blocks(text)


def test_controls_of_acts_are_in_the_catalogue():
    catalogue = tomllib.loads(Path("suites/controls.toml").read_text())
    ids = {control["id"] for control in catalogue["control"]}
    assert {control for act in ACTS.values() for control in act.controls} <= ids


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
