"""Declared lists in virtual time: a store that outlives the host, and the host's reader of it.

The reader keeps the promises of `controller.declared_lists.reader.StoreReader`: every question is
answered, on what is durable at that moment; a change of a watched list is told once, also one that fell
between the answer and the watching.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from controller.core.commands import LookUp
from controller.core.events import EarlierPass, ListChanged, ListFacts, ListsAnswered
from controller.core.units import NS_PER_MS
from controller.core.vocabulary import LookUpResult
from sim.sweep.agenda import Agenda

ANSWER_NS_MIN, ANSWER_NS_MAX = NS_PER_MS, 4 * NS_PER_MS
WAKE_NS_MIN, WAKE_NS_MAX = 2 * NS_PER_MS, 50 * NS_PER_MS
LISTS_MAX: Final = 8


@dataclass(slots=True)
class ListStore:
    """What intake made durable. `unavailable` and `slow_ns` are faults of the disk below it.

    `on_fault` is called when one of them met a question.
    """

    facts: dict[str, ListFacts] = field(default_factory=dict)
    store_seq: int = 1
    unavailable: bool = False
    slow_ns: int = 0
    on_fault: Callable[[], None] = lambda: None
    on_change: Callable[[], None] = lambda: None
    _key_of: dict[str, str] = field(default_factory=dict)

    def put(self, facts: ListFacts) -> None:
        """A new list or a new version of one."""
        self.store_seq += 1
        self.facts[facts.list_key] = facts
        self._key_of[facts.waybill] = facts.list_key
        self.on_change()

    def of_waybill(self, waybill: str) -> ListFacts | None:
        key = self._key_of.get(waybill)
        return None if key is None else self.facts[key]

    def take_out(self, waybill: str) -> ListFacts | None:
        """The list was never there (yet)."""
        key = self._key_of.pop(waybill, None)
        return None if key is None else self.facts.pop(key)


class VirtualReader:
    """`controller.interfaces.ListReader` of one process; it dies with it."""

    def __init__(
        self,
        store: ListStore,
        agenda: Agenda,
        rng: Random,
        deliver: Callable[[ListsAnswered | ListChanged], None],
        earlier_passes: Callable[[str], tuple[EarlierPass, ...]],
    ) -> None:
        self._store = store
        self._agenda = agenda
        self._rng = rng
        self._deliver = deliver
        self._earlier_passes = earlier_passes
        self._wanted: frozenset[str] = frozenset()
        self._remembered: dict[str, ListFacts] = {}
        self._free_ns = 0
        self.dead = False
        store.on_change = self._changed

    def look_up(self, request: LookUp) -> None:
        """As ListReader."""
        wait_ns = self._rng.randrange(ANSWER_NS_MIN, ANSWER_NS_MAX)
        if self._store.slow_ns:
            self._store.on_fault()
            wait_ns += self._rng.randrange(self._store.slow_ns)
        # one thread: no answer overtakes another
        self._free_ns = max(self._free_ns, self._agenda.now_ns + wait_ns)
        self._agenda.at(self._free_ns, lambda: self._answer(request))

    def watch(self, list_keys: frozenset[str]) -> None:
        """As ListReader."""
        new = list_keys - self._wanted
        self._wanted = list_keys
        if any(self._remembered.get(key) != self._store.facts.get(key) for key in new):
            self._agenda.after(NS_PER_MS, self._look)

    def _answer(self, request: LookUp) -> None:
        if self.dead:
            return
        store = self._store
        if store.unavailable:
            store.on_fault()
            head = (request.pass_no, request.purpose)
            self._deliver(ListsAnswered(*head, LookUpResult.UNAVAILABLE, 0, ()))
            return
        named = (store.of_waybill(code) for code in request.codes)
        found = {facts.list_key: facts for facts in named if facts is not None}
        for each in found.values():
            known = self._remembered.get(each.list_key)
            self._remembered[each.list_key] = each
            if known is not None and known != each:
                # as StoreReader: another parcel may rest on what it said before
                self._deliver(ListChanged(store.store_seq, self._with_passes(each)))
        self._deliver(
            ListsAnswered(
                request.pass_no,
                request.purpose,
                LookUpResult.ANSWERED,
                store.store_seq,
                tuple(self._with_passes(facts) for facts in list(found.values())[:LISTS_MAX]),
            )
        )

    def _changed(self) -> None:
        if not self.dead:
            self._agenda.after(self._rng.randrange(WAKE_NS_MIN, WAKE_NS_MAX), self._look)

    def _look(self) -> None:
        """Tell every watched list that is no longer what was last told of it."""
        if self.dead:
            return
        if self._store.unavailable:
            self._agenda.after(WAKE_NS_MAX, self._look)
            return
        for key in sorted(self._wanted):
            self._tell(key)

    def _tell(self, key: str) -> None:
        """The process may have died of what it was told last."""
        facts = self._store.facts.get(key)
        if not self.dead and facts is not None and facts != self._remembered.get(key):
            self._remembered[key] = facts
            self._deliver(ListChanged(self._store.store_seq, self._with_passes(facts)))

    def _with_passes(self, facts: ListFacts) -> ListFacts:
        passes = self._earlier_passes(facts.list_key)
        return replace(facts, earlier_passes=passes) if passes else facts
