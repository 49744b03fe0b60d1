"""A recorder for tests."""

from drillbook.core.recorder_protocol import NullRecorder


class SecretRecorder(NullRecorder):
    """A recorder that keeps only the secrets, in `secrets` by name."""

    def __init__(self):
        super().__init__()
        self.secrets = {}

    def secret(self, name, value):
        self.secrets[name] = value
