"""Variables are filled as compose fills them; lines are found; ports and networks are judged."""

from pathlib import Path

import pytest

from drillbook.core.errors import BadInput
from drillbook.preflight import compose_checks
from drillbook.stack import compose_file
from drillbook.stack.compose_file import fill, literals
from tests.support.compose_documents import reader, told

HERE = Path("compose.yml")
SET = {"A": "one", "B": "two", "EMPTY": ""}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("$A and ${A}", "one and one"),
        ("$$A", "$A"),
        ("$${A}", "${A}"),
        ("$NONE|${NONE}|", "||"),
        ("${A-x}|${EMPTY-x}|${NONE-x}", "one||x"),
        ("${A:-x}|${EMPTY:-x}|${NONE:-x}", "one|x|x"),
        ("${A+x}|${EMPTY+x}|${NONE+x}", "x|x|"),
        ("${A:+x}|${EMPTY:+x}|${NONE:+x}", "x||"),
        ("${A?x}|${EMPTY?x}|${NONE:?x}", "one||"),
        ("${NONE:-${B}}|${NONE:-$B}|${A:+${B}}", "two|two|two"),
        ("${NONE:-a-b}|${NONE:-}|", "a-b||"),
        ("100 %, $ and ${", "100 %, $ and ${"),
    ],
)
def test_variables_are_filled_as_compose_fills_them(written, read):
    assert fill(written, SET) == read


def test_variables_are_filled_wherever_they_stand_and_nothing_else_changes():
    given = {"$A": ["$B", {"x": "${A}"}, 4711, None, True]}
    assert fill(given, SET) == {"$A": ["two", {"x": "one"}, 4711, None, True]}


def test_what_stands_there_without_any_variable_is_literal():
    assert literals("${A:-${B:-x}}y$C") == "xy"
    assert literals("${A:+x}") == ""


