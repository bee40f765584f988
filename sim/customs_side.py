"""Customs and the declarants, as the controller meets them: messages handed to its intake process.

Before the run every list and every receipt is imported; during the run the late receipts follow the
parcels they concern. It speaks only through `intake.sock`, and remembers when each receipt was
acknowledged as durable, because from then on the controller has to obey it.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from controller.core.units import NS_PER_S
from controller.declared_lists.hand_over import document_frame
from controller.declared_lists.sources import Source
from controller.interfaces import Clock
from controller.wire import FrameBuffer, Hello, ImportDone, Refused, WireError, encode_frame
from sim.ceb_writer import Receipt, batches, write_lists, write_receipts
from sim.truth import NEVER, ReceiptSent
from sim.workload import Declaration, LateReceipt

INTAKE_SOCKET_NAME = "intake.sock"
# Between the receipts of one list, so that customs' own times order them.
RECEIPT_SPACING_NS = 10 * NS_PER_S
DECLARED_BEFORE_NS = 600 * NS_PER_S
RETRY_S = 0.2
WATCH_PERIOD_S = 0.005

PositionOf = Callable[[int], int | None]


class CustomsRefused(RuntimeError):
    """Intake did not take a message of ours; the text is one sentence."""


class CustomsSide:
    """One connection to intake. `receipts` is the truth of what was sent during the run."""

    def __init__(self, state_dir: Path, clock: Clock) -> None:
        self.receipts: list[ReceiptSent] = []
        self._path = state_dir / INTAKE_SOCKET_NAME
        self._clock = clock
        self._declared: dict[str, Declaration] = {}
        self._connection: _Connection | None = None

    async def import_all(
        self, declarations: Sequence[Declaration], on_lists: Callable[[int], None]
    ) -> None:
        """Every list with its receipts, durable on return; `on_lists` hears how many are in.

        CustomsRefused if intake did not understand all of it; OSError if it is not there.
        """
        declared_ns = self._clock.utc_ns() - DECLARED_BEFORE_NS
        self._declared.update((item.waybill, item) for item in declarations)
        done = 0
        for batch in batches(declarations):
            lists = await self._hand_over("CEB621", write_lists(batch, declared_ns))
            _require(lists.lists == len(batch), lists, "lists")
            await self._import_receipts(batch, declared_ns)
            done += len(batch)
            on_lists(done)

    async def _import_receipts(self, batch: Sequence[Declaration], declared_ns: int) -> None:
        rounds = max(len(item.statuses) for item in batch)
        for index in range(rounds):
            at_ns = declared_ns + (index + 1) * RECEIPT_SPACING_NS
            receipts = [
                Receipt(item, item.statuses[index], at_ns)
                for item in batch
                if index < len(item.statuses)
            ]
            answer = await self._hand_over("CEB622", write_receipts(receipts))
            _require(answer.receipts == len(receipts), answer, "receipts")

    async def follow(self, late: Sequence[LateReceipt], position_of: PositionOf) -> None:
        """Send each late receipt when its parcel's leading edge reaches its position; returns when
        all are sent. `position_of` answers mm from induct, None while a parcel is not on the belt."""
        waiting = list(late)
        async with asyncio.TaskGroup() as sending:
            while waiting:
                for receipt in tuple(waiting):
                    position_mm = position_of(receipt.parcel_number)
                    if position_mm is not None and position_mm >= receipt.position_mm:
                        waiting.remove(receipt)
                        sending.create_task(self.send_now(receipt.waybill, receipt.status))
                await asyncio.sleep(WATCH_PERIOD_S)

    async def send_now(self, waybill: str, status: int) -> None:
        """One receipt, handed over again until intake took it. Importing twice changes nothing."""
        sent = ReceiptSent(waybill, status, self._clock.monotonic_ns())
        index = len(self.receipts)
        self.receipts.append(sent)
        receipt = Receipt(self._declared[waybill], status, self._clock.utc_ns())
        message = write_receipts([receipt])
        while self.receipts[index].durable_ns == NEVER:
            try:
                answer = await self._hand_over("CEB622", message)
            except (OSError, WireError):
                await asyncio.sleep(RETRY_S)
                continue
            if answer.store_failed:
                await asyncio.sleep(RETRY_S)
                continue
            _require(answer.receipts == 1, answer, "receipts")
            self.receipts[index] = replace(sent, durable_ns=self._clock.monotonic_ns())

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _hand_over(self, name: str, data: bytes) -> ImportDone:
        if self._connection is None:
            self._connection = await _Connection.open(self._path)
        try:
            return await self._connection.hand_over(Source(name, data))
        except (OSError, WireError):
            self.close()
            raise


class _Connection:
    """Documents one after the other: intake answers in order, so one at a time is enough."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._buffer = FrameBuffer()
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path) -> "_Connection":
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(encode_frame(Hello(role="customs", source=0, pid=os.getpid())))
        return cls(reader, writer)

    async def hand_over(self, source: Source) -> ImportDone:
        async with self._turn:
            self._writer.write(document_frame(source))
            await self._writer.drain()
            while data := await self._reader.read(65_536):
                for message in self._buffer.feed(data):
                    if isinstance(message, Refused):
                        raise WireError(message.why)
                    if isinstance(message, ImportDone):
                        return message
        raise ConnectionError("intake closed the connection")

    def close(self) -> None:
        self._writer.close()


def _require(holds: bool, answer: ImportDone, what: str) -> None:
    if holds and not answer.errors:
        return
    first = answer.errors[0] if answer.errors else None
    why = f": {first.field} {first.why}" if first else ""
    raise CustomsRefused(f"intake did not take all {what} of a message{why}")
