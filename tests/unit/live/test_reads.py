"""A live check only reads: its clients refuse everything else, and its traffic shows it."""

import json
import os

import pytest

from drillbook.live import container_checks
from drillbook.live.readonly_clients import LOG_IN, Reader, ReadsOnly
from fixtures.session import live_rehearsal
from tests.support.own_suite import run_specs

pytestmark = pytest.mark.slow

WRITES = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "get", "")


@pytest.fixture(scope="module")
def rehearsed(module_home, module_recorder):
    with live_rehearsal.rehearse(module_home, module_recorder) as made:
        yield made


@pytest.fixture
def machine_file(rehearsed):
    return rehearsed.credential.with_name("machine.env")


def live(told, folder, *options, **variables):
    """Run the check as `drillbook live` does, against servers of this process."""
    words = ["suites/live", "--one-question", "--stack=remote", *options]
    words += [f"--url={told.address}", f"--ca={told.authority}", f"--plain-url={told.plain}"]
    return run_specs(folder, *words, env={**os.environ, **variables})


def test_whole_check_sends_nothing_but_reads(rehearsed, tmp_path):
    before = len(rehearsed.asked)
    given = [f"--credential={rehearsed.credential}", f"--backup={rehearsed.backups}", "--docker"]
    done, evidence = live(rehearsed, tmp_path, *given, DOCKER_HOST=rehearsed.engine)
    asked = rehearsed.asked[before:]
    assert {method for method, _ in asked} == {"GET"}
    assert {path.partition("?")[0] for _, path in asked} >= {
        "/api/status",
        "/api/v1/projects",
        "/api/v4/secrets",
        "/v1.45/containers/json",
    }
    assert done.returncode == 0, done.stdout
    found = {one["id"]: one["verdict"] for one in json.loads(evidence.read_text())["controls"]}
    assert [found[name] for name in ("HLT-1", "SEC-2", "KEY-10", "DEP-1", "DEP-3", "BKP-5")] == [
        "satisfied"
    ] * 6


def test_machine_logs_in_by_the_one_post_there_is_and_leaves_no_trace_in_the_evidence(
    rehearsed, machine_file, tmp_path
):
    before = len(rehearsed.asked)
    given = [f"--credential={machine_file}", "--docker"]
    done, evidence = live(rehearsed, tmp_path, *given, DOCKER_HOST=rehearsed.engine)
    assert done.returncode == 0, done.stdout
    written = [one for one in rehearsed.asked[before:] if one[0] not in ("GET", "HEAD")]
    assert written == [LOG_IN]
    assert "one POST: the machine logs in for a token" in evidence.read_text()
    kept = "".join(
        path.read_bytes().decode(errors="replace") for path in tmp_path.rglob("*") if path.is_file()
    )
    secret = machine_file.read_text().split("CLIENT_SECRET=")[1].strip()
    assert secret not in kept + done.stdout + done.stderr


@pytest.mark.parametrize("method", WRITES)
def test_reader_refuses_before_anything_is_sent(rehearsed, recorder, method):
    before = len(rehearsed.asked)
    reader = Reader(lambda: str(rehearsed.plain), recorder)
    with pytest.raises(ReadsOnly):
        reader.ask(method, "/api/v4/secrets/NEW")
    assert len(rehearsed.asked) == before


@pytest.mark.parametrize("path", ["/api/v4/secrets/NEW", LOG_IN[1] + "/", LOG_IN[1] + "?a=b"])
def test_the_one_who_may_log_in_may_do_nothing_else(rehearsed, recorder, path):
    reader = Reader(lambda: str(rehearsed.plain), recorder, may_log_in=True)
    with pytest.raises(ReadsOnly):
        reader.ask("POST", path)


@pytest.mark.parametrize(
    "act",
    [
        lambda api: api.stop("it"),
        lambda api: api.remove_container("it"),
        lambda api: api.exec_create("it", ["true"]),
        lambda api: api.create_container("image"),
        lambda api: api.pull("image", tag="latest"),
        lambda api: api.prune_containers(),
        lambda api: api.put_archive("it", "/", b""),
    ],
)
def test_engine_client_refuses_before_anything_is_sent(rehearsed, act):
    api = container_checks.connect(rehearsed.engine)
    before = len(rehearsed.asked)
    with pytest.raises(ReadsOnly):
        act(api)
    assert len(rehearsed.asked) == before
    api.close()
