"""PLCs behind OPC UA for link tests, each a process of its own: `python -m tests.plc.opcua_plc SOCKET`.

The soft PLC with a standing belt, and records that `ringplc_peer.expected_record` knows, at a given
rate. The standard address space takes seconds to build, so one process builds it and forks a PLC for
every connection to SOCKET: the first line of it holds the options, what the PLC says comes back, in the
words of ringplc.c; "X seq ns" is a record of the PLC program's own, as of a lease that ended.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import sys
from dataclasses import astuple, dataclass
from pathlib import Path

from asyncua import Server

from controller.clock import SystemClock
from controller.core.units import NS_PER_S, NS_PER_US
from controller.core.vocabulary import DecisionResult
from plc import register_map as m
from plc.opcua_nodes import NAMESPACE_URI
from plc.record_codec import u32_words
from sim.opcua_server import OpcuaPlcServer, ServerSecurity, bare_server
from sim.plc_io import DecisionNote, PlcInputs, PlcOutputs, RecordNote
from sim.plc_rows import PlcSettings
from sim.soft_plc import SoftPlc
from tests.plc.ringplc_peer import BOOT_ID, FIRST_TRACK_ID, RECORDS_A_PARCEL, expected_record
from tests.sim.plc_rig import LINE

PARCELS_KEPT = 40


@dataclass(frozen=True, slots=True)
class Options:
    records: int = 100
    rate_hz: int = 100
    seed: int = 1
    port: int = 0
    boot_id: int = BOOT_ID
    start_seq: int = 1
    scan_ms: int = 5
    layout: int = m.LAYOUT_VERSION
    mute_after: int = 0  # from this many records on, the life sign stands still
    piece_pause_us: int = 0
    silent_method: bool = False  # SubmitDecision is taken but never answered
    has_method: bool = True
    has_rows: bool = True
    node_prefix: str = "L1."
    namespace_uri: str = NAMESPACE_URI
    certificate: str = ""
    private_key: str = ""
    trusted: str = ""

    @property
    def security(self) -> ServerSecurity | None:
        if not self.certificate:
            return None
        return ServerSecurity(Path(self.certificate), Path(self.private_key), Path(self.trusted))


class TestPlc:
    """One PLC; `say` gets the lines that a test reads."""

    __test__ = False

    def __init__(self, options: Options, bare: Server, say: socket.socket) -> None:
        self.options = options
        self.server = OpcuaPlcServer(
            "127.0.0.1",
            options.port,
            node_prefix=options.node_prefix,
            namespace_uri=options.namespace_uri,
            security=options.security,
            has_method=options.has_method,
            has_rows=options.has_rows,
            piece_pause_s=options.piece_pause_us / 1_000_000,
            bare=bare,
        )
        numbers = PlcSettings(
            scan_ms=options.scan_ms,
            first_ring_seq=options.start_seq,
            first_track_id=FIRST_TRACK_ID,
            first_boot_id=options.boot_id,
            every_scan_whole=True,
        )
        self.plc = SoftPlc(LINE, random.Random(options.seed), numbers)
        # as if all before the first record had been read
        self.plc.plant.ring.accepted_ack = options.start_seq - 1
        self.clock = SystemClock()
        self.made = self.refused = self.waited = 0
        self._known: set[int] = set()
        self._session = 0
        self._tripped = False
        self._say = say

    def say(self, *words: object) -> None:
        self._say.sendall(" ".join(map(str, words)).encode() + b"\n")

    async def run(self, stop: asyncio.Event) -> None:
        await self.server.start()
        self.say("P", self.server.port, os.getpid())
        began_ns = self.clock.monotonic_ns()
        await self._scan(began_ns)
        self.plc.registers.write(m.H_ACCEPTED_ACK, u32_words(self.options.start_seq - 1))
        while not stop.is_set():
            now_ns = self.clock.monotonic_ns()
            self._push(now_ns, (now_ns - began_ns) * self.options.rate_hz // NS_PER_S)
            await self._scan(now_ns)
            await asyncio.sleep(self.options.scan_ms / 1_000)
        self.say("S", f"backpressure={self.waited}", f"refused={self.refused}")

    async def _scan(self, now_ns: int) -> None:
        blocks = self.server.host_blocks()
        outputs = self.plc.scan(now_ns // NS_PER_US, PlcInputs(0, 0), blocks)
        await self.server.commit([w for w in outputs.commits if self._shown(w.address)])
        self._tell(outputs)

    def _shown(self, address: int) -> bool:
        mute_after = self.options.mute_after
        silent = self.options.silent_method and m.E_ADDRESS <= address < m.C_ADDRESS
        return (
            not (mute_after and self.made >= mute_after and address == m.H_HEARTBEAT) and not silent
        )

    def _push(self, now_ns: int, due: int) -> None:
        plant = self.plc.plant
        while self.made < min(due, self.options.records):
            slot = plant.ring.next_seq % m.R_SLOTS
            if any(seq % m.R_SLOTS == slot for seq in plant.ring.unacknowledged):
                self.waited += 1
                return
            if self.made % RECORDS_A_PARCEL == 0:
                if len(plant.rows) >= PARCELS_KEPT:
                    plant.drop(plant.rows[0])
                plant.start_row(plant.counts, 1, 1)
            seed, seq = self.options.seed, plant.ring.next_seq
            record = expected_record(seed, self.options.boot_id, seq, now_ns // NS_PER_US)
            _, _, *fields = astuple(record)
            plant.ring.push(type(record), *fields)
            self._known.add(seq)
            self.made += 1

    def _tell(self, outputs: PlcOutputs) -> None:
        now_ns = self.clock.monotonic_ns()
        for note in outputs.notes:
            match note:
                case RecordNote():
                    seq = note.record.ring_seq
                    self.say("R" if seq in self._known else "X", seq, now_ns)
                case DecisionNote(result=DecisionResult.ACCEPTED):
                    self.say("A", note.decision_seq, note.track_id, int(note.destination))
                case DecisionNote():
                    self.refused += 1
                case _:
                    pass
        host = self.plc.host
        if host.session and host.session != self._session:
            self.say("L", host.session)
        if host.tripped and not self._tripped:
            self.say("W")
        self._session, self._tripped = host.session, host.tripped


async def _serve(options: Options, bare: Server, say: socket.socket) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    plc = TestPlc(options, bare, say)
    if options.layout != m.LAYOUT_VERSION:
        shown = plc.server.commit

        async def another(writes: list) -> None:  # type: ignore[type-arg]
            await shown(writes)
            plc.server.image[m.P_ADDRESS + m.P_LAYOUT] = options.layout

        plc.server.commit = another  # type: ignore[method-assign,assignment]
    with contextlib.suppress(BrokenPipeError):
        await plc.run(stop)


def main() -> None:
    """Build once, fork a PLC for each connection, end with the one who started us."""
    bare = asyncio.run(bare_server())
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(sys.argv[1])
    listening.listen()
    print("ready", flush=True)
    while True:
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            options = Options(**json.loads(connection.makefile().readline()))
            try:
                asyncio.run(_serve(options, bare, connection))
            finally:
                os._exit(0)
        connection.close()


if __name__ == "__main__":
    main()
