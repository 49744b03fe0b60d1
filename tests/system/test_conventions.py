"""Rules about the repository itself; each failure says what to do."""

import ast
import functools
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from drillbook.core import options
from drillbook.core.application import ROOT
from drillbook.preflight import key_strength
from drillbook.runbook import diagnosis, rules
from reports import verdict
from reports.record import tested_runbook as runbook

CODE = sorted(
    path
    for folder in ("drillbook", "suites", "fixtures", "reports", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
SPECS = sorted((ROOT / "suites").rglob("test_*.py"))
CATALOGUE = tomllib.loads((ROOT / "suites" / "controls.toml").read_text())["control"]
IDS = {control["id"] for control in CATALOGUE}


@functools.cache
def tree(path):
    return ast.parse(path.read_text(), str(path))


def imported(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def functions(path, prefix=""):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith(prefix):
            yield node


def relative(path):
    return str(path.relative_to(ROOT))


def test_our_fixtures_are_imported_not_a_package_of_that_name():
    import fixtures

    assert fixtures.__file__ == str(ROOT / "fixtures" / "__init__.py")


@pytest.mark.parametrize(
    ("folder", "stranger"),
    [
        ("fixtures", "reports"),
        ("fixtures", "suites"),
        ("reports", "fixtures"),
        ("reports", "suites"),
        ("suites", "reports"),
        ("drillbook", "fixtures"),
        ("drillbook", "reports"),
        ("drillbook", "suites"),
    ],
)
def test_arrows_point_one_way(folder, stranger):
    # The commands of drillbook/cli use all of them, as conftest.py does.
    guilty = [
        relative(path)
        for path in CODE
        if path.is_relative_to(ROOT / folder)
        and (not path.is_relative_to(ROOT / "drillbook/cli") or stranger == "suites")
        and any(name.split(".")[0] == stranger for name in imported(path))
    ]
    assert guilty == [], f"{folder} must not import {stranger}: share by drillbook/core"


def test_conftest_is_a_list_of_plugins():
    assert len((ROOT / "conftest.py").read_text().splitlines()) <= 30


def test_each_module_says_what_it_is():
    silent = [relative(path) for path in CODE if not ast.get_docstring(tree(path))]
    assert silent == [], "give the module one sentence"


def specs():
    for path in SPECS:
        for function in functions(path, "test_"):
            yield f"{relative(path)}::{function.name}", function


def test_each_spec_can_fail():
    mute = [
        name
        for name, function in specs()
        if not any(isinstance(node, ast.Assert) for node in ast.walk(function))
    ]
    assert mute == [], "a spec that asserts nothing cannot fail"


def test_specs_stay_small():
    large = [name for name, function in specs() if function.end_lineno - function.lineno + 1 > 40]
    assert large == [], "more than 40 lines: make it two specs"


def test_the_module_carries_the_claim_of_its_specs():
    assert [name for name, function in specs() if ast.get_docstring(function)] == []


def test_specs_do_not_wait_retry_or_print():
    impatient = [
        relative(path)
        for path in SPECS
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.sleep", "sleep", "print")
    ]
    assert impatient == [], "waiting lives in drillbook/stack"


def test_nothing_of_a_run_lies_in_a_folder_of_pytest():
    # The tear-down of tmp_path fails if a spec is interrupted in its set-up, and no sweep finds
    # what a killed run left there. Use `working_folder` instead.
    guilty = {
        relative(path)
        for path in CODE
        if not path.is_relative_to(ROOT / "tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.arg) and node.arg == "tmp_path"
    }
    assert guilty == set()


def test_asserts_of_the_harness_live_in_suites():
    # An assert in fixtures/ would be mistaken for a finding about the stack.
    guilty = {
        relative(path)
        for path in CODE
        if path.relative_to(ROOT).parts[0] in ("drillbook", "fixtures")
        and any(isinstance(node, ast.Assert) for node in ast.walk(tree(path)))
    }
    assert guilty == set(), "raise an error of drillbook/core/errors.py instead"


def marked():
    for path in SPECS:
        text = path.read_text()
        for call in re.findall(r"mark\.control\(([^)]*)\)", text):
            yield from re.findall(r'"([A-Z]{3}-\d+[.A-Z]*)"', call)
        yield from re.findall(r'"([A-Z]{3}-\d+(?:\.[A-Z]+)?)"', text)


def test_every_control_has_a_spec_and_a_mutant():
    from fixtures.mutants.base import registry

    caught = {mutant.control for mutant in registry().values()}
    with_spec = set(marked())
    assert IDS - with_spec == set(), "write a spec that carries the mark control(id)"
    assert with_spec - IDS == set(), "add the control to suites/controls.toml"
    # The document of test_runbook_run.py has the wrong wipe that RBK-1 must catch.
    assert IDS - caught == {"RBK-1"}, (
        "plant a mutant in fixtures/mutants that the control must catch"
    )
    assert caught - IDS == set(), "a mutant names a control that does not exist"


def test_a_control_of_which_a_drill_tries_a_part_says_which():
    judged = {"drill": set(), "elsewhere": set()}
    for path in SPECS:
        where = "drill" if path.parent.name == "drill" else "elsewhere"
        for call in re.findall(r"mark\.control\(([^)]*)\)", path.read_text()):
            judged[where] |= {*re.findall(r'"([^"]+)"', call)}
    parts = {one["id"]: one.get("parts", {}) for one in CATALOGUE}
    both = judged["drill"] & judged["elsewhere"]
    assert len(both) > 4
    assert [one for one in sorted(both) if "drill" not in parts[one]] == []


def test_a_control_is_named_by_a_statement_of_each_section_that_it_cites():
    named = {}
    for line in runbook.load().lines:
        for control in line.controls:
            named.setdefault(control, set()).add(line.section)
    assert named.keys() - IDS == set(), "docs/runbook.md names a control that does not exist"
    cited = {control["id"]: set(control.get("runbook", [])) for control in CATALOGUE}
    amiss = {name for name, sections in cited.items() if sections != named.get(name, set())}
    assert amiss == set(), "name them behind their statement in docs/runbook.md, and its section"


def test_each_line_of_the_runbook_is_a_statement_that_a_control_judges():
    lines = runbook.DOCUMENT.read_text().splitlines()
    statements = {line.number for line in runbook.load().lines}
    listed = [number for number, line in enumerate(lines, 1) if line.startswith("- ")]
    assert listed
    assert [number for number in listed if number not in statements] == []


def test_nothing_of_the_product_imports_planted_bugs():
    guilty = [
        relative(path)
        for path in CODE
        if path.parts[len(ROOT.parts)] != "tests"
        and not path.is_relative_to(ROOT / "fixtures" / "mutants")
        and any(name.startswith("fixtures.mutants") for name in imported(path))
    ]
    assert guilty == [], "a bug is found by its name: drillbook/core/bugs.py"


def test_every_bug_is_a_row_with_code_and_the_other_way_round():
    from fixtures.mutants.base import registry

    without = [one.name for one in registry().values() if not (one.parts or one.hooks)]
    assert without == [], "a row of fixtures/mutants/bugs.toml has no code in its module"
    for home in {one.home for one in registry().values()}:
        coded = set(importlib.import_module(f"fixtures.mutants.{home}").PLANTS)
        named = {one.name for one in registry().values() if one.home == home}
        assert coded - named == set(), f"{home}.py has bugs that are no rows of its table"


def test_every_bug_takes_the_place_of_a_seam():
    from fixtures.mutants.base import registry

    seams = {
        node.args[0].value
        for path in CODE
        if path.relative_to(ROOT).parts[0] in ("drillbook", "fixtures")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "seam"
    }
    used = {seam for one in registry().values() for seam in one.hooks}
    assert used - seams == set(), "no function is a seam of this name: the bug would never show"
    assert seams - used == set(), "no bug is planted at this seam: it is a function like any other"


def test_every_planted_class_overrides_what_the_reference_backend_has():
    from fixtures.mutants.base import registry
    from fixtures.reference.app import Parts

    for name, mutant in registry().items():
        for part, planted in mutant.parts.items():
            honest = getattr(Parts(), part)
            assert issubclass(planted, honest), (name, part)
            new = [base for base in planted.__mro__ if base not in honest.__mro__]
            own = {key for base in new for key in vars(base)}
            assert own & set(dir(honest)) - set(dir(object)) or "__init__" in own, (name, part)


# Commands that run for as long as their caller waits.
ENDLESS = {
    "drillbook/cli/commands.py",
    "reports/qualification/trial.py",
}


def test_a_command_that_is_called_has_a_time_limit():
    endless = [
        f"{relative(path)}:{node.lineno}"
        for path in CODE
        if relative(path).split("/")[0] in ("drillbook", "fixtures", "reports")
        and relative(path) not in ENDLESS
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "subprocess.run"
        and not any(keyword.arg == "timeout" for keyword in node.keywords)
    ]
    assert endless == [], "a command that hangs would hold the run for ever: add timeout="


def test_what_a_command_printed_is_no_repr_in_a_message():
    values = (node for path in CODE for node in ast.walk(tree(path)) if "tests" not in path.parts)
    shown = [ast.unparse(one) for one in values if isinstance(one, ast.FormattedValue)]
    assert len(shown) > 999
    assert [one for one in shown if re.search(r"(stderr|stdout)(\[.*\])?!r", one)] == []


def corrections():
    """Each correction with its control, its word, and all of its text."""
    for control in CATALOGUE:
        for word, said in control.get("corrections", {}).items():
            yield control["id"], word, "\n".join(str(part) for part in said.values())


def test_claims_have_corrections():
    bare = [one["id"] for one in CATALOGUE if one["nature"] == "claim" and not one["corrections"]]
    assert bare == [], "say in controls.toml what the runbook should say instead"


def test_a_correction_is_of_a_word_that_the_specs_of_its_control_observe():
    beside = [path for path in CODE if relative(path).split("/")[0] in ("drillbook", "fixtures")]
    code = [path for path in beside if not {"document", "mutants"} & {*path.parts}]
    shared = [path.read_text() for path in (*code, ROOT / "suites" / "conftest.py")]
    dead = []
    for one in CATALOGUE:
        own = [text for text in map(Path.read_text, SPECS) if f'"{one["id"]}"' in text]
        words = set(re.findall(r'"(\w+)["{]', "".join([*own, *shared])))
        # A word may be made of a beginning and one of several ends.
        begun = tuple(word for word in words if word.endswith("_"))
        said = one.get("corrections", {})
        dead += [(one["id"], w) for w in said if w not in words and not w.startswith(begun)]
    assert dead == [], "no spec observes it: take it out, or observe it"


def test_a_target_that_was_given_gates():
    of_targets = [one for one in CATALOGUE if one["id"] in ("DRL-3", "UPG-4", "UPG-5")]
    assert len(of_targets) == 3
    assert all(verdict.gates(one["nature"], one["severity"]) for one in of_targets)


def test_what_the_product_violates_has_a_cure():
    cures = {one["id"]: one.get("corrections", {}) for one in CATALOGUE}
    sections = tomllib.loads((ROOT / "tests" / "predicted.toml").read_text()).values()
    seen = [
        (control, word)
        for section in sections
        for control, said in section.items()
        if said[0] == "violated"
        for word in said[1:]
    ]
    assert len(seen) > 3
    assert [one for one in seen if one[1] not in cures[one[0]]] == []


def test_advice_to_go_back_empties_the_cache():
    # Otherwise releases of 2026 serve lists from before the restore from the cache
    # (docs/measured.md).
    going_back = re.compile(
        r"restor(?:e|ing) (?:\w+ ){0,3}(?:backup|dump)\b|way back is", re.IGNORECASE
    )
    lines = [(cause.name, cause.cure) for cause in diagnosis.ALL]
    lines += [(rule.id, rule.write) for rule in rules.rules().values()]
    lines += [(name, text) for name, _, text in corrections()]
    told = [(name, text) for name, text in lines if going_back.search(text)]
    assert len(told) > 8
    # The script there empties it.
    named = ("cache", "under Restore Database")
    forgotten = [name for name, text in told if not any(word in text for word in named)]
    assert forgotten == [], "add: and empty the cache"


def test_advice_to_restore_over_data_dumps_it_first_and_starts_only_what_is_whole():
    # What was written since the backup is in nothing else.
    restoring = re.compile(r"restor\w* [^.;]{0,60}into an empty database", re.IGNORECASE)
    told = [(cause.name, cause.cure) for cause in diagnosis.ALL]
    told += [(rule.id, rule.write) for rule in rules.rules().values()]
    declared = tomllib.loads((ROOT / "suites" / "controls.toml").read_text())
    told += declared["observations"].items()
    found = [(name, text) for name, text in told if restoring.search(text)]
    assert found
    # The documented dump command writes to the name of the backup.
    new = "dump what is there into a new file, never over the backup"
    assert [one for one in found if new not in one[1]] == []
    # A dump that failed has nothing, and the next step drops the database.
    going_on = re.compile(r"go on only if (that|it|the dump) ends with exit code 0")
    assert [one for one in found if not going_on.search(one[1])] == []
    # On half a database anyone can sign up as administrator.
    assert [one for one in found if "ON_ERROR_STOP=1" not in one[1]] == []
    assert [one for one in found if "exit code 0, start" not in one[1]] == []


def test_a_script_that_restores_dumps_first_and_starts_only_what_is_whole():
    order = ["set -e", "key check", "docker stop", "pg_dump", "FLUSHALL | grep -x OK", "dropdb"]
    order += ["createdb", "ON_ERROR_STOP=1", "docker start"]
    scripts = [text for _, _, text in corrections() if "dropdb" in text]
    assert len(scripts) == 2
    for script in scripts:
        places = [script.index(step) for step in order]
        assert places == sorted(places)
        # What was written since the backup is in nothing else.
        dumped = re.search(r"pg_dump .* > (.+)", script)[1]
        assert "$(date" in dumped, "a new file each time, never the backup"


def test_the_commands_of_a_correction_are_lines_for_a_shell():
    blocks = [said for one in CATALOGUE for said in one.get("corrections", {}).values()]
    blocks = [said["commands"] for said in blocks if "commands" in said]
    assert len(blocks) > 9
    for block in blocks:
        read = ["bash", "-n"]
        done = subprocess.run(read, input=block, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), block


def test_advice_to_change_auth_secret_names_the_tokens_that_no_login_brings_back():
    told = ["".join(text for name, _, text in corrections() if name == "KEY-2.AUTH")]
    told += [rules.rules()["key-purpose"].write, key_strength.cure("AUTH_SECRET")]
    lost = ("token auth", "SCIM", "bootstrap")
    assert [text for text in told if not all(kind in text for kind in lost)] == []


def test_advice_to_remove_a_jwt_secret_changes_no_auth_secret_that_is_set():
    (said,) = [text for name, _, text in corrections() if name == "ENV-1.AUTH" and "remove" in text]
    assert "if it has none (else leave it as it is)" in said


def test_a_restore_by_pg_restore_reads_its_file_and_ends_at_the_first_error():
    # Without -i it reads nothing; without the other it goes on after errors.
    text = "".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
    shown = re.findall(r"`(docker exec[^`]* pg_restore [^`]*)`", text)
    assert shown
    assert [one for one in shown if "exec -i " not in one or "--exit-on-error" not in one] == []


def test_documents_put_no_secret_into_the_history_of_a_shell():
    given = re.compile(r"\bexport \w+=(?![\"']?\$)")
    documents = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    kept = [
        f"{relative(path)}:{number}"
        for path in documents
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if given.search(line) and "PATH=" not in line
    ]
    assert kept == [], "say: read -rs NAME; export NAME"


def test_advice_about_lifetimes_keeps_the_credentials_of_machines():
    # The product deletes client secrets with the universal auth that they belong to.
    (said,) = [text for _, word, text in corrections() if word == "machine_tokens_live_for_days"]
    assert "in place" in said
    assert "PATCH" in said
    # What a renewal beyond the maximum calls for belongs to the control that looks for it.
    assert [name for name, word, _ in corrections() if word == "renewed_beyond_maximum"] == [
        "SEC-8"
    ]


def test_advice_to_change_the_password_names_each_place_of_it():
    # The product's own connection string wins over everything else.
    told = [(rule.id, rule.write) for rule in rules.rules().values()]
    told += [(name, text) for name, _, text in corrections()]
    changing = re.compile(r"(ALTER USER|\\password).*redeploy", re.IGNORECASE | re.DOTALL)
    told = [(name, text) for name, text in told if changing.search(text)]
    assert len(told) > 1
    # On a command line a password is in the history, and others see it while it runs.
    assert r"-c '\password" in dict(told)["DBP-1"]
    assert [name for name, text in told if "DB_CONNECTION_URI" not in text] == []
    # A variable POSTGRES_PASSWORD next to that of Coolify's own template changes nothing.
    told.append(("preflight", key_strength.cure("POSTGRES_PASSWORD")))
    told = [(name, text) for name, text in told if "preflight" in name or "POSTGRES_PASS" in text]
    assert len(told) > 1
    assert [name for name, text in told if "SERVICE_PASSWORD_POSTGRES" not in text] == []


def test_claims_name_what_was_there():
    claims = {one["id"]: one["claim"] for one in CATALOGUE}
    # The key of a backup may come from anywhere, and only --escrow gives two custodians' keys.
    assert [one for one, text in claims.items() if "escrow" in text and one != "KEY-11"] == []
    for left in ("users", "machines", "memberships", "imports", "earlier versions"):
        assert left in claims["MIG-2"]
    assert "among it" in claims["MIG-2"]


def test_advice_about_selectors_covers_the_wipe():
    (said,) = [text for _, word, text in corrections() if word == "wipe_selects_by_a_word"]
    order = [
        "pg_dump",
        "key check",
        "docker ps -a ",
        "docker volume ls ",
        "= yes ] &&",
        "docker rm",
    ]
    places = [said.index(step) for step in order]
    assert places == sorted(places)
    assert "name=" not in said


def test_advice_to_make_keys_keeps_those_of_an_instance_that_has_run():
    making = [text for _, _, text in corrections() if re.search(r"openssl .*_(KEY|SECRET)", text)]
    assert making
    assert [text for text in making if "keeps the value it has" not in text] == []


def test_a_list_to_look_at_has_names():
    # With -q, docker ps prints ids alone, in which no one sees another deployment.
    told = [(one.id, one.write) for one in rules.rules().values()]
    looked = [(name, text) for name, text in told if "look at the list" in text.lower()]
    assert looked
    assert [name for name, text in looked if re.search(r"docker ps -\w*q", text)] == []


def test_advice_to_redeploy_does_not_upgrade():
    # With a tag that moves and `pull_policy: always`, each `up` takes a new release.
    told = [(one.id, one.write) for one in rules.rules().values() if "compose up -d`" in one.write]
    assert len(told) > 2
    told += [(one.name, one.cure) for one in diagnosis.ALL if "redeploy" in one.cure]
    every = [(name, text) for name, _, text in corrections()]
    told += [(name, text) for name, text in every if re.search(r"\bredeploy\b", text, re.I)]
    assert len(told) > 9
    assert [name for name, text in told if "--pull never" not in text] == []


def test_advice_to_change_a_variable_redeploys():
    # A restart keeps the container's environment.
    told = [one for one in diagnosis.ALL if re.search(r"_URL|_URI|_USER|sslmode|_KEY", one.cure)]
    assert len(told) > 9
    without = [one.name for one in told if "redeploy" not in one.cure]
    assert without == ["database_empty"], "which only reads POSTGRES_USER"


def test_a_correction_that_adds_a_variable_redeploys():
    every = [(name, text) for name, _, text in corrections()]
    adding = [(name, text) for name, text in every if re.search(r"\bSet [A-Z_]+=", text)]
    assert adding
    assert [name for name, text in adding if "redeploy" not in text] == []


def test_options_are_named_as_the_command_line_has_them():
    declared = [one for one in vars(options).values() if isinstance(one, options.Option)]
    names = {word.replace("-", "_").upper() for one in declared for word in (one.name, *one.also)}
    # NAME=value is the form of an env file.
    of_make = re.compile(rf"(?<![\w$])({'|'.join(names - {'NAME'})})=(?!=)")
    ours = [path for path in CODE if not path.is_relative_to(ROOT / "tests")]
    documents = [path for path in (ROOT / "docs").glob("*.md") if path.name != "changelog.md"]
    guilty = [
        f"{relative(path)}:{number}"
        for path in [*ours, *documents, ROOT / "README.md", ROOT / "suites" / "controls.toml"]
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if of_make.search(line) and "`make " not in line
    ]
    assert guilty == [], "say --env-file, not ENV_FILE="


# Phrases that are hard to read, and what to say instead.
STILTED = {
    r"(?<![Tt]here )\b(?:is|are|was|were) no (?!longer|more|one|way)\w+": "is not a …",
    r"\b(?:whoever|nobody|somebody)\b": "the operator, anyone, no one",
    r"\bbeside\b": "next to, during, in the background",
    r"\b(?:told|tells? of)\b": "reports, prints, says",
    r"\bof before\b": "earlier",
    r"\botherwise than\b": "different from",
    r"\b(?:at hand|to be had)\b": "available",
    r"(?:^|[.:] )The same\b": "say what is the same",
    r"\b(?:Asked|Left alone) are\b": "The checks are, Excluded:",
    r"\bday nothing starts\b": "emergency recovery",
    r"\bback to life\b": "restore into an isolated stack",
    r"\b(?:thereof|whereof|hitherto|heretofore)\b": "a plain word",
}


def prose():
    """The texts that people read, each with its place: documents, templates, strings of code."""
    documents = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "suites/controls.toml"]
    documents += [*(ROOT / "drillbook").rglob("*.toml"), *(ROOT / "reports/templates").glob("*.j2")]
    for path in documents:
        text = re.sub(
            r"```.*?```|`[^`\n]+`|\{[{%#].*?[}%#]\}", "", path.read_text(), flags=re.DOTALL
        )
        yield relative(path), text
    for path in CODE:
        if not path.is_relative_to(ROOT / "tests"):
            for node in ast.walk(tree(path)):
                # A string without a blank may be the user `nobody`.
                if isinstance(node, ast.Constant) and " " in str(node.value):
                    yield f"{relative(path)}:{node.lineno}", str(node.value)


def test_texts_are_in_plain_words():
    found = [
        f"{place}: “{match[0].strip()}”, say {instead}"
        for place, text in prose()
        for stilted, instead in STILTED.items()
        for match in re.finditer(stilted, text, re.MULTILINE)
    ]
    assert found == []


def test_the_offline_image_holds_what_the_reference_backend_imports(tmp_path):
    script = (ROOT / "compose" / "offline" / "build.sh").read_text()
    lines = re.findall(r'(?m)^cp .*"\$work/reference/.*$', script)
    (tmp_path / "reference/drillbook/stack").mkdir(parents=True)
    (tmp_path / "reference/fixtures").mkdir()
    places = {"root": str(ROOT), "drillbook": str(ROOT / "drillbook"), "work": str(tmp_path)}
    copying = ["bash", "-euc", "\n".join(lines)]
    subprocess.run(copying, env=places | {"PATH": "/usr/bin:/bin"}, check=True, timeout=60)
    start = [sys.executable, "-m", "fixtures.reference"]
    place = tmp_path / "reference"
    done = subprocess.run(start, cwd=place, env={}, capture_output=True, text=True, timeout=60)
    # It starts until it reads its environment, which is empty.
    assert (done.returncode, "Traceback" in done.stderr) == (255, False), done.stderr


def test_nothing_tells_to_install_our_name_from_an_index():
    documents = [*CODE, *(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.yml")]
    by_name = re.compile(r"drillbook\[\w+\](?! @)|install [\"']?drillbook(?![\w-])")
    ours = [path for path in documents if not path.is_relative_to(ROOT / "tests")]
    assert [relative(path) for path in ours if by_name.search(path.read_text())] == []


def test_no_machine_or_workplace_is_named():
    # The operator's home is in our own image of a host.
    forbidden = re.compile(rf"{re.escape(str(ROOT))}|/root/|/home/(?!\{{USER\}})")
    guilty = [
        relative(path)
        for path in [*CODE, *ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "Makefile"]
        if forbidden.search(path.read_text()) and path.name != "test_conventions.py"
    ]
    assert guilty == []
