"""Look-ups for the line process: one thread, read-only, an answer to every question.

The thread blocks on its queue and on the disk, hardly ever on the interpreter. It watches the change
log every POLL_S; a wake-up only makes it look earlier. A store that is missing, replaced, damaged or
of another schema means UNAVAILABLE, never an empty answer: not declared and not known are different.
This module must never import lxml.
"""

import contextlib
import logging
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

import apsw

from controller.core.commands import LookUp
from controller.core.events import EarlierPass, ListChanged, ListFacts, ListsAnswered
from controller.core.vocabulary import LookUpResult
from controller.declared_lists import database, facts
from controller.declared_lists.database import StoreError

POLL_S = 0.05
# 48 parcels on the belt ask twice each; a longer queue means the disk hangs.
QUESTIONS_MAX = 256
# Facts last delivered, to tell a change that fell between the answer and the `watch`.
REMEMBERED_MAX = 1_024

Deliver = Callable[[ListsAnswered | ListChanged], None]
_T = TypeVar("_T")
EarlierPassesOf = Callable[[str], tuple[EarlierPass, ...]]
TakenElsewhere = Callable[[frozenset[str]], frozenset[str]]

_log = logging.getLogger(__name__)


class _Nudge(Enum):
    """What the queue carries beside questions."""

    LOOK = 1
    STOP = 2


