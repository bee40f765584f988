"""Starting the C PLC (ringplc.c) and knowing, independently of plc/, what its records must say."""

import asyncio
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from controller.core import events
from controller.core.vocabulary import (
    BeltCause,
    BeltMotion,
    DefaultCause,
    GatePhase,
    GatePosition,
)

BOOT_ID = 0xB007_1D01
FIRST_TRACK_ID = 1000
RECORDS_A_PARCEL = 13
_U32 = 0xFFFF_FFFF


def build(folder: Path, name: str = "ringplc") -> Path | str:
    """`name`.c of this folder, compiled, or the reason why there is none."""
    for tool in ("gcc", "pkg-config"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "libmodbus"], capture_output=True, text=True
    )
    if flags.returncode:
        return "libmodbus (libmodbus-dev) is not installed"
    binary = folder / name
    source = Path(__file__).with_name(f"{name}.c")
    subprocess.run(
        ["gcc", "-Wall", "-Wextra", "-Werror", "-O1", "-o", str(binary), str(source)]
        + [*flags.stdout.split(), "-lpthread"],
        check=True,
    )
    return binary


@dataclass(slots=True)
class RingPlc:
    """A running C PLC and what it has said so far."""

    process: asyncio.subprocess.Process
    port: int
    published_ns: dict[int, int] = field(default_factory=dict)
    accepted: list[tuple[int, int, int]] = field(default_factory=list)
    watchdog_trips: int = 0
    sessions: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()

    async def stop(self) -> None:
        """Ask it to end and wait for its counts."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        await self.process.wait()

    async def listen(self) -> None:
        """Take down what it says until it ends."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            match line.decode().split():
                case ["R", seq, at_ns]:
                    self.published_ns[int(seq)] = int(at_ns)
                case ["A", seq, track_id, destination]:
                    self.accepted.append((int(seq), int(track_id), int(destination)))
                case ["W"]:
                    self.watchdog_trips += 1
                case ["L", session]:
                    self.sessions.append(int(session))
                case ["S", *counts]:
                    self.counts = {k: int(v) for k, v in (c.split("=") for c in counts)}


@asynccontextmanager
async def running(binary: Path, **options: int) -> AsyncIterator[RingPlc]:
    """ringplc with `--option value` for each keyword; ended on leaving."""
    arguments = [
        text
        for name, value in options.items()
        for text in (f"--{name.replace('_', '-')}", f"{value}")
    ]
    process = await asyncio.create_subprocess_exec(
        str(binary), *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    first = (await process.stdout.readline()).decode().split()
    assert first[:1] == ["P"], "ringplc did not start"
    plc = RingPlc(process, int(first[1]))
    async with asyncio.TaskGroup() as group:
        group.create_task(plc.listen())
        try:
            yield plc
        finally:
            await plc.stop()


def expected_record(seed: int, boot_id: int, seq: int, plc_time_us: int) -> events.PlcRecord:
    """Record `seq` as ringplc.c makes it from its seed; its PLC time is the one it was read with."""
    h = _scramble((seed * 2654435761 + seq) & _U32)
    a, b, c = (_scramble((h + i) & _U32) for i in (2, 3, 4))
    track_id = FIRST_TRACK_ID + (seq - 1) // RECORDS_A_PARCEL
    head = (boot_id, seq, _scramble(h) & 31, track_id, _scramble((h + 1) & _U32), plc_time_us)
    a16, b16, c16 = a & 0xFFFF, b & 0xFFFF, c & 0xFFFF
    signed_b = b - (1 << 32) if b >> 31 else b
    made = (
        lambda: events.Inducted(*head, a),
        lambda: events.EyePassed(*head, a, b),
        lambda: events.CodeRead(*head, a % 3, 0, 1, a >> 8 & 0xFF, f"{b:010d}"),
        lambda: events.Weighed(*head, a, signed_b, c16, bool(c >> 16 & 1), bool(c >> 17 & 1)),
        lambda: events.Dimensioned(*head, a16, a >> 16, b16, b >> 16, bool(c & 1)),
        lambda: events.Triggered(*head, a),
        lambda: events.GateMoved(*head, GatePhase(1 + a % 3), GatePosition(1 + b % 3), c16),
        lambda: events.LaneSeen(*head),
        lambda: events.DefaultTaken(*head, DefaultCause(1 + a % 7)),
        lambda: events.ParcelLost(*head),
        lambda: events.ExtraSeen(*head, a),
        lambda: events.ZoneOpened(*head, a16, b16),
        lambda: events.BeltChanged(*head, BeltMotion(1 + a % 2), b16, BeltCause(1 + c % 10)),
        lambda: events.LaneChanged(*head, bool(a & 1), bool(b & 1), c16),
        lambda: events.DeviceChanged(*head, bool(a & 1), bool(b & 1), bool(c & 1)),
    )
    return made[h % 15]()


def _scramble(x: int) -> int:
    x ^= x >> 16
    x = x * 0x85EBCA6B & _U32
    x ^= x >> 13
    x = x * 0xC2B2AE35 & _U32
    return x ^ x >> 16
