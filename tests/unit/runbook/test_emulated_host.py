"""What a document's docker, compose, curl and psql do: to this run's resources, and to no other."""

import shlex
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from drillbook.core.errors import NotOurs, NotReady
from drillbook.infisical.settings import Settings
from drillbook.runbook.emulated_host import Host, Listed
from drillbook.runbook.sandbox import Call
from drillbook.stack.base import SERVICES, Command, Resource

RUN = "run1"
NAMES = {"project": "abc"} | {one: f"{one}-abc-secrets" for one in SERVICES}
NAMES |= {f"{one}_data": f"abc-abc-secrets_{one}-data" for one in ("pg", "redis")}
OTHERS = {"com.docker.compose.project": "theirs"}
BYSTANDERS = [
    Listed("container", "team-secrets-backup-1", None, OTHERS),
    Listed("volume", "secrets_of_the_kitchen", None, OTHERS),
]


class Played:
    """A stack that notes what is done to it."""

    driver = "containers"
    name = "stack"
    base_url = "http://127.0.0.1:1"

    def __init__(self):
        self.done = []
        self.settings = Settings.generate()
        self.program = ["/bin/sh", "-c", "cat; echo out"]

    def resources(self):
        ours = [Resource("container", f"stack-{one}-1", RUN) for one in SERVICES]
        ours += [Resource("volume", f"stack_{one}", RUN) for one in ("pg_data", "redis_data")]
        return [*ours, Resource("container", "secrets-of-another-run-1", "run2")]

    def logs(self, service):
        return f"one\ntwo\n{service}\n"

    def up(self, settings):
        self.done.append("up")
        self.settings = settings

    def destroy(self, resources):
        found = list(resources)
        if any(one.run != RUN for one in found):
            raise NotOurs("not ours")
        self.done += [f"destroy {one.name}" for one in found]

    def shell_command(self, service, argv):
        self.done.append((service, *argv))
        return self.program, {}

    def __getattr__(self, verb):
        return lambda service: self.done.append(f"{verb} {service}")


@pytest.fixture
def stack():
    return Played()


@pytest.fixture
def host(stack, tmp_path):
    files = {"/srv/app/.env": b"POSTGRES_PASSWORD=typed\nSITE_URL=https://secrets.example.com\n"}
    return Host(stack, RUN, NAMES, BYSTANDERS, files.get, tmp_path)


@pytest.fixture
def type_in(host):
    def type_in(line, piped=False, folder="/srv/app", given=None):
        words = line if isinstance(line, list) else line.split()
        return host.answer(Call(tuple(words), folder, piped, given))

    type_in.host = host
    return type_in


def listed(answer):
    return answer.out.decode().split()


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("docker ps --format {{.Names}} --filter name=db", ["db-abc-secrets"]),
        ("docker ps --format {{.Names}} -f name=^/db-", ["db-abc-secrets"]),
        (
            "docker ps --format {{.Names}} -f name=^/db- -f name=redis",
            ["db-abc-secrets", "redis-abc-secrets"],
        ),
        (
            "docker ps --format {{.Names}} --filter name=secrets",
            ["team-secrets-backup-1", *(f"{one}-abc-secrets" for one in SERVICES)],
        ),
        (
            "docker container ls --format={{.Names}} --filter=label=com.docker.compose.project=abc",
            [f"{one}-abc-secrets" for one in SERVICES],
        ),
        (
            "docker volume ls -q",
            ["secrets_of_the_kitchen", "abc-abc-secrets_pg-data", "abc-abc-secrets_redis-data"],
        ),
        ("docker ps -q --filter name=nothing", []),
        ("docker ps --format {{.Names}} -f name=infisical-db", ["db-abc-secrets"]),
        ("docker ps --format {{.Names}} -f name=^/?infisical_redis_1$", ["redis-abc-secrets"]),
        (
            "docker ps --format {{.Names}} -f name=infisical",
            [f"{one}-abc-secrets" for one in SERVICES],
        ),
        (
            "docker ps --format {{.Names}} --filter label=com.docker.compose.project=infisical "
            "--filter label=com.docker.compose.service=db",
            ["db-abc-secrets"],
        ),
        (
            "docker volume ls -q --filter label=com.docker.compose.project=infisical-prod",
            ["abc-abc-secrets_pg-data", "abc-abc-secrets_redis-data"],
        ),
        ("docker volume ls -q --filter name=infisical_pg_data", ["abc-abc-secrets_pg-data"]),
        (
            "docker volume ls -q --filter label=com.docker.compose.project=theirs",
            ["secrets_of_the_kitchen"],
        ),
        ("docker compose ps --format {{.Names}} db", ["db-abc-secrets"]),
        ("docker inspect -f {{.State.Running}} db-abc-secrets", ["true"]),
    ],
)
def test_listings_have_ours_and_bystanders(type_in, line, names):
    assert listed(type_in(line)) == names


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("docker ps", "CONTAINER ID   IMAGE   COMMAND   CREATED   STATUS   PORTS   NAMES"),
        ("docker volume ls", "DRIVER    VOLUME NAME"),
        ("docker ps --format 'table {{.Names}}\\t{{.Status}}'", "NAMES\tSTATUS"),
    ],
)
def test_listings_have_the_titles_of_the_engine(type_in, line, title):
    assert type_in(shlex.split(line)).out.decode().splitlines()[0] == title


