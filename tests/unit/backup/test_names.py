"""Deployments of one run keep their backups in one folder, and none takes another's."""

from types import SimpleNamespace

from fixtures.deployment import Deployment
from reports.record.recorder import Recorder


def test_two_deployments_never_name_a_backup_alike(tmp_path):
    by = SimpleNamespace(back_up=lambda *_: SimpleNamespace(exit_code=0))
    stack = SimpleNamespace(settings=None)
    unread = SimpleNamespace(keep_for_backup=lambda _: None)
    made = [Deployment(stack, None, None, Recorder(), tmp_path, unread) for _ in range(2)]
    assert len({one.back_up(by) for one in made for _ in range(2)}) == 4
