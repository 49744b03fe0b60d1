"""A pipe hides how its first program ended; a full disk does not, and leaves the beginning."""

import gzip

import pytest

from drillbook.core.errors import Unsupported
from fixtures.faults import host_shell


class Typist:
    """A stack whose database host is this one, where another program stands for pg_dump."""

    driver = "this host"

    def __init__(self, program):
        self.program = program

    def shell_command(self, service, argv):
        assert (service, argv[0]) == ("db", "pg_dump")
        return ["sh", "-c", self.program], {}


def test_pipe_reports_success_whatever_its_first_program_did(tmp_path):
    made = tmp_path / "made.sql.gz"
    done = host_shell.back_up_into_gzip(Typist("echo begun; exit 3"), made, role="nobody")
    assert (done.exit_code, gzip.decompress(made.read_bytes())) == (0, b"begun\n")
    assert made.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("own", [True, False])
def test_full_disk_leaves_the_beginning_and_says_so(tmp_path, monkeypatch, own):
    if own and not host_shell.own_disk():
        pytest.skip("this user may make no file system of its own")
    monkeypatch.setattr(host_shell, "own_disk", lambda: own)
    done = host_shell.back_up_to_full_disk(Typist("head -c 99999 /dev/zero"), tmp_path / "cut.sql")
    assert done.exit_code != 0
    assert 0 < (tmp_path / "cut.sql").stat().st_size < 99999
    assert list((tmp_path / "small-disk").iterdir()) == []


def test_host_where_nothing_can_be_typed_is_not_judged(tmp_path):
    class Remote:
        driver = "remote"

    with pytest.raises(Unsupported, match="nothing can be typed"):
        host_shell.back_up_into_gzip(Remote(), tmp_path / "x.gz")
