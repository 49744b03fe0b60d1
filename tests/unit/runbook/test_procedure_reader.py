"""What a document's sections mean, what is done by hand, and what placeholders stand for."""

import pytest

from drillbook.runbook.document import Document
from drillbook.runbook.files_used import env_files, folders, reads
from drillbook.runbook.procedure_reader import (
    Typed,
    find_ignored,
    literal_names,
    names_pattern,
    procedures,
)
from drillbook.runbook.sandbox import HOME
from drillbook.runbook.steps_by_hand import Act

NAMES = {"db": "db-1", "backend": "backend-1", "redis": "redis-1"} | {
    "project": "abc",
    "pg_data": "abc_pg-data",
    "redis_data": "abc_redis-data",
}


def read(text, title="# Infisical\n\n## Procedure\n\n"):
    return procedures(Document("infisical.md", title + text), NAMES, "pw")


def one(text, *title):
    (found,) = read(text, *title)
    return found


def block(*lines):
    return "\n".join(("```bash", *lines, "```", ""))


@pytest.mark.parametrize(
    ("lines", "meaning"),
    [
        (["docker exec db psql -U infisical -c \"ALTER USER infisical PASSWORD 'x'\""], "password"),
        (["docker exec db psql -U x <<E", "ALTER ROLE x WITH PASSWORD 'x';", "E"], "password"),
        (["docker exec db pg_dump -U infisical infisical > b.sql"], "backup"),
        (["docker exec db pg_dump -U infisical infisical | gzip > b.sql.gz"], "backup"),
        (["docker exec -i db psql -U infisical infisical < b.sql"], "restore"),
        (["gunzip -c b.sql.gz | docker exec -i db psql -U infisical"], "restore"),
        (["docker exec -i db pg_restore -U infisical -d infisical < b.dump"], "restore"),
        (["# This wipes the data", "docker compose down -v"], "wipe"),
        (["# Delete everything", "docker volume rm $(docker volume ls -q | grep x)"], "wipe"),
        (["docker exec -i db psql < $B", "B=$(ls /srv/*.sql | tail -n 1)"], "restore"),
        (["docker exec -i db psql < ${1:-/srv/b.sql}"], "restore"),
        (["curl -s http://localhost:8080/api/status"], "health"),
        (["openssl rand -hex 16  # ENCRYPTION_KEY"], "keys"),
        (["docker compose logs backend"], "logs"),
        (["docker compose pull"], ""),
        (["docker compose down -v", "docker exec -i db psql < b.sql"], "restore"),
    ],
)
def test_commands_say_what_a_section_means(lines, meaning):
    assert one(block(*lines)).meaning == meaning


@pytest.mark.parametrize(
    ("text", "acts"),
    [
        ("1. Update POSTGRES_PASSWORD in Coolify.", [("set", ("POSTGRES_PASSWORD",))]),
        ("2. Redeploy.", [("redeploy", ())]),
        ("Then redeploy the application through the Coolify UI.", [("redeploy", ())]),
        ("Click **Redeploy**.", [("redeploy", ())]),
        ("Stop the backend in Coolify.", [("stop", ())]),
        ("`docker restart` is not a redeployment: it keeps the environment.", []),
        ("Never restart the database here.", []),
        ("Coolify redeploys by itself.", []),
        ("<!-- drillbook: redeploy -->", [("redeploy", ())]),
        ("<!-- drillbook: set SITE_URL=https://x -->", [("set", ("SITE_URL",))]),
        ("<!-- drillbook: start redis -->", [("start", ())]),
        ("<!-- drillbook: start engine -->", []),
    ],
)
def test_what_is_done_by_hand_is_read_from_words_and_marks(text, acts):
    found = one(block("docker compose logs") + "\n" + text + "\n")
    assert [(act.verb, act.variables) for act in found.acts] == acts


def test_a_comment_of_a_block_parts_it():
    found = one(block("docker ps", "# 4. Update POSTGRES_PASSWORD in Coolify", "docker ps -a"))
    assert [type(step) for step in found.steps] == [Typed, Act, Typed]
    script = found.script()
    assert script.index("docker ps\n") < script.index("drillbook-step 1") < script.index("ps -a")


def test_a_comment_within_a_command_or_a_text_parts_nothing():
    found = one(block("cat > x <<E", "# Redeploy", "E", "for a in 1; do", "# Redeploy", "done"))
    assert [type(step) for step in found.steps] == [Typed]


def test_a_mark_stands_in_the_place_of_the_sentence_next_to_it():
    text = "1. Redeploy.\n   <!-- drillbook: redeploy -->\n\n"
    found = one(text + block("docker compose logs"))
    assert [act.verb for act in found.acts] == ["redeploy"]