TREE = """x-all: &all
  restart: always
  image: base
x-more: &more
  user: me
services:
  backend:
    <<: [*all, *more]
    image: ours
    environment:
      - A
      - B=1
      - B=2
    ports: ["80:80", "81:81"]
  db:
    <<: *all
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("services",), 6),
        (("services", "backend"), 7),
        (("services", "backend", "image"), 9),
        (("services", "backend", "restart"), 2),
        (("services", "backend", "user"), 5),
        (("services", "db", "image"), 3),
        (("services", "backend", "environment", "A"), 11),
        (("services", "backend", "environment", "B"), 12),
        (("services", "backend", "environment", "C"), 10),
        (("services", "backend", "environment", 0), 11),
        (("services", "backend", "environment", 1), 12),
        (("services", "backend", "environment", 3), 10),
        (("services", "backend", "ports", 1), 14),
        (("services", "backend", "cache", "image"), 7),
        (("services", "cache", "backend", "image"), 6),
        (("services", "backend", "image", "deeper"), 9),
        (("services", "cache", "image"), 6),
        (("volumes",), 1),
    ],
)
def test_line_is_the_entrys_or_the_nearest_one_around_it(path, line):
    tree, _ = compose_file.parse(HERE, TREE)
    assert compose_file.line_of(tree, *path) == line


def test_line_counts_from_where_the_document_begins():
    tree, _ = compose_file.parse(HERE, "# a comment\n\na: b\n")
    assert compose_file.line_of(tree) == 3


def test_values_are_what_compose_takes_them_for():
    text = "a: 2026-11-24\nb: 010\nc: !reset [1]\nd: !x {e: [f]}\ng: !y h\ni: true\nj: 1.5\n"
    _, data = compose_file.parse(HERE, text)
    assert data == {
        "a": "2026-11-24",
        "b": "010",
        "c": ["1"],
        "d": {"e": ["f"]},
        "g": "h",
        "i": True,
        "j": 1.5,
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: b\nc: 'hunter2\n", r"compose\.yml, line 3 is not YAML: found unexpected end of"),
        ("a: b\n  c: 'hunter2'\n", r"line 2 is not YAML: mapping values are not allowed here"),
        ("a: *hunter2\n", "line 1 is not YAML: found undefined alias"),
        ("a:\n\tb: hunter2\n", "line 2 is not YAML: found character … that cannot start any token"),
        ("a: \1\n", "is not YAML; check --compose"),
        ("a\n", "is not a mapping with services; check --compose"),
        ("a: &a {b: *a}\n", "contains itself or is nested too deeply"),
        ("a: &a [*a]\n", "contains itself or is nested too deeply"),
        ("a: " + "[" * 5000, "is nested too deeply to be one"),
    ],
)
def test_broken_text_is_refused_with_its_line_and_without_its_content(text, sentence):
    with pytest.raises(BadInput, match=sentence) as refused:
        compose_file.parse(HERE, text)
    assert "hunter2" not in str(refused.value)


def nested(depth):
    return "a: " + "[" * depth + "]" * depth


def test_depth_and_size_have_a_bound_that_ordinary_files_never_meet(monkeypatch):
    assert compose_file.parse(HERE, nested(60))[1]
    with pytest.raises(BadInput, match="nested too deeply"):
        compose_file.parse(HERE, nested(61))
    monkeypatch.setattr(compose_file, "_MOST_NODES", 7)
    shared = "a: &a [x, y]\nb: *a\n"
    with pytest.raises(BadInput, match="unfolds to more than 7 entries"):
        compose_file.parse(HERE, shared)
    monkeypatch.setattr(compose_file, "_MOST_NODES", 9)
    assert compose_file.parse(HERE, shared)[1] == {"a": ["x", "y"], "b": ["x", "y"]}


@pytest.fixture
def exposed(tmp_path, monkeypatch):
    """What is found in the file of these lines, as line and sentence."""
    read = reader(tmp_path, monkeypatch)

    def found(text):
        found = compose_checks.find_exposure(read(text))
        assert all(one.cure for one in found)
        return told(found)

    return found


STORE = "services:\n  {name}:\n    image: {image}\n    {rest}\n"


def db(rest, image="postgres:16"):
    return STORE.format(name="db", image=image, rest=rest)


@pytest.mark.parametrize("port", ["127.0.0.1:5432:5432", "127.1.2.3:80:5432", "[::1]:5432:5432"])
def test_port_of_a_store_that_only_the_host_reaches_is_none(exposed, port):
    assert exposed(db(f"ports: ['{port}']")) == []
    assert len(exposed(db(f"ports: ['{port.replace('1', '2')}']"))) == 1


def test_each_published_port_is_told_with_its_line(exposed):
    rest = "ports:\n      - '127.0.0.1:5432:5432'\n      - '5433:5432'\n      - '10.0.0.1:1:9999'"
    assert exposed(db(rest)) == [
        (6, "db can be reached from outside: port 5432 is published on 0.0.0.0"),
        (7, "db can be reached from outside: port 9999 is published on 10.0.0.1"),
    ]


def test_range_of_ports_is_told_at_the_line_where_it_is_written(exposed):
    found = exposed(db("ports:\n      - '5432-5433:5432-5433'"))
    assert [at for at, _ in found] == [5, 5]
    assert {said[-32:] for _, said in found} == {
        "port 5432 is published on 0.0.0.0"[-32:],
        "port 5433 is published on 0.0.0.0"[-32:],
    }


def test_ports_that_cannot_be_told_apart_are_told_where_they_begin(exposed):
    found = exposed(db("ports:\n      - '127.0.0.1:9:9'\n      - '5432-5433:5432-5433'"))
    assert [at for at, _ in found] == [5, 5]


def test_address_that_is_a_name_may_be_anybodys(exposed):
    found = exposed(db("ports: [{target: 5432, published: 1, host_ip: vault.example.com}]"))
    assert [said.split(" on ")[1] for _, said in found] == ["vault.example.com"]


@pytest.mark.parametrize(("target", "what"), [(5432, "the database"), (6379, "the cache")])
def test_store_that_is_published_through_another_service_is_told(exposed, target, what):
    found = exposed(db(f"ports: ['80:80', '{target}:{target}']", image="alpine/socat:1"))
    sentence = f"{what} through db can be reached from outside: port {target}"
    assert [(at, said.split(" is published")[0]) for at, said in found] == [(4, sentence)]


@pytest.mark.parametrize(
    "image",
    [
        *("bitnami/pgbouncer:1.22", "edoburu/pgbouncer:v1", "pgpool/pgpool:4", "x/pgcat:1"),
        *("x/odyssey:1", "bitnami/redis-sentinel:7", "x/twemproxy:1"),
    ],
)
def test_a_proxy_of_a_store_counts_as_the_store(exposed, image):
    sentence = "db can be reached from outside: port 6432 is published on 0.0.0.0"
    assert exposed(db("ports: ['6432:6432']", image)) == [(4, sentence)]
    assert exposed(db("ports: ['127.0.0.1:6432:6432']", image)) == []
    assert len(exposed(db("network_mode: host", image))) == 1


def test_store_on_the_network_of_the_host_is_told(exposed):
    sentence = "db uses the host's network, so its port is open on every address of the host"
    assert exposed(db("network_mode: host")) == [(4, sentence)]
    assert exposed(db("network_mode: bridge")) == []
    assert exposed(db("network_mode: host", image="nginx:1")) == []


@pytest.mark.parametrize(
    ("network", "told"),
    [
        ("{driver: host}", True),
        ("{driver: macvlan}", True),
        ("{driver: ipvlan}", True),
        ("{name: host, external: true}", True),
        ("{driver: bridge}", False),
        ("{name: hosts}", False),
        ("", False),
    ],
)
def test_store_on_a_network_of_the_site_is_told(exposed, network, told):
    sentence = "db is on the network site, which is the host's own or the site's"
    found = exposed(db("networks: [site]") + f"networks:\n  site: {network}\n")
    assert found == ([(4, sentence)] if told else [])
    assert exposed(db("networks: [site]", "nginx:1") + f"networks:\n  site: {network}\n") == []


def test_the_same_is_told_once(exposed):
    assert len(exposed(db("ports: ['5432:5432', '5432:5432']"))) == 1


PORTS = {
    "forty times all": '["1-65535:1-65535"' + ', "1-65535:1-65535"' * 39 + "]",
    "superscript": "['²']",
    "superscript as target": "[{target: '²'}]",
    "5,000 digits": f"['{'8' * 5000}']",
    "above the last": "['80:65536']",
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("ports", PORTS.values(), ids=PORTS)
def test_ports_that_cannot_be_are_refused(tmp_path, monkeypatch, ports):
    with pytest.raises(BadInput, match="publishes") as refused:
        reader(tmp_path, monkeypatch)(f"services: {{a: {{image: b, ports: {ports}}}}}")
    assert len(str(refused.value)) < 300


def test_all_ports_can_be_published_once(tmp_path, monkeypatch):
    read = reader(tmp_path, monkeypatch)
    found = read("services: {a: {image: b, ports: ['1-65535:1-65535']}}")
    assert len(found.services["a"]["ports"]) == 65_535