class StoreReader:
    """`controller.interfaces.ListReader` over the store at `path`.

    `deliver` is called in the reader's thread, or in the caller's where the queue is overrun;
    `earlier_passes` (list_key -> passes) and `taken_elsewhere` (which of these list keys another line
    has released or on its belt) are called in the reader's thread.
    """

    def __init__(
        self,
        path: Path,
        deliver: Deliver,
        earlier_passes: EarlierPassesOf = lambda _: (),
        taken_elsewhere: TakenElsewhere = lambda _: frozenset(),
    ) -> None:
        self._path = path
        self._deliver = deliver
        self._earlier_passes = earlier_passes
        self._taken_elsewhere = taken_elsewhere
        self._taken: frozenset[str] = frozenset()
        self._questions: queue.Queue[LookUp | _Nudge] = queue.Queue(QUESTIONS_MAX)
        self._thread = threading.Thread(target=self._run, name="list-reader", daemon=True)
        self._connection: apsw.Connection | None = None
        self._file_id = (0, 0)
        self._fault = ""
        self._cursor = 0
        self._newest: facts.Message | None = None
        self._wanted: frozenset[str] = frozenset()
        self._watched: frozenset[str] = frozenset()
        self._remembered: OrderedDict[str, ListFacts] = OrderedDict()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop the thread after the questions that wait."""
        self._questions.put(_Nudge.STOP)
        self._thread.join()

    @property
    def fault(self) -> str:
        """Why look-ups are unavailable, one sentence; "" while they work."""
        return self._fault

    def look_up(self, request: LookUp) -> None:
        """Answered by one ListsAnswered, always."""
        try:
            self._questions.put_nowait(request)
        except queue.Full:
            self._deliver(_unavailable(request))

    def watch(self, list_keys: frozenset[str]) -> None:
        """Deliver ListChanged for these lists from now on, for another list that comes for one of their
        waybills, and for no others but what a look-up finds changed. That another line has the label,
        too, is such a change, told once.

        A change since the list was last delivered counts too, so that none falls in between.
        """
        self._wanted = list_keys
        self.wake()

    def wake(self) -> None:
        """Look at the change log now. Never blocks."""
        with contextlib.suppress(queue.Full):  # then the thread is about to look anyway
            self._questions.put_nowait(_Nudge.LOOK)

    def _run(self) -> None:
        while True:
            try:
                question = self._questions.get(timeout=POLL_S)
            except queue.Empty:
                question = _Nudge.LOOK
            if isinstance(question, LookUp):
                self._deliver(
                    self._guarded(partial(self._found, question)) or _unavailable(question)
                )
            elif question is _Nudge.STOP:
                break
            if self._questions.empty():
                self._guarded(self._look)
        self._disconnect()

    def _guarded(self, read: Callable[[], _T]) -> _T | None:
        """What `read` gives, or None: whatever went wrong is kept as `fault` and said once."""
        try:
            result = read()
        except Exception as error:  # noqa: BLE001 - whatever the fault is, an answer is owed
            self._disconnect()
            self._set_fault(self._sentence_of(error))
        else:
            self._set_fault("")
            return result
        return None

    def _sentence_of(self, error: Exception) -> str:
        match error:
            case StoreError():
                return str(error)
            case apsw.Error():
                return database.sentence_of(error, self._path)
        return f"declared lists cannot be read: {error!r}"

    def _set_fault(self, sentence: str) -> None:
        if sentence and not self._fault:
            _log.error("look-ups are unavailable: %s", sentence)
        elif self._fault and not sentence:
            _log.info("look-ups work again")
        self._fault = sentence

    def _found(self, request: LookUp) -> ListsAnswered:
        with facts.snapshot(self._connected()) as store_seq:
            found = facts.facts_of_codes(self._connected(), request.codes)
        for each in found:
            known = self._remembered.get(each.list_key)
            if known is not None and known != each:
                # Another parcel may rest on what it said before, and would never be told again.
                self._deliver(ListChanged(store_seq, self._with_passes(each)))
            self._remember(each)
        return ListsAnswered(
            pass_no=request.pass_no,
            purpose=request.purpose,
            result=LookUpResult.ANSWERED,
            store_seq=store_seq,
            lists=tuple(self._with_passes(each) for each in found),
        )

    def _look(self) -> None:
        try:
            self._poll()
        finally:  # the other lines go on releasing while the store fails
            self._tell_taken()

    def _poll(self) -> None:
        """Deliver what changed past the cursor, and what changed before its list was watched."""
        wanted = self._wanted
        connection = self._connected()
        with facts.snapshot(connection) as store_seq:
            if not facts.has_message(connection, self._newest):  # restored under our feet
                self._cursor, self._watched = store_seq, frozenset()
            changed = set(wanted - self._watched)
            labels = self._waybills(changed)
            waybills = self._waybills(wanted)
            while True:
                cursor, keys = facts.changes(connection, self._cursor, wanted, waybills)
                changed |= keys.keys() & wanted
                labels |= {waybill for key, waybill in keys.items() if key not in wanted}
                if cursor == self._cursor:
                    break
                self._cursor = cursor
            self._newest = facts.newest_message(connection)
        for list_key in sorted(changed):
            self._deliver_change(connection, list_key)
        for waybill in sorted(labels):
            self._deliver_rivals(connection, waybill, wanted)
        self._watched = wanted

    def _tell_taken(self) -> None:
        """Deliver lists that another line has, too, as they were last delivered; each once."""
        taken = self._taken_elsewhere(self._wanted) & self._remembered.keys()
        for list_key in sorted(taken - self._taken):
            told = self._with_passes(self._remembered[list_key])
            self._deliver(ListChanged(self._cursor, told))
        self._taken = taken

    def _deliver_change(self, connection: apsw.Connection, list_key: str) -> None:
        known = self._remembered.get(list_key)
        with facts.snapshot(connection) as store_seq:
            present = facts.facts_of_key(connection, list_key)
        if present is None and known is not None:  # another store stands there now
            present = replace(known, status=0, status_time="", goods=())
        if present is None or present == known:
            return
        self._remember(present)
        try:
            told = self._with_passes(present)
        except Exception:
            # What customs says is news whatever the journals say.
            self._deliver(ListChanged(store_seq, present))
            raise
        self._deliver(ListChanged(store_seq, told))

    def _waybills(self, list_keys: Iterable[str]) -> set[str]:
        """As they were last delivered."""
        known = (self._remembered.get(list_key) for list_key in list_keys)
        return {each.waybill for each in known if each is not None}

    def _deliver_rivals(
        self, connection: apsw.Connection, waybill: str, wanted: frozenset[str]
    ) -> None:
        """Other lists that a look-up of a watched waybill would find now."""
        with facts.snapshot(connection) as store_seq:
            found = facts.facts_of_codes(connection, (waybill,))
        for each in found:
            if each.list_key not in wanted:
                self._deliver(ListChanged(store_seq, each))

    def _remember(self, present: ListFacts) -> None:
        self._remembered[present.list_key] = present
        self._remembered.move_to_end(present.list_key)
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)

    def _with_passes(self, present: ListFacts) -> ListFacts:
        return replace(present, earlier_passes=self._earlier_passes(present.list_key))

    def _connected(self) -> apsw.Connection:
        """The connection to the file that has the store's name now. StoreError, OSError."""
        if self._connection is not None:
            if self._file_id == _file_id(self._path):
                return self._connection
            self._disconnect()
        self._connection = database.open_for_reading(self._path)
        self._file_id = _file_id(self._path)
        with facts.snapshot(self._connection) as self._cursor:
            self._newest = facts.newest_message(self._connection)
        return self._connection

    def _disconnect(self) -> None:
        """Forget the connection; every watched list is looked at anew after the next one."""
        self._watched = frozenset()
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _file_id(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise StoreError(f"there is no list store at {path}") from None
    return status.st_dev, status.st_ino


def _unavailable(request: LookUp) -> ListsAnswered:
    return ListsAnswered(request.pass_no, request.purpose, LookUpResult.UNAVAILABLE, 0, ())