@pytest.mark.parametrize(
    ("written", "run"),
    [
        ("docker exec <db-container> psql", "docker exec db-1 psql"),
        ("docker exec <postgres_container> psql", "docker exec db-1 psql"),
        ("docker logs <infisical-backend-container>", "docker logs backend-1"),
        ("docker rm $(docker ps -q --filter label=p=<uuid>)", "label=p=abc)"),
        ("docker volume inspect <pg-volume>", "docker volume inspect abc_pg-data"),
        ("docker volume inspect <redis-volume>", "docker volume inspect abc_redis-data"),
        ("docker exec db psql -c \"ALTER USER i PASSWORD 'new_password'\"", "PASSWORD 'pw'"),
        ("docker exec db psql -c \"ALTER USER i PASSWORD '<new-password>'\"", "PASSWORD 'pw'"),
        ("docker exec db psql -c \"ALTER USER i PASSWORD '…'\"", "PASSWORD 'pw'"),
        ("docker exec -i db psql < <backup-file>", "psql < backup.sql"),
        ("docker exec -i <db> psql < backup.sql", "docker exec -i db-1 psql < backup.sql"),
    ],
)
def test_placeholders_are_filled(written, run):
    found = one(block(written))
    assert not found.unfilled
    assert run in found.script()


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("docker logs <whatever>", "nothing is known to fill <whatever> with"),
        ("apt-get install jq", "`apt-get` is not a command that runs here"),
        ("docker logs $CONTAINER", "$CONTAINER has no value in the document"),
        ("1. Deploy a second instance", "`1.` is not a command that runs here"),
        ("psql -U x\nALTER USER x;\n\\q", "`ALTER` is not a command"),
    ],
)
def test_what_cannot_be_carried_out_says_why(written, reason):
    assert reason in one(block(written)).unfilled


def test_a_variable_comes_from_the_last_block_before_that_assigns_it():
    text = block("db=old; docker ps") + "\n## Two\n\n" + block("db=$(docker ps -q)", "docker ps")
    three = read(
        text + "\n## Three\n\n" + block('docker logs "$db"', "for a in 1; do echo $a; done")
    )[2]
    assert three.preamble == "db=$(docker ps -q)"
    assert not three.unfilled


def test_a_file_has_the_text_that_a_sentence_gives_it():
    text = block("docker exec -i <db> psql -U infisical < alter.sql")
    found = one(text + "\nwhere alter.sql holds `ALTER USER infisical WITH PASSWORD '…';`.\n")
    assert found.files == {"alter.sql": "ALTER USER infisical WITH PASSWORD 'pw';\n"}
    assert found.meaning == "password"


def test_steps_that_are_sections_of_their_own_are_one_procedure():
    steps = "### Step 1: alter\n\n" + block("docker exec db psql -c \"ALTER USER i PASSWORD 'x'\"")
    found = one(steps + "\n### Step 2: deploy\n\nRedeploy.\n")
    assert (found.title, found.meaning) == ("Procedure", "password")
    assert [act.verb for act in found.acts] == ["redeploy"]


def test_what_the_document_warns_of_is_no_procedure():
    assert read("Do not run:\n\n" + block("docker compose down -v")) == []


def test_a_section_that_is_to_be_skipped_says_why():
    found = one("<!-- drillbook: skip needs two servers -->\n\n" + block("docker compose pull"))
    assert found.skipped == "needs two servers"


def test_a_mark_that_a_block_shows_is_none():
    assert one(block("docker ps") + "\n```html\n<!-- drillbook: redeploy -->\n```\n").acts == []


def test_a_health_report_without_a_command_is_looked_at():
    shown = '```json\n{"message": "Ok", "redisConfigured": true}\n```\n'
    found = one(shown)
    assert (found.meaning, found.shown) == ("health", {"message": "Ok", "redisConfigured": True})


def test_names_of_containers_are_those_of_the_document():
    document = Document(
        "infisical.md",
        "<!-- drillbook: names {service}-{id}-x -->\n" + block("docker exec -i infisical-db psql"),
    )
    assert names_pattern(document) == "{service}-{id}-x"
    assert literal_names(document) == {"db": "infisical-db"}