@pytest.mark.parametrize(
    ("line", "done"),
    [
        ("docker restart backend-abc-secrets", ["restart backend"]),
        ("docker stop -t 5 backend-abc-secrets db-abc-secrets", ["stop backend", "stop db"]),
        ("docker-compose restart backend", ["restart backend"]),
        ("docker compose stop", [f"stop {one}" for one in SERVICES]),
        ("docker rm -f db-abc-secrets", ["destroy stack-db-1"]),
        ("docker compose -p abc down", [f"destroy stack-{one}-1" for one in SERVICES]),
        ("docker compose rm -f", []),
        ("docker compose rm -fs backend", ["destroy stack-backend-1"]),
        ("docker compose up -d", ["up"]),
        ("docker compose up -d --wait --wait-timeout 120", ["up"]),
        ("docker compose up --exit-code-from db --attach backend --no-attach redis", ["up"]),
        ("docker compose --progress plain --ansi never up -d", ["up"]),
        ("docker compose start --wait --wait-timeout 30 db", ["start db"]),
        ("docker network rm abc_default", []),
        (
            "docker exec -i db-abc-secrets psql -U infisical",
            [("db", "psql", "-U", "infisical")],
        ),
        (
            "docker compose exec -T -e PGPASSWORD=x db pg_dump infisical",
            [("db", "env", "PGPASSWORD=x", "pg_dump", "infisical")],
        ),
        ("psql -h localhost -p 5432 -U infisical", [("db", "psql", "-U", "infisical")]),
        ("docker exec redis-abc-secrets redis-cli FLUSHALL", [("redis", "redis-cli", "FLUSHALL")]),
    ],
)
def test_what_is_typed_is_done_to_the_stack(type_in, stack, host, line, done):
    assert type_in(line).code == 0
    assert stack.done == done
    assert host.strayed == []


@pytest.mark.parametrize(
    ("line", "hit"),
    [
        ("docker stop team-secrets-backup-1", "team-secrets-backup-1"),
        ("docker exec team-secrets-backup-1 psql", "team-secrets-backup-1"),
        ("docker logs team-secrets-backup-1", "team-secrets-backup-1"),
        ("docker volume rm secrets_of_the_kitchen", "secrets_of_the_kitchen"),
        ("docker system prune -af --volumes", "whatever else is unused"),
        ("docker volume prune -f", "whatever else is unused"),
        ("docker network rm theirs_default", "theirs_default"),
        ("docker compose -p theirs down -v", "theirs"),
    ],
)
def test_what_is_aimed_at_others_is_refused_and_kept(type_in, stack, host, line, hit):
    assert type_in(line).code != 0
    assert stack.done == []
    assert hit in host.strayed[0]
    type_in(line)
    assert len(host.strayed) == 1


@pytest.mark.parametrize(
    "line",
    [
        "docker compose -p nextcloud down -v",
        "docker compose -p nextcloud up -d",
        "docker-compose --project-name=infisical-staging down -v",
        "docker compose --project-directory /opt/nextcloud down -v",
        "docker compose -f /opt/nextcloud/docker-compose.yml down --volumes",
        "docker compose -f nextcloud.yml down -v",
        "docker volume rm nextcloud_db nextcloud_redis",
        "docker volume rm nextcloud_pg_data",
        "docker volume rm infisical-staging_pg_data",
        "docker volume rm pg_data",
        "docker volume rm unknown",
        "docker volume inspect nextcloud_db",
        "docker network rm nextcloud_default",
        "docker rm -f someone-elses",
        "docker rm -f secrets-of-another-run-1",
        "docker stop nextcloud-db",
        "docker kill infisical-staging-backend",
        "docker exec infisical-db-backup pg_dump",
        "docker restart app",
        "docker inspect infisical-staging-db-1",
    ],
)
def test_what_may_be_anothers_is_never_taken_for_ours(type_in, stack, host, line):
    assert type_in(line).code == 125
    assert (stack.done, host.strayed, host.unmatched) == ([], [], [])
    assert "is not known as this deployment's" in host.not_here[0]


