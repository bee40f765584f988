"""The supervisor's end of NOTIFY_SOCKET: who is ready, and what each says of itself.

The kernel attaches the sender's process id to every datagram (SO_PASSCRED), so a child can speak
only for itself.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

_DATAGRAM_BYTES_MAX = 4_096
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid

Tell = Callable[[int, str, str], None]


class ReadinessSocket:
    """Calls `tell(pid, name, value)` for every `NAME=value` line a child sends."""

    def __init__(self, path: Path, tell: Tell) -> None:
        self.path = path
        self._tell = tell
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(str(path))
        os.chmod(path, 0o600)
        asyncio.get_running_loop().add_reader(self._socket, self._receive)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def _receive(self) -> None:
        space = socket.CMSG_SPACE(_CREDENTIALS.size)
        data, ancillary, _, _ = self._socket.recvmsg(_DATAGRAM_BYTES_MAX, space)
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                pid = _CREDENTIALS.unpack(content[: _CREDENTIALS.size])[0]
                for line in data.decode("utf-8", "replace").splitlines():
                    name, _, value = line.partition("=")
                    self._tell(pid, name, value)