@pytest.mark.parametrize(
    ("blocks", "names"),
    [
        (['DB=infisical-db\ndocker exec "$DB" pg_dump -U x > b.sql'], {"db": "infisical-db"}),
        (["BACKEND=vault-backend", "docker stop ${BACKEND}"], {"backend": "vault-backend"}),
        (['P=vault; DB="${P}-db"; docker exec $DB psql'], {"db": "vault-db"}),
        (['DB="${DB:-infisical-db}"; docker exec "$DB" psql'], {"db": "infisical-db"}),
        (['docker exec "${1:-infisical-db}" psql'], {"db": "infisical-db"}),
        (
            ['for c in wiki-db infisical-db \\\n  infisical-backend; do docker rm -f "$c"; done'],
            {"db": "infisical-db", "backend": "infisical-backend"},
        ),
        (
            ['all=(infisical-db vault-redis)\nfor c in "${all[@]}"; do docker stop "$c"; done'],
            {"db": "infisical-db", "redis": "vault-redis"},
        ),
        (['DB=$(docker ps -qf name=infisical-db); docker exec "$DB" psql'], {}),
        (["for c in $(docker compose ps -q backend db); do docker stop $c; done"], {}),
        (["A=$B; B=$A; docker stop $A"], {}),
    ],
)
def test_a_name_of_a_container_may_stand_in_a_variable(blocks, names):
    assert literal_names(Document("infisical.md", "\n".join(map(block, blocks)))) == names


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        (["# Don't lose it", "docker logs $NAME", "# or the operator's other one"], "NAME"),
        (["echo \"it's\"; docker logs $NAME; echo 'x'"], "NAME"),
        (["docker exec db sh -c 'pg_dump -U \"$NAME\"'"], ""),
        (["psql <<'E'", "SELECT '$NAME';", "E"], ""),
        (["docker logs ${NAME:-backend} > ${OTHER-x}"], ""),
        (["docker logs ${NAME:?say which}"], "NAME"),
        (['[[ $EUID -eq 0 ]] && echo "$LINENO"'], ""),
        (["if true; then NAME=x; fi", "docker logs $NAME"], ""),
        (["f() { local name=$1; docker logs $name; }"], ""),
        (["docker ps | while read -r name; do docker logs $name; done"], ""),
        (["while read -r name; do docker logs $name; done < names"], ""),
        (["read -r name <<< backend; docker logs $name"], ""),
        (['test -s "$1"', 'gzip -dc "$1" | psql'], "1"),
        (["docker logs ${2}"], "2"),
        (["docker logs ${1:?name}"], "1"),
        (["docker logs ${1:-backend} $0"], ""),
        (["set -- backend; docker logs $1"], ""),
        (["f() { docker logs $1; }; docker ps | awk '{print $1}'"], ""),
        (['read -rsp "Password: " NAME; docker logs $NAME'], "NAME"),
        (["read -r NAME; docker logs $NAME"], "NAME"),
    ],
)
def test_what_lacks_a_value_is_read_from_the_syntax(lines, missing):
    said = f"${missing} has no value in the document" if missing else ""
    assert one(block(*lines)).unfilled == said


def test_an_apostrophe_in_a_comment_hides_no_variable():
    text = block("db=infisical-db; docker ps") + "\n## Two\n\n"
    two = read(text + block("# Don't lose the key", 'docker exec "$db" pg_dump', "# it's it"))[1]
    assert two.preamble == "db=infisical-db"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("COMPOSE_PROJECT_NAME=nextcloud docker compose down -v", "COMPOSE_PROJECT_NAME"),
        ("export COMPOSE_FILE=/opt/nextcloud/compose.yml", "COMPOSE_FILE"),
        ('cd "$(dirname "$0")"', 'dirname "$0'),
        ('cd "$(dirname "${BASH_SOURCE[0]}")"', 'dirname "${BASH_SOURCE'),
    ],
)
def test_what_is_not_followed_leaves_a_section_undecided(line, said):
    found = one(block(line, "docker compose down -v"))
    assert f"`{said}` is not followed here" in found.unfilled


def test_files_of_variables_that_a_procedure_names():
    lines = ["docker compose --env-file prod.env up -d", "docker compose --env-file=/srv/b.env ps"]
    found = one(block(*lines, "docker compose --env-file $X ps"))
    assert env_files(found) == ["prod.env", "/srv/b.env"]


def test_folders_and_backups_that_a_procedure_names():
    found = one(
        block("cd /opt/infisical", "gzip -dc /srv/backups/x.sql.gz | docker exec -i db psql")
    )
    assert folders(found) == ["/opt/infisical", "/srv/backups"]
    assert reads(found) == ["/srv/backups/x.sql.gz"]


@pytest.mark.parametrize(
    ("lines", "needed"),
    [
        (['B=/srv/backups/x; pg_dump infisical | gzip > "$B/a.gz"'], ["/srv/backups/x"]),
        (['B="${1:-/srv/x}"; pg_dump infisical > "${B}"/$(date +%F)/a.sql'], ["/srv/x"]),
        (['STACK=/opt/infisical; cd "$STACK"', "docker compose up -d"], ["/opt/infisical"]),
        (
            ["cd ~/infisical", "docker compose ps > a/b"],
            [f"{HOME}/infisical", f"{HOME}/infisical/a"],
        ),
        (["cd infisical && docker compose up -d"], [f"{HOME}/infisical"]),
        (["cd $HOME/x; docker compose ps"], [f"{HOME}/x"]),
        (["docker compose --project-directory /opt/x up"], ["/opt/x"]),
        (["sed -i s/a/b/ ~/x/.env"], [f"{HOME}/x"]),
        (["mkdir /srv/new", "pg_dump infisical > /srv/new/a.sql"], []),
        (["mkdir -p /srv/new", "pg_dump infisical > /srv/new/a.sql"], ["/srv/new"]),
        (["docker exec db pg_dump -f /dumps/x.dump"], ["/dumps"]),
        (["cd /etc/infisical"], ["/etc/infisical"]),
        (["sed -i s/a/b/ /etc/infisical/.env"], ["/etc/infisical"]),
        (["docker exec db sh -c 'cd /app && ls'"], []),
        (["docker logs backend > /dev/null 2> /tmp/x", "createdb -O /a/b x; cd -"], []),
        (["cp /srv/a.sql /srv/b/c.sql"], ["/srv", "/srv/b"]),
    ],
)
def test_the_folders_that_a_procedure_needs(lines, needed):
    assert folders(one(block(*lines))) == needed