@pytest.mark.parametrize(
    ("line", "assumed"),
    [
        ("docker restart backend-abc-secrets", set()),
        ("docker ps -q --filter label=com.docker.compose.service=db", set()),
        ("docker restart infisical-backend", {"infisical-backend"}),
        ("docker ps -q --filter name=infisical-db", {"infisical-db"}),
        ("docker ps -q --filter label=coolify.resourceName=infisical", {"infisical"}),
        ("docker compose -p infisical stop backend", {"infisical"}),
    ],
)
def test_a_name_that_only_the_document_knows_is_noted_as_assumed(type_in, host, line, assumed):
    assert type_in(line).code == 0
    assert host.assumed == assumed


def test_a_folder_of_another_project_is_not_wiped_as_ours(type_in, stack):
    assert type_in("docker compose down -v", folder="/opt/nextcloud").code == 125
    assert stack.done == []
    assert type_in("docker compose down -v", folder="/opt/infisical").code == 0


@pytest.mark.parametrize("project", ["infisical", "infisical-prod", "abc"])
def test_a_project_of_infisical_is_ours_and_its_volumes_are(type_in, stack, host, project):
    assert type_in(f"docker compose -p {project} down").code == 0
    assert type_in(f"docker network rm {project}_default").code == 0
    assert type_in(f"docker volume rm {project}_pg_data {project}_redis-data").code == 0
    assert stack.done[-2:] == ["destroy stack_pg_data", "destroy stack_redis_data"]
    assert not host.not_here


def test_of_two_instances_only_the_first_is_ours(type_in, stack, host):
    assert type_in("docker compose -p infisical-eu restart backend").code == 0
    assert type_in("docker compose -p infisical-us down -v").code == 125
    assert type_in("docker volume rm infisical-us_pg_data").code == 125
    assert stack.done == ["restart backend"]


@pytest.mark.parametrize(
    ("line", "done"),
    [
        ("docker exec infisical-db pg_dump", ("db", "pg_dump")),
        ("docker stop infisical-backend", "stop backend"),
        ("docker restart infisical", "restart backend"),
        ("docker rm -f infisical_redis_1", "destroy stack-redis-1"),
        ("docker restart abc-backend-1", "restart backend"),
    ],
)
def test_a_plain_name_of_a_container_is_ours(type_in, stack, host, line, done):
    assert type_in(line).code == 0
    assert (stack.done, host.not_here) == ([done], [])


def test_a_second_name_for_a_container_means_another_instance(type_in, stack):
    assert type_in("docker stop infisical-backend").code == 0
    assert type_in("docker restart infisical-app").code == 125
    assert stack.done == ["stop backend"]


def test_where_the_document_names_a_container_no_other_name_is_its(type_in, stack, host):
    host.names = NAMES | {"backend": "infisical-staging-backend"}
    assert type_in("docker restart infisical-backend").code == 125
    assert stack.done == []


@pytest.mark.parametrize(
    ("backend", "first", "second"),
    [
        ("infisical-backend", "infisical-backend", "infisical-staging-db"),
        ("infisical-backend", "infisical-staging-db", "infisical-backend"),
        ("infisical-staging-backend", "infisical-staging-backend", "infisical-backend"),
        ("infisical-backend", "infisical-backend", "infisical-staging-backend"),
    ],
)
def test_a_section_is_for_one_instance(type_in, stack, host, backend, first, second):
    host.names = NAMES | {"backend": backend, "db": "infisical-staging-db"}
    assert type_in(f"docker restart {first}").code == 0
    assert type_in(f"docker restart {second}").code == 125
    assert len(stack.done) == 1
    assert second in host.not_here[0]


def test_a_name_with_two_words_for_its_service_is_of_the_same_instance(type_in, stack, host):
    host.names = NAMES | {"backend": "infisical-app-backend", "db": "infisical-postgres-db"}
    assert type_in("docker restart infisical-app-backend").code == 0
    assert type_in("docker restart infisical-postgres-db").code == 0
    assert type_in("docker volume rm infisical_postgres_db_data").code == 1
    assert not host.not_here


def test_names_of_containers_say_which_project_is_ours(type_in, stack, host):
    host.names = NAMES | {one: f"keys-{one}-1" for one in SERVICES}
    assert type_in("docker compose -p infisical down -v").code == 125
    assert stack.done == []
    assert type_in("docker compose -p keys down").code == 0


def test_of_several_that_a_selector_finds_ours_is_meant(type_in, stack, host):
    assert type_in("docker exec team-secrets-backup-1 db-abc-secrets psql -l").code == 0
    assert stack.done == [("db", "psql", "-l")]
    assert "team-secrets-backup-1" in host.strayed[0]


