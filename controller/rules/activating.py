"""Hands a rule version to a running line and waits until the line's journal has it.

Neither end believes the other: the line checks the text again, and what counts as activated here is
only what the journal on the disk says.
"""

import os
import socket
from pathlib import Path

from controller import wire
from controller.core.events import RulesActivated
from controller.core.units import NS_PER_S
from controller.interfaces import Clock
from controller.rules.history import Version, active_version, versions

DURABLE_WITHIN_S = 10
_LOOK_EVERY_S = 0.05
_READ_BYTES = 65_536


class NotActivated(RuntimeError):
    """The rules are not in force, or nobody can tell; one sentence for the person who asked."""


def activate(line_socket: Path, journal: Path, event: RulesActivated, clock: Clock) -> Version:
    """Give `event` to the line at `line_socket`; the version as the journal has it.

    NotActivated if the line does not run, refuses, or does not record it in DURABLE_WITHIN_S.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        try:
            channel.connect(str(line_socket))
            channel.sendall(_frames(event))
        except OSError as error:
            raise NotActivated(
                f"the line does not run ({line_socket}: {error.strerror}); rules are activated on a "
                "running line."
            ) from error
        return _recorded(channel, journal, event, clock)


def _frames(event: RulesActivated) -> bytes:
    hello = wire.Hello("supervisor", 0, os.getpid())
    return wire.encode_frame(hello) + wire.encode_frame(event)


def _recorded(
    channel: socket.socket, journal: Path, event: RulesActivated, clock: Clock
) -> Version:
    """The socket's time-out is the pace; it says nothing unless it refuses."""
    channel.settimeout(_LOOK_EVERY_S)
    buffer = wire.FrameBuffer()
    until_ns = clock.monotonic_ns() + DURABLE_WITHIN_S * NS_PER_S
    while clock.monotonic_ns() < until_ns:
        active = active_version(journal)
        if active is not None and active.rules_id == event.rules_id:
            return versions(journal)[-1]
        try:
            data = channel.recv(_READ_BYTES)
        except TimeoutError:
            continue
        except OSError:
            data = b""
        for message in buffer.feed(data):
            if isinstance(message, wire.Refused):
                raise NotActivated(f"the line refused: {message.why}")
        if not data:
            raise NotActivated(
                "the line went away; ask `parcelgate rules show` which rules it has."
            )
    raise NotActivated(
        f"the line's journal has not recorded it within {DURABLE_WITHIN_S} s; look at its alarms, and "
        "ask `parcelgate rules show`."
    )