@pytest.mark.parametrize(
    ("restore", "path"),
    [
        ('gzip -dc "$backup" | docker exec -i db psql', "/srv/x.sql.gz"),
        ("docker exec -i db psql < ${backup}", "/srv/x.sql.gz"),
        ('gzip -dc "$folder/y.sql.gz" | docker exec -i db psql', "$folder/y.sql.gz"),
    ],
)
def test_a_backup_is_read_by_the_variable_that_names_it(restore, path):
    assert reads(one(block("backup=/srv/x.sql.gz  # proved", restore))) == [path]


@pytest.mark.parametrize(
    ("lines", "paths"),
    [
        (["xz -dc /srv/x.sql.xz | docker exec -i db psql"], ["/srv/x.sql.xz"]),
        (["cd /opt/infisical", "docker exec -i db psql < x.dump"], ["/opt/infisical/x.dump"]),
        (["cd ~/x && zcat b.sql.gz | psql"], [f"{HOME}/x/b.sql.gz"]),
        (["docker exec -i db pg_restore < /opt/<dump-file>"], ["/opt/backup.sql"]),
        (["psql --file=/srv/x.sql"], ["/srv/x.sql"]),
        (["psql -f /srv/x.dmp"], ["/srv/x.dmp"]),
        (["psql -f x.sql -d infisical"], [f"{HOME}/x.sql"]),
        (['psql -f "$1"'], ["$1"]),
        (['psql -d "$1"', 'pg_restore -d "$2"', 'docker logs "$3"'], []),
        (['gzip -dc "${1:-/srv/x.sql.gz}" | psql'], ["/srv/x.sql.gz"]),
        (["x=$(ls -t /srv/*.gz | head -1)", 'zcat "$x" | psql'], ["$(ls -t /srv/*.gz | head -1)"]),
        (["for f in a.sql b.sql; do psql < $f; done"], [f"{HOME}/a.sql", f"{HOME}/b.sql"]),
        (["while read -r a; do echo $a; done < .env", "psql < /srv/x.sql"], ["/srv/x.sql"]),
        (["while read -r a; do echo $a; done < list"], [f"{HOME}/list"]),
        (["xz -dc b.sql.xz > r.sql", "psql < r.sql"], [f"{HOME}/b.sql.xz"]),
        (["gunzip b.sql.gz", "psql < b.sql"], [f"{HOME}/b.sql.gz"]),
        (["f=/srv/b.xz", 'xz -t "$f"', 'xz -dc "$f" | psql'], ["/srv/b.xz"]),
        (["pg_dump -Fc -f now.dump", "pg_restore -d x now.dump"], []),
        (["cp /mnt/b.sql /srv/", "psql < /srv/b.sql"], ["/mnt/b.sql"]),
        (["docker cp b.sql db:/tmp/b.sql", "docker exec db psql -f /tmp/b.sql"], [f"{HOME}/b.sql"]),
        (["psql < <(zcat b.sql.gz)", "psql </dev/null"], [f"{HOME}/b.sql.gz"]),
    ],
)
def test_what_a_procedure_reads_is_what_it_does_not_make(lines, paths):
    assert reads(one(block(*lines))) == paths


def test_a_password_in_a_variable_is_typed_as_that_variable():
    lines = ["P=$(openssl rand -hex 16)", "docker exec db psql -c \"ALTER USER i PASSWORD '$P'\""]
    found = one(block(*lines) + "\nUpdate POSTGRES_PASSWORD in Coolify. Redeploy.\n")
    assert 'drillbook-step 1 "$P"' in found.script()


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("1. Run `docker restart backend`.\n", ["docker restart backend"]),
        ("1. `docker compose stop`\n2. Then run `docker compose up -d`.\n", 2),
        ("Empty the cache with `docker exec redis redis-cli FLUSHALL`.\n", 1),
        ("Restart the backend: `docker restart backend`.\n", ["docker restart backend"]),
        ("`curl -s http://localhost:8080/api/status` has to answer.\n", 1),
        ("If it hangs, run `docker restart backend`.\n", 0),
        ("Never run `docker compose down -v`.\n", 0),
        ("`docker restart backend` does not take it.\n", 0),
        ("The job runs `pg_dump infisical` at night.\n", 0),
        ("| a | b |\n| - | - |\n| Stop | `docker compose stop` |\n", 0),
    ],
)
def test_what_a_sentence_tells_to_type_is_a_step(text, typed):
    steps = [step for found in read(text) for step in found.steps]
    scripts = [step.script for step in steps if isinstance(step, Typed)]
    assert (scripts if isinstance(typed, list) else len(scripts)) == typed
    assert [step for step in steps if isinstance(step, Act)] == []