@pytest.mark.parametrize(
    "given",
    [
        "name=keys-db",
        "name=infisical-staging-db",
        "name=nextcloud-postgres",
        "label=com.docker.compose.project=nextcloud",
        "label=com.docker.compose.project=infisical-staging",
        "label=com.docker.compose.service=postgres",
        "label=com.example.role=database",
    ],
)
def test_a_filter_that_only_the_operators_host_knows_is_not_here(type_in, host, given):
    assert type_in(f"docker ps -q --filter {given}").code == 125
    assert "<!-- drillbook: names … -->" in host.not_here[0]


def test_a_filter_finds_nothing_where_ours_is_gone_or_stopped(type_in, host):
    type_in("docker stop backend-abc-secrets")
    type_in("docker rm -f db-abc-secrets")
    assert listed(type_in("docker ps -q --filter name=infisical-backend")) == []
    assert listed(type_in("docker ps -aq --filter name=db-abc")) == []
    assert not host.not_here


@pytest.mark.parametrize(
    "words",
    [
        ["docker", "exec", "pg_dump", "-U", "infisical", "infisical"],
        ["docker", "exec", "-i", "", "psql", "-U", "infisical"],
        ["docker", "exec", "sh", "-c", "true"],
    ],
)
def test_a_selector_that_found_nothing_names_no_container(type_in, host, words):
    assert type_in(words).code == 1
    assert host.unmatched[0].endswith("what was to name the container is empty")


def test_a_pattern_that_is_none_is_not_here(type_in, host):
    assert type_in("docker ps -f name=(").code == 125
    assert host.not_here
    assert not host.limited


@pytest.mark.parametrize(
    "line",
    [
        "docker restart",
        "docker exec",
        "docker logs nothing",
        "docker exec nothing psql",
        "docker compose exec",
        ["docker", "compose", "restart", ""],
        "docker volume rm",
    ],
)
def test_a_name_under_which_there_is_nothing_is_kept(type_in, stack, host, line):
    assert type_in(line).code != 0
    assert (stack.done, host.strayed) == ([], [])
    assert host.unmatched


@pytest.mark.parametrize(
    "line",
    [
        "docker run alpine",
        "docker compose run backend sh",
        "docker compose restart postgres",
        "docker compose exec -T postgres psql",
        "docker compose stop backend worker",
        "kubectl get pods",
        "docker network create x",
        "docker ps --format json",
        "docker -H ssh://other restart db-abc-secrets",
        "docker compose --dry-run down -v",
        "docker compose up -d --no-recreate",
        "docker compose up -d --scale backend=2",
        "docker compose down -v --dry-run",
        "docker compose down --volumes=false",
        "docker compose ps --services",
        "docker exec -d db-abc-secrets pg_dump",
        "docker kill -s HUP backend-abc-secrets",
        "docker logs --until 2020-01-01 backend-abc-secrets",
        "docker logs --since 5s backend-abc-secrets",
        "docker logs --since 2020-01-01 backend-abc-secrets",
        "docker inspect db-abc-secrets",
        "curl -fsS http://localhost:3000/api/status",
        "curl -fsS 127.0.0.1:3000/api/status",
        "wget -qO- http://[::1]:3000/api/status",
    ],
)
def test_what_has_no_counterpart_is_said(type_in, stack, host, line):
    type_in(line)
    assert stack.done == []
    assert host.not_here


@pytest.mark.parametrize(
    ("program", "done"),
    [
        ("/usr/local/bin/redis-cli", [("redis", "redis-cli", "FLUSHALL")]),
        ("valkey-cli", [("redis", "redis-cli", "FLUSHALL")]),
        ("redis-server", []),
    ],
)
def test_only_a_client_of_the_cache_is_run_where_there_is_no_container(
    type_in, stack, host, program, done
):
    def run(service, argv, stdin=None):
        stack.done.append((service, *argv))
        return Command(tuple(argv), 0)

    stack.driver, stack.exec = "embedded", run
    type_in(f"docker exec redis-abc-secrets {program} FLUSHALL")
    assert stack.done == done
    assert bool(host.not_here) == (not done)


def run_by_shell(answer):
    """What the shim prints when it runs the line of bash that answers its call."""
    done = subprocess.run(
        ["bash", "-c", answer.run], capture_output=True, text=True, check=False, env={}
    )
    return done.stdout


def test_a_script_in_the_database_has_its_variables(type_in, stack):
    stack.driver = "embedded"
    script = 'echo "$POSTGRES_USER $POSTGRES_DB $POSTGRES_PASSWORD $MORE"'
    words = ["docker", "exec", "-e", "MORE=x y", "db-abc-secrets", "sh", "-c", script]
    password = str.__str__(stack.settings["POSTGRES_PASSWORD"])
    assert run_by_shell(type_in(words)) == f"infisical infisical {password} x y\n"
    line = type_in("docker exec db-abc-secrets printenv POSTGRES_PASSWORD")
    assert run_by_shell(line) == f"{password}\n"


