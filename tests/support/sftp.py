"""An SFTP server on loopback that serves one folder, with a password."""

import os
import socket
import threading
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import paramiko

USER, PASSWORD = "backup", "a-password-for-tests"


class Door(paramiko.ServerInterface):
    def check_auth_password(self, username, password):
        right = (username, password) == (USER, PASSWORD)
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

    def get_allowed_auths(self, username):
        return "password"

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED


class Handle(paramiko.SFTPHandle):
    def stat(self):
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


def files(folder):
    class Files(paramiko.SFTPServerInterface):
        def _real(self, path):
            return folder / path.lstrip("/")

        def list_folder(self, path):
            found = []
            for one in self._real(path).iterdir():
                told = paramiko.SFTPAttributes.from_stat(one.stat())
                told.filename = one.name
                found.append(told)
            return found

        def stat(self, path):
            try:
                return paramiko.SFTPAttributes.from_stat(self._real(path).stat())
            except OSError as trouble:
                return paramiko.SFTPServer.convert_errno(trouble.errno)

        lstat = stat

        def open(self, path, flags, attr):
            handle = Handle(flags)
            handle.filename, handle.readfile = path, self._real(path).open("rb")
            return handle

    return Files


@contextmanager
def serving(folder):
    """A running server: its port, and the line of known_hosts with its key."""
    key = paramiko.RSAKey.generate(2048)
    listening = socket.create_server(("127.0.0.1", 0))
    port, transports = listening.getsockname()[1], []

    def accept():
        with suppress(OSError):
            while True:
                transport = paramiko.Transport(listening.accept()[0])
                transport.add_server_key(key)
                transport.set_subsystem_handler("sftp", paramiko.SFTPServer, files(folder))
                with suppress(EOFError, paramiko.SSHException):
                    transport.start_server(server=Door())
                transports.append(transport)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        known = f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n"
        yield SimpleNamespace(port=port, known=known)
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)
        for transport in transports:
            transport.close()