def test_items_of_a_list_with_labels_are_procedures():
    text = (
        "- back up: `pg_dump infisical > b.sql`\n- new pw: `psql -c \"ALTER USER x PASSWORD 'y'\"`,"
    )
    text += " `docker restart backend`\n- **logs**: `docker logs backend`\n"
    found = read(text)
    assert [(it.title, it.meaning, len(it.steps)) for it in found] == [
        ("back up", "backup", 1),
        ("new pw", "password", 2),
        ("logs", "logs", 1),
    ]
    assert [it.section.line for it in found] == [5, 6, 7]
    document = Document("infisical.md", "# Infisical\n\n## Procedure\n\n" + text)
    assert document.source(found[0].section) == text.split("\n")[0]


def test_what_a_recorded_session_printed_is_no_command():
    found = one(
        "```console\n$ docker exec db psql -c \"ALTER ROLE x PASSWORD 'y'\"\nALTER ROLE\n```\n"
    )
    assert (found.meaning, found.unfilled) == ("password", "")


UP = "docker compose up -d"


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("Change POSTGRES_PASSWORD in `.env`. Run `docker compose up -d`.", ["set", UP]),
        ("Put the new A_B into `.env` and run `docker compose up -d`.", ["set", UP]),
        ("Run `docker compose up -d`. Change POSTGRES_PASSWORD in Coolify.", [UP, "set"]),
        ("X. <!-- drillbook: set A_B=c --> Run `docker compose up -d`.", ["set", UP]),
        ("Run `docker compose up -d`. <!-- drillbook: set A_B=c -->", [UP, "set"]),
    ],
)
def test_steps_of_one_line_keep_the_order_of_the_text(text, order):
    found = [getattr(step, "verb", "") or step.text for step in one(text).steps]
    assert found == (["set", UP] if order == 2 else order)


PASSWORD = ("set", ("POSTGRES_PASSWORD",), "new")
DEPLOY = ("redeploy", (), "new")


@pytest.mark.parametrize(
    ("text", "acts"),
    [
        ("Update POSTGRES_PASSWORD in Coolify and redeploy.", [PASSWORD, DEPLOY]),
        ("Update POSTGRES_PASSWORD in Coolify, save, then click **Redeploy**.", [PASSWORD, DEPLOY]),
        ("Save and re-deploy.", [DEPLOY]),
        ("Log in, then update POSTGRES_PASSWORD; compose stop is not needed.", [PASSWORD]),
        ("Coolify will stop and redeploy by itself.", []),
        ("Redeploy or restart the backend.", []),
        ("Redeploy can take a minute.", []),
        ("Update POSTGRES_PASSWORD in Coolify and start over.", []),
    ],
)
def test_a_sentence_may_give_several_steps(text, acts):
    found = one(block("docker compose logs") + "\n" + text + "\n")
    assert [(act.verb, act.variables, act.value) for act in found.acts] == acts


@pytest.mark.parametrize(
    ("text", "acts"),
    [
        ("In Coolify, set POSTGRES_PASSWORD to the new password.", [PASSWORD]),
        ("In `.env` change POSTGRES_PASSWORD.", [PASSWORD]),
        ("In the Coolify UI, under the settings tab, modify POSTGRES_PASSWORD.", [PASSWORD]),
        ("Open the resource in Coolify, change POSTGRES_PASSWORD, save.", [PASSWORD]),
        ("Open POSTGRES_PASSWORD in Coolify and change its value.", [PASSWORD]),
        ("Please update POSTGRES_PASSWORD in Coolify.", [PASSWORD]),
        ("Replace the old POSTGRES_PASSWORD in `.env` by the new one.", [PASSWORD]),
        ("Put POSTGRES_PASSWORD into the password manager.", []),
        ("In case the environment is lost, redeploy.", []),
        ("In Coolify, POSTGRES_PASSWORD is set by hand.", []),
        ("In Coolify you can set POSTGRES_PASSWORD.", []),
    ],
)
def test_a_variable_is_typed_where_the_sentence_says(text, acts):
    found = one(block("docker compose logs") + "\n" + text + "\n")
    assert [(act.verb, act.variables, act.value) for act in found.acts] == acts


LOAD = block("docker exec -i db psql -U infisical infisical < /srv/b.sql")
NEWEST = block("B=$(ls -t /srv/*.sql | head -n 1)", "psql infisical < $B")
ALTER = block("docker exec db psql -c \"ALTER USER i PASSWORD 'x'\"")
STOP, START = block("docker stop backend"), block("docker start backend")


def chapter(title, **sections):
    """A chapter of a document with these sections, each with a block."""
    return f"## {title}\n\n" + "".join(
        f"### {name.replace('_', ' ')}\n\n{text}\n" for name, text in sections.items()
    )


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (
            chapter("Restore", **{"1._Stop": STOP, "2._Load the dump": LOAD, "3._Start": START}),
            1,
        ),
        (chapter("Restore", Stop=STOP, Load=NEWEST, Start=START), 1),
        (chapter("Rotate the password", Change_it=ALTER, Deploy="Redeploy.\n"), 1),
        (chapter("Backup and restore", **{"1._Dump": STOP, "2._Load": LOAD}), 2),
        (chapter("Operations", **{"1._Stop": STOP, "2._Load": LOAD}), 2),
        (chapter("Restore", From_a_dump=LOAD, From_another_dump=LOAD), 2),
        (chapter("Restore", Load=LOAD + START, Stop_it_again=STOP), 2),
        (chapter("Restore", Load=LOAD, If_it_fails=STOP), 2),
        (chapter("Restore", Load=LOAD, Stop="<!-- drillbook: skip no -->\n\n" + STOP), 2),
    ],
)
def test_parts_of_a_chapter_are_one_procedure_where_none_is_whole(text, count):
    assert len(read(text, "# Infisical\n\n")) == count