@pytest.mark.parametrize(
    "line",
    [
        "docker exec db-abc-secrets psql -h 127.0.0.1 -p5432 -U infisical",
        "docker compose exec -T -e PGPASSWORD=new db psql --host=localhost -U infisical",
        "psql -h db -U infisical",
        "psql -h/var/run/postgresql --port 5432 -U infisical",
    ],
)
def test_the_address_of_the_database_is_the_sockets(type_in, stack, line):
    stack.driver = "embedded"
    assert type_in(line).code == 0
    assert stack.done == [("db", "psql", "-U", "infisical")]


@pytest.mark.parametrize(
    "words",
    [
        ["pg_dump", "postgresql://infisical:x@localhost:5432/infisical"],
        ["psql", "-d", "postgres://infisical@db/infisical"],
        ["psql", "--dbname=postgres://infisical@db/infisical"],
        ["psql", "dbname=infisical host=localhost"],
        ["pg_dump", "-h", "nextcloud.example.com", "infisical"],
        ["pg_dump", "--host=nextcloud-db", "infisical"],
    ],
)
def test_another_address_is_not_taken_for_this_database(type_in, stack, host, words):
    stack.driver = "embedded"
    assert type_in(words).code == 125
    assert (stack.done, len(host.not_here)) == ([], 1)


@pytest.mark.parametrize(
    "line",
    [
        "docker cp {host}/x.dump db-abc-secrets:/tmp/h2/y.dump",
        "docker cp {host}/x.dump infisical-db:tmp/h2/y.dump",
        "docker compose cp {host}/x.dump db:/tmp/h2/y.dump",
    ],
)
def test_a_file_is_copied_into_the_container_and_out_of_it(type_in, stack, tmp_path, line):
    stack.driver = "embedded"
    (tmp_path / "x.dump").write_text("dumped")
    inside = f"/tmp/{tmp_path.name}-{time.monotonic_ns()}"
    line = line.replace("/h2/y.dump", inside.removeprefix("/tmp")).format(host=tmp_path)
    run_by_shell(type_in(line))
    run_by_shell(type_in(f"docker cp db-abc-secrets:{inside} {tmp_path}/y.dump"))
    Path(inside).unlink()
    assert (tmp_path / "y.dump").read_text() == "dumped"


@pytest.mark.parametrize(
    "words",
    [
        ["docker", "cp", "/srv/x.dump", "db-abc-secrets:/dumps/x.dump"],
        ["docker", "cp", "/srv/x.sql", "db-abc-secrets:/x.sql"],
        ["docker", "cp", "db-abc-secrets:/dumps/x.dump", "/srv/x.dump"],
        ["docker", "cp", "backend-abc-secrets:/app/x", "/srv/x"],
        ["docker", "compose", "cp", "postgres:/tmp/x", "/srv/x"],
        ["docker", "cp", "-", "db-abc-secrets:/tmp"],
        ["docker", "exec", "db-abc-secrets", "pg_dump", "-f", "/dumps/x.dump"],
        ["docker", "exec", "db-abc-secrets", "pg_dump", "-f/dumps/x.dump"],
        ["docker", "exec", "db-abc-secrets", "psql", "--file=/x.sql"],
        ["docker", "exec", "db-abc-secrets", "sh", "-c", "pg_dump x >/dumps/x.dump"],
    ],
)
def test_a_path_that_only_the_operators_container_has_is_not_here(type_in, stack, host, words):
    stack.driver = "embedded"
    assert type_in(words).code == 125
    assert (stack.done, len(host.not_here)) == ([], 1)


def test_a_folder_of_the_image_is_there(type_in, stack):
    stack.driver = "embedded"
    words = ["docker", "exec", "db-abc-secrets", "pg_dump", "-f", "/var/lib/postgresql/x.dump"]
    assert type_in(words).run.startswith("mkdir -p /var/lib/postgresql; ")


IN_DATABASE = ["docker", "exec", "-i", "db-abc-secrets"]


@pytest.mark.parametrize(
    "words",
    [
        ["psql", "-f", "/srv/x.sql"],
        ["psql", "-U", "infisical", "--file=/srv/x.sql"],
        ["psql", "-c", "\\i /srv/x.sql"],
        ["pg_restore", "-d", "infisical", "/tmp/x.dump"],
        ["sh", "-c", "psql -d infisical < /srv/x.sql"],
        ["sh", "-ec", "gunzip -c /srv/x.sql.gz | psql"],
        ["env", "PGUSER=infisical", "psql", "-f", "/srv/x.sql"],
        ["cat", "/srv/x.sql"],
        ["rm", "-f", "/srv/x.sql"],
        ["sh", "-c", "pg_dump > x.sql"],
        ["pg_dump", "-f", "x.sql"],
        ["sh", "-c", "pg_dump > /tmp/$(date +%F).sql"],
        ["bash", "/srv/restore.sh"],
        ["sh", "-c", "mkdir -p /srv; psql -f /srv/x.sql"],
    ],
)
def test_a_file_that_the_section_did_not_put_there_is_not_in_the_container(
    type_in, stack, host, words
):
    stack.driver = "embedded"
    assert type_in([*IN_DATABASE, *words]).code == 125
    assert len(host.not_here) == 1
    assert host.inside == set()


