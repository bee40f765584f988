"""One OPC UA connection as the registers of the map: `plc.polled_link.Wire` on a client's session.

A poll is one Read of the header and of the ring slots that come next, so that a record costs no round
trip of its own. Block C is written before it when it says something new, and as a life sign ten times
as often as the PLC asks for: OPC UA has no request that writes and reads. Every request has its own
deadline; one that was missed is None, because the next one may be answered.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from controller.core.units import NS_PER_MS
from controller.core.vocabulary import DecisionResult, LinkFault
from controller.interfaces import Clock
from plc import opcua_nodes as nodes
from plc import register_map as m
from plc.decision_slots import ROWS_PER_WRITE, RowsToWrite
from plc.header import ExchangeFault
from plc.record_codec import decode_decision
from plc.ring_reader import RegisterRun

T = TypeVar("T")

_LIFE_SIGN_PERIOD_NS = m.LIFE_SIGN_LIMIT_MS * NS_PER_MS // 10


class OpcuaSession(Protocol):
    """What a client library has to do, one request at a time. Nodes are called by their block's name.

    TimeoutError: not answered, the session may go on. ExchangeFault: it cannot.
    """

    @property
    def connected(self) -> bool: ...

    @property
    def has_method(self) -> bool:
        """The PLC offers SubmitDecision."""

    @property
    def has_rows(self) -> bool:
        """The PLC offers the rows of block D."""

    async def exchange(
        self, writes: Sequence[tuple[str, list[int]]], reads: Sequence[str]
    ) -> list[list[int]]:
        """Write these nodes, then read those."""

    async def submit(self, arguments: Sequence[int]) -> int:
        """Call SubmitDecision; its answer."""


class OpcuaWire:
    """Requests on one session. `ahead` is where the exchange expects the next records."""

    def __init__(
        self, session: OpcuaSession, clock: Clock, ahead: Callable[[], RegisterRun | None]
    ) -> None:
        self._session = session
        self._clock = clock
        self._ahead = ahead
        self._answered_ns = clock.monotonic_ns()
        self._read_ahead: tuple[RegisterRun, list[int]] | None = None
        self._written: tuple[int, ...] = ()
        self._written_ns = 0
        # A call is answered after a scan of the PLC; the next decision need not wait for others.
        self.rows_per_write = 1 if session.has_method else ROWS_PER_WRITE

    @property
    def silent_ms(self) -> int:
        """How long nothing was answered on this connection."""
        return (self._clock.monotonic_ns() - self._answered_ns) // NS_PER_MS

    @property
    def connected(self) -> bool:
        return self._session.connected

    async def read(self, run: RegisterRun) -> list[int] | None:
        """The registers of `run`; those that came with the last poll are handed out once."""
        ahead, self._read_ahead = self._read_ahead, None
        if ahead is not None and _within(run, ahead[0]):
            start = run.address - ahead[0].address
            return ahead[1][start : start + run.count]
        return await self._request([], run)

    async def write_and_read(
        self, address: int, words: Sequence[int], run: RegisterRun
    ) -> list[int] | None:
        """Write block C if it is due, then read `run` and what is ahead in the ring."""
        assert address == m.C_ADDRESS, "a poll writes block C"
        now_ns, said = self._clock.monotonic_ns(), tuple(words[m.C_HEARTBEAT + 1 :])
        due = said != self._written or now_ns - self._written_ns >= _LIFE_SIGN_PERIOD_NS
        answer = await self._request(_named(address, words) if due else [], run, self._ahead())
        if answer is None:
            self._written = ()
        elif due:
            self._written, self._written_ns = said, now_ns
        return answer

    async def write(self, address: int, words: Sequence[int]) -> bool:
        """True if the PLC confirmed, or has no such rows to write."""
        if address >= m.D_ADDRESS and not self._session.has_rows:
            return True
        return (
            await self._within_limit(self._session.exchange(_named(address, words), ())) is not None
        )

    async def submit(self, write: RowsToWrite) -> Mapping[int, DecisionResult] | None:
        """By method where there is one, else as rows, whose answers come in block E."""
        if not self._session.has_method:
            return {} if await self.write(write.address, write.words) else None
        decision = decode_decision(write.words)
        assert decision is not None, "we wrote it"
        arguments = (
            decision.boot_id,
            decision.session,
            decision.track_id,
            int(decision.destination),
            int(decision.reason),
            decision.decision_seq,
        )
        answer = await self._within_limit(self._session.submit(arguments))
        if answer is None:
            return {}  # it may have arrived: block E will tell, or the exchange breaks
        try:
            return {write.rows[0]: DecisionResult(answer)}
        except ValueError as error:
            raise ExchangeFault(
                LinkFault.NOT_OUR_MAP, f"{nodes.SUBMIT_METHOD} answers {answer}"
            ) from error

    async def _request(
        self,
        writes: list[tuple[str, list[int]]],
        run: RegisterRun,
        ahead: RegisterRun | None = None,
    ) -> list[int] | None:
        self._read_ahead = None
        blocks = nodes.blocks_over(run)
        blocks_ahead = () if ahead is None else nodes.blocks_over(ahead)
        wanted = (*blocks, *blocks_ahead)
        names = [block.name for block in wanted]
        values = await self._within_limit(self._session.exchange(writes, names))
        if values is None:
            return None
        for block, value in zip(wanted, values, strict=True):
            if len(value) != block.count:
                raise ExchangeFault(
                    LinkFault.NOT_OUR_MAP,
                    f"node {block.name} holds {len(value)} values, not {block.count}",
                )
        if ahead is not None:
            words = nodes.words_of(ahead, blocks_ahead, values[len(blocks) :])
            self._read_ahead = (ahead, words)
        return nodes.words_of(run, blocks, values[: len(blocks)])

    async def _within_limit(self, request: Coroutine[Any, Any, T]) -> T | None:
        try:
            async with asyncio.timeout(m.REQUEST_TIMEOUT_MS / 1_000):
                answer = await request
        except TimeoutError:
            if not self._session.connected:
                raise ExchangeFault(LinkFault.REFUSED, "the PLC closed the connection") from None
            return None
        self._answered_ns = self._clock.monotonic_ns()
        return answer


def _named(address: int, words: Sequence[int]) -> list[tuple[str, list[int]]]:
    return [(block.name, part) for block, part in nodes.split(address, words)]


def _within(run: RegisterRun, other: RegisterRun) -> bool:
    end, other_end = run.address + run.count, other.address + other.count
    return other.address <= run.address and end <= other_end