@pytest.mark.parametrize(
    "line",
    [
        'psql -v new_password="$NEW_PASSWORD" -c "ALTER USER i PASSWORD :\'new_password\'"',
        "unset NEW_PASSWORD",
        "export PGUSER NEW_PASSWORD",
        "read -rs new_password",
        "read -rsp 'The new one: ' new_password",
        "docker exec -e NEW_PASSWORD db env",
        "test ${#NEW_PASSWORD} -gt 20",
        'NEW_PASSWORD=x; for name in NEW_PASSWORD; do echo "${!name}"; done',
    ],
)
def test_a_variable_called_new_password_keeps_its_name(line):
    assert line in one(block("docker ps", line)).script()


@pytest.mark.parametrize(
    ("written", "run"),
    [
        ("psql -c \"ALTER USER i PASSWORD '<new-password>'\"", "PASSWORD 'c0ffee'"),
        ("NEW_PASSWORD='new_password'", "NEW_PASSWORD='c0ffee'"),
        ("sed -i 's|^PW=.*|PW=new_password|' .env", "PW=c0ffee|"),
        ("docker exec -e PGPASSWORD=new_password db psql", "PGPASSWORD=c0ffee"),
        ("export A=b\necho new_password", "echo c0ffee"),
        ("pg_dump postgresql://i:new_password@db/i", "i:c0ffee@db"),
        ("NEW_PASSWORD=x; psql -c \"ALTER USER i PASSWORD 'NEW_PASSWORD'\"", "'c0ffee'"),
    ],
)
def test_a_word_for_the_new_password_is_typed_as_one(written, run):
    document = Document("infisical.md", "# Infisical\n\n" + block("docker ps", written))
    (found,) = procedures(document, NAMES, "c0ffee")
    assert not found.unfilled
    assert run in found.script()


RESTORE = ["docker exec -i db psql -U infisical infisical < b.sql"]
ALTERS = ["docker exec db psql -c \"ALTER USER i PASSWORD 'x'\""]


@pytest.mark.parametrize(
    ("lines", "text", "values"),
    [
        (RESTORE, "Set ENCRYPTION_KEY in `.env` to the key that was saved with the backup.", []),
        (RESTORE, "Set ENCRYPTION_KEY in `.env`.", []),
        (RESTORE, "Set ENCRYPTION_KEY and AUTH_SECRET in `.env` only if this is a new host.", []),
        (RESTORE, "Set ENCRYPTION_KEY in `.env` to a new key.", ["new"]),
        (RESTORE, "Set ENCRYPTION_KEY in `.env` to the old key.", ["old"]),
        (["docker ps"], "Set ENCRYPTION_KEY in Coolify to the key from the vault.", ["old"]),
        (["openssl rand -hex 16"], "Set ENCRYPTION_KEY to the key that you stored.", ["new"]),
        (ALTERS, "Set POSTGRES_PASSWORD in Coolify to the password you saved.", ["new"]),
        (ALTERS, "Update POSTGRES_PASSWORD in Coolify, if you use it.", []),
    ],
)
def test_a_key_is_the_one_that_the_sentence_means(lines, text, values):
    found = one(block(*lines) + "\n" + text + "\n")
    assert [act.value for act in found.acts] == values


@pytest.mark.parametrize(
    ("text", "verbs", "is_known"),
    [
        ("Redeploy if needed.", [], False),
        ("Redeploy only if the command above printed ALTER ROLE.", ["redeploy"], True),
        ("Redeploy if it did not print ALTER ROLE.", [], False),
        ("Redeploy: if it fails, look at the log.", ["redeploy"], True),
        ("Redeploy. Restart the backend if it hangs.", ["redeploy"], True),
    ],
)
def test_a_step_for_some_cases_is_not_done_and_leaves_the_result_unknown(text, verbs, is_known):
    found = one(block(*ALTERS) + "\n" + text + "\n")
    assert ([act.verb for act in found.acts], not found.unfilled) == (verbs, is_known)