@pytest.mark.parametrize(
    ("lines", "inside"),
    [
        (["{db} pg_dump -U infisical -f /srv/x.sql infisical"], {"/srv/x.sql"}),
        (["{db} sh -c 'F=/srv/x.sql; pg_dump > $F && gzip $F'"], {"/srv/x.sql.gz"}),
        (["{db} pg_dump -f /tmp/x", "{db} gzip -k /tmp/x"], {"/tmp/x", "/tmp/x.gz"}),
        (["{db} sh -c 'cat > /tmp/x.sql'", "{db} psql -f /tmp/x.sql"], {"/tmp/x.sql"}),
        (["{db} pg_dump -Fd -f /tmp/d", "{db} cat /tmp/d/toc.dat"], {"/tmp/d"}),
        (["{db} pg_dump -f /tmp/x", "{db} rm -f /tmp/x"], set()),
        (["{db} sh -c 'pg_dump > /tmp/x; mv /tmp/x /tmp/y'"], {"/tmp/y"}),
        (
            ["docker cp /srv/x.dump db-abc-secrets:/tmp/", "{db} pg_restore /tmp/x.dump"],
            {"/tmp/x.dump"},
        ),
        (["docker cp /srv/x db-abc-secrets:/srv/x", "{db} psql -f /srv/x"], set()),
        (["{db} pg_dump -f /srv/x", "docker cp db-abc-secrets:/srv/x /srv/"], set()),
        (["{db} pg_dump -f /tmp/x", "docker cp db-abc-secrets:/tmp/x /srv/"], {"/tmp/x"}),
        (["{db} pg_dump -f /dev/stdout", "{db} sh -c 'pg_dump 2>/dev/null'"], set()),
        (["psql -U infisical -f /srv/x.sql"], set()),
    ],
)
def test_files_of_the_container_are_known(type_in, stack, host, lines, inside):
    stack.driver = "embedded"
    for line in lines:
        answer = type_in(shlex.split(line.format(db=shlex.join(IN_DATABASE))))
        assert answer.code == 0, host.not_here
    assert host.inside == inside


def test_a_script_for_a_shell_inside_is_not_followed(type_in, stack, host):
    stack.driver = "embedded"
    for words in (["sh"], ["bash", "-eu", "-s"]):
        assert type_in([*IN_DATABASE, *words], piped=True).code == 125
    assert len(host.not_here) == 2


def test_a_statement_holds_no_path(type_in, stack, host):
    stack.driver = "embedded"
    words = ["docker", "exec", "db-abc-secrets", "psql", "-c", "SELECT 10 / 2, '/a/b'"]
    assert type_in(words).code == 0
    assert not host.not_here


def test_the_backend_prints_its_variables(type_in, stack):
    stack.driver = "embedded"
    stack.settings = stack.settings.but(POSTGRES_PASSWORD="typed")
    printed = listed(type_in("docker compose exec -T -e MORE=x backend env"))
    assert {"POSTGRES_PASSWORD=typed", "MORE=x"} <= {*printed}
    assert any(one.startswith("DB_CONNECTION_URI=postgres://infisical:typed@") for one in printed)
    assert listed(type_in("docker exec backend-abc-secrets printenv POSTGRES_PASSWORD")) == [
        "typed"
    ]


@pytest.mark.parametrize("program", ["cat /app/x", "ls /", "sh -c true", "env x", "printenv NONE"])
def test_the_backends_files_are_not_those_of_the_sandbox(type_in, stack, host, program):
    stack.driver = "embedded"
    assert type_in(f"docker exec backend-abc-secrets {program}").code == 125
    assert host.not_here


def test_a_running_container_and_a_used_volume_are_not_removed(type_in, stack):
    assert type_in("docker rm db-abc-secrets").code == 1
    assert type_in("docker volume rm abc-abc-secrets_pg-data").code == 1
    assert stack.done == []
    type_in("docker rm -f db-abc-secrets")
    assert type_in("docker volume rm abc-abc-secrets_pg-data").code == 0
    assert stack.done[-1] == "destroy stack_pg_data"


def test_compose_deploys_what_the_file_of_variables_says(type_in, stack):
    type_in("docker compose up -d")
    assert stack.settings["POSTGRES_PASSWORD"] == "typed"
    type_in("docker compose restart backend")
    assert stack.done == ["up", "restart backend"]


