"""The 16 rows of block D and their echoes in block E. Pure.

A decision goes to row `decision_seq mod 16` and keeps it until its echo; one whose row is still
taken waits, others pass it. A HOLD overtakes every release that waits and takes back one for the
same parcel that was not written yet. Nothing here outlives the exchange: `drop`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from controller.core.commands import SendDecision
from controller.core.events import DecisionEchoed
from controller.core.vocabulary import DecisionResult, Destination
from plc import register_map as m
from plc.record_codec import decode_echo, encode_decision

Words = Sequence[int]

# Neighbouring rows share one FC16 request.
ROWS_PER_WRITE: Final = m.FC16_REGISTERS_MAX // m.D_SLOT_REGISTERS


@dataclass(slots=True)
class _Row:
    decision: SendDecision
    written_at_ns: int = 0  # 0: not (known to be) in the PLC
    echo_seen: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RowsToWrite:
    """Neighbouring rows of block D: register address relative to the base, words, row numbers."""

    address: int
    words: tuple[int, ...]
    rows: tuple[int, ...]


class DecisionSlots:
    """What is to be written to D and what is awaited in E."""

    def __init__(self) -> None:
        self._waiting: list[SendDecision] = []
        self._rows: list[_Row | None] = [None] * m.D_SLOTS

    @property
    def outstanding(self) -> bool:
        """A row awaits its echo: block E is to be read."""
        return self._rows.count(None) != m.D_SLOTS

    def queue(self, decision: SendDecision) -> int:
        """Line up a decision; returns how many waiting ones it took back."""
        if decision.destination is not Destination.HOLD:
            self._waiting.append(decision)
            return 0
        before = len(self._waiting)
        self._waiting = [w for w in self._waiting if w.track_id != decision.track_id]
        taken_back = before - len(self._waiting)
        holds = sum(w.destination is Destination.HOLD for w in self._waiting)
        self._waiting.insert(holds, decision)
        return taken_back

    def next_write(self, rows_max: int = ROWS_PER_WRITE) -> RowsToWrite | None:
        """Up to `rows_max` rows to write now, holds first; None if nothing can go out.

        From here on the decision occupies its row. It is offered again until `written`: a write
        that nobody confirmed may or may not be in the PLC, and the same words do no harm.
        """
        if not (self._waiting or self.outstanding):
            return None
        candidates = {no: row.decision for no, row in self._taken_rows() if not row.written_at_ns}
        for decision in self._waiting:
            number = decision.decision_seq % m.D_SLOTS
            if self._rows[number] is None:
                candidates.setdefault(number, decision)
        if not candidates:
            return None
        first = min(candidates, key=lambda no: candidates[no].destination is not Destination.HOLD)
        rows = list(takewhile(candidates.__contains__, range(first, first + rows_max)))
        for number in rows:
            self._rows[number] = self._rows[number] or _Row(candidates[number])
        taken = {candidates[number].decision_seq for number in rows}
        self._waiting = [w for w in self._waiting if w.decision_seq not in taken]
        words = tuple(word for number in rows for word in encode_decision(candidates[number]))
        return RowsToWrite(m.D_ADDRESS + first * m.D_SLOT_REGISTERS, words, tuple(rows))

    def written(self, write: RowsToWrite, at_ns: int) -> None:
        """The PLC confirmed the write. (Unconfirmed rows are written again: the same words.)"""
        for number in write.rows:
            row = self._rows[number]
            if row is not None:
                row.written_at_ns = at_ns

    def take_echoes(self, e: Words) -> list[DecisionEchoed]:
        """Echoes that are new in block E, each sequence once.

        A row of E has no CRC: it counts only when two reads in a row show the same five registers
        and they name the decision that was written there.
        """
        echoes: list[DecisionEchoed] = []
        for number, row in self._taken_rows():
            start = number * m.E_SLOT_REGISTERS
            seen = tuple(e[start : start + m.E_SLOT_REGISTERS])
            if seen != row.echo_seen:
                row.echo_seen = seen
                continue
            result = _answer_to(row.decision, seen)
            if result is not None:
                decision = row.decision
                echoes.append(DecisionEchoed(decision.decision_seq, decision.track_id, result))
                self._rows[number] = None
        return echoes

    def answer(self, number: int, result: DecisionResult) -> DecisionEchoed | None:
        """The PLC answered row `number` at once (a method call); None if that row awaits nothing."""
        row = self._rows[number]
        if row is None:
            return None
        self._rows[number] = None
        return DecisionEchoed(row.decision.decision_seq, row.decision.track_id, result)

    def oldest_unanswered(self) -> tuple[int, int] | None:
        """(written at ns, decision_seq) of the row that has waited longest for its echo."""
        if not self.outstanding:
            return None
        return min(
            (
                (row.written_at_ns, row.decision.decision_seq)
                for _, row in self._taken_rows()
                if row.written_at_ns
            ),
            default=None,
        )

    def drop(self) -> int:
        """Forget everything; returns how many decisions nobody confirmed to be in the PLC."""
        unwritten = sum(not row.written_at_ns for _, row in self._taken_rows())
        dropped = len(self._waiting) + unwritten
        self._waiting = []
        self._rows = [None] * m.D_SLOTS
        return dropped

    def _taken_rows(self) -> list[tuple[int, _Row]]:
        return [(number, row) for number, row in enumerate(self._rows) if row is not None]


def _answer_to(decision: SendDecision, echo_row: Words) -> DecisionResult | None:
    echo = decode_echo(echo_row)
    if echo is None or echo.decision_seq != decision.decision_seq:
        return None
    # With a bad CRC the PLC cannot know which track id was meant.
    if echo.track_id != decision.track_id and echo.result is not DecisionResult.BAD_CRC:
        return None
    return echo.result