@pytest.mark.parametrize(
    ("session", "typed"),
    [
        (
            "$ docker exec -i db psql <<'SQL'\nSELECT 1;\nSQL\n 1\n$ docker ps",
            "docker exec -i db psql <<'SQL'\nSELECT 1;\nSQL\n\ndocker ps",
        ),
        (
            "$ docker exec -i db psql <<SQL\n> SELECT 1;\n> SQL\n 1",
            "docker exec -i db psql <<SQL\nSELECT 1;\nSQL",
        ),
        ("$ docker ps \\\n> -a\nNAMES", "docker ps \\\n-a"),
        ("[root@docker01 infisical]# docker ps -a\nNAMES", "docker ps -a"),
        ("# docker exec would do as well\ndocker ps", "# docker exec would do as well\ndocker ps"),
        ("# docker ps -a\ntouch /srv/x", "# docker ps -a\ntouch /srv/x"),
        ("# cd is not needed\ndocker ps", "# cd is not needed\ndocker ps"),
        ("# find the container\nx=$(docker ps -q)", "# find the container\nx=$(docker ps -q)"),
    ],
)
def test_a_recorded_session_is_what_was_typed_at_its_prompts(session, typed):
    found = one(f"```console\n{session}\n```\n")
    assert [step.text.strip() for step in found.steps if isinstance(step, Typed)] == [typed]


DUMP = "docker exec db pg_dump -U i infisical > b.sql"
MAKE, DROP = "docker exec db createdb -U i scratch", "docker exec db dropdb -U i scratch"
FILL = "docker exec -i db psql -U i -d scratch < b.sql"


@pytest.mark.parametrize(
    ("lines", "meaning"),
    [
        ([DUMP, MAKE, FILL, DROP], "backup"),
        ([DUMP, MAKE, FILL.replace("-d scratch", "scratch"), DROP], "backup"),
        (["psql -c 'CREATE DATABASE scratch'", FILL, "psql -c 'DROP DATABASE scratch'"], ""),
        ([MAKE, FILL, DROP], ""),
        (["; ".join((DROP, MAKE, FILL))], "restore"),
        ([MAKE, FILL], "restore"),
        ([MAKE, FILL, "psql -c 'ALTER DATABASE scratch RENAME TO infisical'", DROP], "restore"),
        ([FILL], "restore"),
        ([DUMP, MAKE, FILL, DROP, "docker exec -i db psql -U i -d infisical < b.sql"], "restore"),
    ],
)
def test_a_restore_into_a_database_that_goes_again_is_a_test(lines, meaning):
    assert one(block(*lines)).meaning == meaning


@pytest.mark.parametrize(
    ("lines", "meaning"),
    [
        (["log() { echo x; }", "function dump { pg_dump i; }", "log a", "dump > b.sql"], "backup"),
        (["for i in 1 2; do curl localhost/api/status && break; continue; done"], "health"),
        (["sudo PGAPPNAME=backup docker exec db pg_dump -U i i > b.sql"], "backup"),
        (["sudo -u postgres A=b C=d pg_dump i > b.sql"], "backup"),
        (["env PGAPPNAME=backup docker exec db pg_dump -U i i > b.sql"], "backup"),
        (["PGAPPNAME=backup docker exec db pg_dump -U i i > b.sql"], "backup"),
    ],
)
def test_functions_and_prefixes_of_a_document_run_here(lines, meaning):
    found = one(block(*lines))
    assert (found.meaning, found.unfilled) == (meaning, "")


@pytest.mark.parametrize(
    ("written", "run"),
    [
        ("sudo A=b docker ps", "sudo env A=b docker ps"),
        ("sudo -u postgres -E A=b docker ps", "sudo -u postgres -E env A=b docker ps"),
        ("sudo docker ps", "sudo docker ps"),
        ("sudo env A=b docker ps", "sudo env A=b docker ps"),
    ],
)
def test_sudo_sets_variables_for_the_command(written, run):
    assert f"\n{run}\n" in one(block(written)).script()


ROLE = "docker exec db psql -c \"ALTER USER i PASSWORD 'x'\""
WIPE = "docker compose down -v"
NOT_SAID = "it removes the volumes with the data, and does not say so"


@pytest.mark.parametrize(
    ("title", "said", "lines", "meaning", "reason"),
    [
        ("# Infisical\n\n## Rotate", "", [ROLE, WIPE], "password", ""),
        ("# Infisical\n\n## Reset the password", "", [ROLE, WIPE], "password", ""),
        ("# Infisical\n\n## It restarts", "", [WIPE], "", NOT_SAID),
        ("# Infisical\n\n## It restarts", "Never delete the data.\n\nThen:", [WIPE], "", NOT_SAID),
        ("# Infisical\n\n## It restarts", "", [DUMP, WIPE], "backup", NOT_SAID),
        ("# Infisical\n\n## It restarts", "This removes all data.", [WIPE], "wipe", ""),
        ("# Infisical\n\n## Wipe it", "", [WIPE], "wipe", ""),
        ("# Infisical\n\n## Reset\n\n### On the host", "", [WIPE], "wipe", ""),
        ("# Infisical: dump and wipe\n\n## It restarts", "", [WIPE], "", NOT_SAID),
    ],
)
def test_what_removes_the_data_is_a_wipe_only_where_the_section_says_so(
    title, said, lines, meaning, reason
):
    found = one(f"{said}\n\n" + block(*lines), title + "\n\n")
    assert (found.meaning, found.unfilled) == (meaning, reason)