@pytest.mark.parametrize(
    ("options", "password"),
    [
        ("-f /opt/infisical/docker-compose.yml -f /srv/app/more.yml", "opt"),
        ("--project-directory=/opt/infisical -f /srv/app/docker-compose.yml", "opt"),
        ("--project-directory ../../opt/infisical", "opt"),
        ("--env-file prod.env", "prod"),
        ("-f /opt/infisical/docker-compose.yml --env-file=/srv/app/prod.env", "prod"),
        ("--env-file /opt/infisical/.env --env-file prod.env", "prod"),
        ("-f docker-compose.yml", "here"),
        ("-f /etc/infisical/docker-compose.yml", None),
    ],
)
def test_compose_reads_the_file_of_variables_that_is_meant(type_in, host, stack, options, password):
    files = {"/opt/infisical/.env": "opt", "/srv/app/prod.env": "prod", "/srv/app/.env": "here"}
    host.read_file = {at: f"POSTGRES_PASSWORD={p}\n".encode() for at, p in files.items()}.get
    before = stack.settings["POSTGRES_PASSWORD"]
    assert type_in(f"docker compose {options} up -d").code == 0
    assert stack.settings["POSTGRES_PASSWORD"] == (password or before)


def test_a_file_of_variables_that_is_not_here_is_said(type_in, host, stack):
    assert type_in("docker compose --env-file other.env up -d").code == 125
    assert stack.done == []
    assert "/srv/app/other.env is not here" in host.not_here[0]


def test_a_file_of_variables_that_is_none_fails_as_compose_does(host, type_in, stack):
    host.read_file = {"/srv/app/.env": b"this is no setting\n"}.get
    answer = type_in("docker compose up -d")
    assert (answer.code, stack.done) == (1, [])
    assert "/srv/app/.env" in answer.err


@pytest.mark.parametrize(
    ("file", "lost"),
    [
        (b"POSTGRES_PASSWORD=typed\n", "AUTH_SECRET, SITE_URL"),
        (b"#AUTH_SECRET=a\nSITE_URL=\nPOSTGRES_PASSWORD=typed\n", "AUTH_SECRET"),
        (None, "POSTGRES_PASSWORD, AUTH_SECRET, SITE_URL"),
        (b"SITE_URL=u\nAUTH_SECRET=b\nPOSTGRES_PASSWORD=typed\n", ""),
    ],
)
def test_a_variable_that_its_file_has_lost_is_a_failure(host, stack, file, lost):
    placed = {"/srv/app/.env": b"POSTGRES_PASSWORD=held\nAUTH_SECRET=a\nSITE_URL=u\n"}
    host.read_file = {"/srv/app/.env": file, "/srv/app/more.env": b"LOG=1\n"}.get
    words = ("docker", "compose", "up", "-d")
    assert host.answer(Call(words, "/srv/app", False, None, placed=placed)).code == bool(lost)
    said = f"`docker compose up`: /srv/app/.env no longer sets {lost}"
    assert host.unmatched == ([said] if lost else [])
    assert stack.done == ([] if lost else ["up"])


def test_a_file_that_the_section_made_may_set_what_it_likes(host, stack):
    host.read_file = {"/srv/app/more.env": b"POSTGRES_PASSWORD=typed\n"}.get
    words = ("docker", "compose", "--env-file", "more.env", "up")
    placed = {"/srv/app/.env": b"AUTH_SECRET=a\n"}
    assert host.answer(Call(words, "/srv/app", False, None, placed=placed)).code == 0
    assert stack.done == ["up"]


def test_a_password_that_breaks_an_address_is_not_deployed(host, type_in, stack):
    host.read_file = {"/srv/app/.env": b"POSTGRES_PASSWORD=pa/ss#wo\n"}.get
    assert type_in("docker compose up -d").code == 125
    assert (stack.done, len(host.not_here)) == ([], 1)
    assert "pa/ss" not in host.not_here[0]
    encoded = b"POSTGRES_PASSWORD=pa/ss#wo\nPOSTGRES_PASSWORD_ENCODED=pa%2Fss%23wo\n"
    host.read_file = {"/srv/app/.env": encoded}.get
    assert type_in("docker compose up -d").code == 0


def test_a_password_leaves_the_command_line(type_in, stack):
    statement = "ALTER USER infisical WITH PASSWORD 'hidden'"
    words = ["docker", "exec", "db-abc-secrets", "psql", "-U", "infisical", "-c", statement]
    answer = type_in([*words, "-c", "SELECT 1"])
    # As with -c, what fails is a failure.
    assert stack.done == [("db", "psql", "-v", "ON_ERROR_STOP=1", "-U", "infisical")]
    assert answer.out.read_text() == f"{statement}\n;\nSELECT 1out\n"


