"""Simulated deployments with bugs, to test without a stack which bugs a lifecycle budget finds."""

import contextlib
from copy import deepcopy

from fixtures.lifecycle.actions import ROOT_KEY
from fixtures.lifecycle.model import Model, Value
from fixtures.lifecycle.runner import ActionRefused

STARTS = ("restart", "rotate", "put back", "rotate password", "restore", "kill", "wipe")


class Played:
    """A deployment that behaves as claimed; each subclass has a bug."""

    def __init__(self):
        self.state = Model()
        self.last = None

    def do(self, action, _wanted):
        before = deepcopy(self.state)
        self.state.do(action)
        self.happened(action, before)
        if action.verb in STARTS and self.state.readable:
            self.started(action, before)
        if action.verb == "write":
            self.last = action

    def happened(self, action, before):
        """Apply the bug after an action."""

    def started(self, action, before):
        """Apply the bug after a start under the right key."""

    def look(self, _wanted):
        return self.state.seen

    @classmethod
    @contextlib.contextmanager
    def begin(cls):
        yield cls()


class LosesLastWrite(Played):
    def started(self, action, before):
        if self.last and action.verb != "restore":
            self.state.secrets.pop(self.last.on, None)


class DeletedComesBack(Played):
    def __init__(self):
        super().__init__()
        self.gone = {}

    def happened(self, action, before):
        if action.verb == "delete":
            self.gone[action.on] = before.secrets[action.on]

    def started(self, action, before):
        if action.verb not in ("restore", "wipe"):
            self.state.secrets = {**self.gone, **self.state.secrets}


class ChangeIsForgotten(Played):
    """A changed value lasts only until the next start."""

    def __init__(self):
        super().__init__()
        self.first = {}

    def happened(self, action, before):
        if action.verb == "write" and action.on not in before.secrets:
            self.first[action.on] = self.state.secrets[action.on]

    def started(self, action, before):
        for name in self.state.secrets.keys() & self.first.keys():
            self.state.secrets[name] = self.first[name]


class RestoreLosesNewest(Played):
    def happened(self, action, before):
        if action.verb == "restore" and self.state.secrets:
            newest = max(self.state.secrets, key=lambda name: self.state.secrets[name].number)
            del self.state.secrets[newest]


class RestoreLosesEmpty(Played):
    def happened(self, action, before):
        if action.verb == "restore":
            kept = {n: v for n, v in self.state.secrets.items() if v.kind != "empty"}
            self.state.secrets = kept


class RestoresNewestBackup(Played):
    def happened(self, action, before):
        if action.verb == "restore":
            kept, self.state.written_under = self.state.backups[-1]
            self.state.secrets = dict(kept)


class BackupsAreTheFirst(Played):
    """Every backup after the first is a copy of it."""

    def happened(self, action, before):
        if action.verb == "back up":
            self.state.backups[-1] = self.state.backups[0]


class WipeLeavesVolume(Played):
    def happened(self, action, before):
        if action.verb == "wipe":
            raise ActionRefused("Instance has already been set up")


class ServesUnderAnyKey(Played):
    def look(self, _wanted):
        return dict(self.state.secrets)


class NewKeyTakesOver(Played):
    def happened(self, action, before):
        if action.verb == "rotate" and action.on == ROOT_KEY:
            self.state.written_under = self.state.deployed[ROOT_KEY]


class NewKeyLocksOut(Played):
    """After a start under a wrong key the right one does not work either."""

    def happened(self, action, before):
        if not self.state.readable:
            self.state.written_under = -1


class StaysDownAfterKill(Played):
    def happened(self, action, before):
        if action.verb == "kill":
            raise ActionRefused("the backend did not come back")


class StaysDownWithoutCache(Played):
    def happened(self, action, before):
        if action.verb == "stop cache":
            raise ActionRefused("the backend did not come back")


class NewPasswordLosesSecrets(Played):
    def happened(self, action, before):
        if action.verb == "rotate password":
            self.state.secrets = {}


class LongValuesLastUntilRestart(Played):
    def started(self, action, before):
        for name, value in self.state.secrets.items():
            if value.kind == "long":
                self.state.secrets[name] = Value("cut", value.number)


class ThirdStartLosesOldest(Played):
    """The third start of the same database loses the oldest secret."""

    starts = 0

    def started(self, action, before):
        self.starts = 0 if action.verb in ("restore", "wipe") else self.starts + 1
        if self.starts == 3 and self.state.secrets:
            del self.state.secrets[min(self.state.secrets)]


BUGS = [one for one in vars().copy().values() if isinstance(one, type) and one is not Played]
BUGS = [one for one in BUGS if issubclass(one, Played)]
