"""Tells whoever supervises this process how it is: systemd's protocol, READY=1 and its kin.

`parcelgate run` and systemd read the same datagrams. Without NOTIFY_SOCKET in the environment every
call is a no-op: nobody asked. It must never raise: a supervisor that went away is no reason for a
line to stop.
"""

import os
import socket
from collections.abc import Mapping

WATCHDOG_MESSAGE = "WATCHDOG=1"


def ready(status: str = "") -> None:
    """This process does its work now; `status` is one line for people."""
    send("READY=1", f"STATUS={status}" if status else "")


def status(text: str) -> None:
    send(f"STATUS={text}")


def watchdog() -> None:
    """A sign of life; systemd kills a unit that stays silent over WatchdogSec."""
    send(WATCHDOG_MESSAGE)


def stopping() -> None:
    send("STOPPING=1")


def send(*assignments: str, environment: Mapping[str, str] = os.environ) -> bool:
    """One datagram of `NAME=value` lines. True if it went out."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    # '@' names a socket without a file (Linux abstract namespace).
    name = "\0" + address[1:] if address.startswith("@") else address
    text = "\n".join(line.replace("\n", " ") for line in assignments if line)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as channel:
            channel.sendto(text.encode(), name)
    except OSError:
        return False
    return True