def command_lines():
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield file.read_bytes()


def test_output_without_end_is_ended(type_in, stack, monkeypatch):
    stack.program = ["/bin/sh", "-c", "yes drillbook-without-end; echo never"]
    monkeypatch.setattr("drillbook.runbook.emulated_host._MOST_BYTES", 1 << 20)
    assert type_in("docker exec db-abc-secrets yes").code == 125
    # A larger database reaches this limit without being at fault.
    assert "it wrote more than 1 MiB to a file" in type_in.host.not_here[0]
    assert type_in.host.limited
    assert not [one for one in command_lines() if b"yes\0drillbook-without-end" in one]


def test_errors_without_end_are_ended(type_in, stack, monkeypatch):
    stack.program = ["/bin/sh", "-c", "yes drillbook-errors-without-end >&2"]
    monkeypatch.setattr("drillbook.runbook.emulated_host._MOST_SAID", 1000)
    answer = type_in("docker exec db-abc-secrets yes")
    assert answer.code != 0
    assert len(answer.err) == 1000


def test_a_command_without_end_is_ended(type_in, stack, monkeypatch):
    stack.program = ["/bin/sleep", "60"]
    monkeypatch.setattr("drillbook.runbook.emulated_host._LONGEST_S", 0.2)
    assert type_in("docker exec db-abc-secrets sleep 60").code == 125
    assert "it had not ended after 0 s" in type_in.host.not_here[0]
    assert type_in.host.limited


def test_a_command_that_kills_itself_failed(type_in, stack):
    stack.program = ["/bin/sh", "-c", "kill -9 $$"]
    assert type_in("docker exec db-abc-secrets sh").code == 137
    assert not type_in.host.not_here


def test_a_terminal_refuses_a_pipe_and_adds_carriage_returns(type_in):
    assert type_in("docker exec -it db-abc-secrets psql", piped=True).code == 1
    assert type_in("docker exec -it db-abc-secrets psql").out == b"out\r\n"


def test_compose_makes_a_terminal_unless_what_it_prints_goes_elsewhere(type_in, host):
    refused = type_in("docker compose exec db psql", piped=True)
    assert (refused.code, refused.err) == (1, "the input device is not a TTY\n")
    for option in ("-T", "--no-TTY", "--no-tty"):
        assert type_in(f"docker compose exec {option} db psql", piped=True).code == 0
    assert type_in("docker compose exec db psql").code == 0
    words = ("docker", "compose", "exec", "db", "psql")
    assert host.answer(Call(words, "/srv/app", True, None, is_shown=False)).code == 0


def test_logs_end_where_they_are_to(type_in):
    assert type_in("docker logs --tail 2 backend-abc-secrets").out == b"two\nbackend\n"
    assert type_in("docker logs backend-abc-secrets --tail=1").out == b"backend\n"
    assert type_in("docker logs --since 1h30m -t backend-abc-secrets").out.endswith(b"backend\n")


def test_a_slow_machine_is_not_the_documents_fault(type_in, stack):
    def never(_service):
        raise NotReady("the database does not answer")

    stack.restart = never
    with pytest.raises(NotReady):
        type_in("docker restart db-abc-secrets")


@pytest.mark.parametrize(
    "words",
    [
        ["docker", "ps", "-f", "name=([a-z-]+)+!"],
        ["docker", "ps", "-f", "name=" + ".*" * 30 + "!"],
        ["docker", "ps", "--format", "{{" + " " * 100_000],
        ["docker", "rm", "-f", *["x"] * 100_000],
        ["docker", "rm", "-f", "postgres_" * 22 + "!"],
    ],
    ids=["group", "repetitions", "format", "words", "name"],
)
def test_a_call_that_would_take_for_ever_is_not_carried_out(type_in, host, stack, words):
    started = time.monotonic()
    assert type_in(words).code == 125
    assert time.monotonic() - started < 60
    assert len(host.not_here[0]) < 300
    assert stack.done == []


def test_a_request_that_is_not_answered_in_time_says_nothing_of_the_document(
    type_in, stack, monkeypatch
):
    monkeypatch.setattr("drillbook.runbook.emulated_host._HTTP_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        stack.base_url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert type_in("curl -s http://localhost:8080/api/status").code == 125
    assert "it was not answered within 0 s" in type_in.host.not_here[0]
    assert type_in.host.limited


def test_there_is_no_network(type_in):
    assert type_in("curl -fsSL https://get.docker.com").code == 6
    assert type_in("curl -s -o x.json http://localhost:8080/api/status").code == 125
    silent = type_in("curl -s -o /dev/null http://localhost:8080/api/status")
    assert (silent.code, silent.err) == (7, "")
    assert "Failed to connect" in type_in("curl -sS http://localhost:8080/api/status").err