@pytest.mark.parametrize(
    ("title", "lines", "meaning", "is_named"),
    [
        ("Restore", [DUMP], "backup", False),
        ("Upgrade", [DUMP], "backup", False),
        ("Update to the new version", ["docker logs backend"], "logs", False),
        ("Before an upgrade", [DUMP], "backup", True),
        ("Dump, then upgrade", [DUMP], "backup", True),
        ("Rotate POSTGRES_PASSWORD, after a backup", [DUMP, ROLE], "password", True),
        ("Secrets: look at the logs", ["docker logs backend"], "logs", True),
        ("Logs", ["curl localhost/api/status", "docker logs backend"], "logs", True),
        ("Log in on the server", ["docker logs backend"], "logs", True),
        ("Restore the newest", [DUMP, "B=b.sql", "docker exec -i db psql < $B"], "restore", True),
    ],
)
def test_a_title_that_names_another_end_leaves_its_own_unchecked(title, lines, meaning, is_named):
    found = one(block(*lines), f"# Infisical\n\n## {title}\n\n")
    assert (found.meaning, not found.unfilled) == (meaning, is_named)


@pytest.mark.parametrize("line", ["openssl rand -hex 9 | read NEW", "for NEW in a; do :; done"])
def test_a_variable_that_a_section_binds_is_not_taken_from_another(line):
    first = block("NEW=$(openssl rand -hex 24)") + "\n## Two\n\n"
    two = read(first + block(line, "docker logs $NEW"))[-1]
    assert (two.preamble, two.unfilled) == ("", "")


def test_an_answer_that_the_operator_types_is_not_taken_from_another_section():
    first = block("NEW=$(openssl rand -hex 24)") + "\n## Two\n\n"
    two = read(first + block("read -r NEW", "docker logs $NEW"))[-1]
    assert (two.preamble, two.unfilled) == ("", "$NEW has no value in the document")


@pytest.mark.parametrize(
    ("sentence", "ignored"),
    [
        ("Then clean up with `rm -f /srv/*.sql`.", "rm -f /srv/*.sql"),
        ("Later, `gzip x.sql` packs it.", "gzip x.sql"),
        ("The place is `cd /opt/infisical`.", "cd /opt/infisical"),
        ("The size is that of `ls -l /srv`.", ""),
        ("It is kept by `cat /srv/a.sql > /srv/b.sql`.", "cat /srv/a.sql > /srv/b.sql"),
        ("So that no copy is left: `rm -f x.sql`", "rm -f x.sql"),
        ("Somebody runs `rm -f x.sql` so that no copy is left.", "rm -f x.sql"),
        ("Now do not forget `rm -f x.sql`.", "rm -f x.sql"),
        ("`rm -f x.sql` is not needed.", ""),
        ("The `test` database and the `read` role.", ""),
    ],
)
def test_a_command_in_a_sentence_is_a_step_or_said_to_be_none(sentence, ignored):
    document = Document("infisical.md", "# Infisical\n\n" + block(DUMP) + f"\n{sentence}\n")
    (found,) = procedures(document, NAMES, "pw")
    steps = [step.text for step in found.steps[1:] if isinstance(step, Typed)]
    left = [f"line 7: `{ignored}`"] if ignored and ignored not in steps else []
    assert find_ignored(found, document) == left
    assert set(steps) <= {ignored}


@pytest.mark.parametrize(
    "text",
    [
        "The person on duty runs `pg_dump infisical > b.sql`.\n",
        "Update ENCRYPTION_KEY in Coolify to the old value and redeploy.\n",
        "```cron\n0 3 * * * pg_dump infisical > b.sql\n```\n",
    ],
)
def test_a_section_of_which_nothing_was_understood_is_not_passed_over(text):
    assert "nothing was understood as a procedure in line " in one(text).unfilled


@pytest.mark.parametrize(
    "text",
    [
        "The person on duty looks at `docker ps -a`.\n",
        "If it hangs, run `docker restart backend`.\n",
        "If a key was changed, it stops. Put the old key back and redeploy.\n",
        "Never run `docker compose down -v`.\n",
        "| a | b |\n| - | - |\n| Stop | `docker compose stop` |\n",
    ],
)
def test_a_section_that_only_describes_is_no_procedure(text):
    assert read(text) == []


def test_items_with_labels_that_are_steps_are_one_procedure():
    steps = (
        "- Stop: `docker stop backend`\n- Load: `psql < b.sql`\n- Start: `docker start backend`\n"
    )
    found = one(steps)
    assert (found.title, found.meaning, len(found.steps)) == ("Procedure", "restore", 3)
    found = one(f"- Role: `{ROLE}`\n- Change POSTGRES_PASSWORD in Coolify.\n- Redeploy.\n")
    assert [getattr(step, "verb", "") for step in found.steps] == ["", "set", "redeploy"]


def test_procedures_and_steps_in_one_list_are_not_told_apart():
    text = f"- Dump: `{DUMP}`\n- Restart: `docker restart backend`\n- Load: `psql < b.sql`\n"
    assert one(text).unfilled == "which items of its list belong together is not known"
