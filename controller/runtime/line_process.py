"""One conveyor's control process: core, journal thread, list reader thread, PLC link, socket, timers.

It holds no pixels, no web and no slow call. Everything that happens goes through `Dispatcher`; this
module only builds the parts, keeps the time and ends in order.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import Any

from controller import notify
from controller.clock import SystemClock
from controller.config import LineConfig
from controller.core.events import (
    ClockRead,
    Event,
    HostStarted,
    JournalFailed,
    JournalRecovered,
    LineRequested,
    RulesActivated,
)
from controller.core.snapshot import LineSnapshot
from controller.core.units import NS_PER_S
from controller.declared_lists.reader import StoreReader
from controller.interfaces import PlcLink
from controller.journal.earlier_passes import EarlierPasses
from controller.journal.keys import signing_key
from controller.journal.writer import JournalWriter
from controller.runtime.dispatch import Dispatcher
from controller.runtime.journal_word import JournalWord
from controller.runtime.line_socket import Connection, LineSocket
from controller.runtime.start import (
    active_rules_text,
    file_header,
    keys_dir,
    recovered_core,
)

log = logging.getLogger(__name__)

SNAPSHOT_PERIOD_S = 0.2
HOUSEKEEPING_PERIOD_S = 1.0
CLOCK_READ_PERIOD_NS = 60 * NS_PER_S
CLOCK_STEP_NS = 2 * NS_PER_S

MakeLink = Callable[[LineConfig, SystemClock, int], PlcLink]


class LineProcess:
    """Built on a running loop; `run` returns when `stop` is set, or raises on a bug."""

    def __init__(self, config: LineConfig, software_version: str, make_link: MakeLink) -> None:
        self._config = config
        self._version = software_version
        self._clock = SystemClock()
        self._loop = asyncio.get_running_loop()
        # Random per start: the PLC latches it, and ends every lease of another. It shows the low
        # word of the latched one, where 0 means none.
        self._session = secrets.randbits(16) << 16 | (secrets.randbelow(0xFFFF) + 1)
        self.core, self._recovered = recovered_core(config)
        # A restart is no supervisor's word.
        self._journal_doubted = not self.core.state.journal_ok
        self._rules_text = active_rules_text(config, self.core)
        self._journal = JournalWriter(
            config.journal_dir,
            config.line.name,
            signing_key(keys_dir(config)),
            self._recovered.start,
            on_durable=self._from_thread(self._durable),
            on_failed=self._from_thread(self._failed),
        )
        self.link = make_link(config, self._clock, self._session)
        passes = EarlierPasses(config.journal_dir, lines_dir=config.journal_dir.parent)
        self._lists = StoreReader(
            config.lists_db,
            self._from_thread(self._dispatch),
            passes.of,
            passes.taken_elsewhere,
        )
        self._word = JournalWord(self._journal.reopen, self._dispatch, self._snapshot)
        self._socket = LineSocket(
            config.line_socket, self._told, self._lists.wake, self._supervised
        )
        self._dispatcher = Dispatcher(
            self.core,
            self._clock,
            self._journal,
            self.link,
            self._lists,
            self._socket.tell_vision,
        )
        self._dispatcher.on_dispatched = self._arm
        self._timer: asyncio.TimerHandle | None = None
        self._day = ""
        self._clock_read_ns = 0
        self._utc_offset_ns = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Serve the line until `stop`."""
        self.begin_file()
        self._lists.start()
        self._announce()
        await self._socket.open()
        try:
            async with asyncio.TaskGroup() as tasks:
                work = {
                    "PLC link": tasks.create_task(self.link.run(self._dispatch)),
                    "pages": tasks.create_task(self._show_pages()),
                    "housekeeping": tasks.create_task(self._keep_house()),
                }
                stopping = tasks.create_task(stop.wait())
                notify.ready(f"session {self._session}{self._rules_differ()}")
                running = [stopping, *work.values()]
                await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in running:
                    task.cancel()
                if not stop.is_set():
                    # a task that was cancelled by mistake would otherwise be missed by nobody
                    ended = [name for name, task in work.items() if task.done()]
                    raise RuntimeError(f"{' and '.join(ended)} ended by itself")
        finally:
            await self._socket.close()
            self._lists.close()
            if self._timer is not None:
                self._timer.cancel()
            if not self._journal.close():
                log.error("the journal could not be written to its end")

    # --- events ---------------------------------------------------------------------------------

    def _announce(self) -> None:
        """What the core must know before anything else happens."""
        self._dispatch(HostStarted(self._session, self._version))
        self._read_clock()
        if self._recovered.set_aside:
            names = ", ".join(aside.path.name for aside in self._recovered.set_aside)
            self._dispatch(JournalFailed(f"journals set aside: {names}"))
        elif self._journal_doubted:
            self._dispatch(
                JournalFailed("failed before this start, and no supervisor's word since")
            )

    def _rules_differ(self) -> str:
        """What was activated outlives a restart; line.toml's file is for a line's first start."""
        active, config = self.core.state.rule_versions[-1].rules_id, self._config
        if active == config.rules_id:
            return ""
        file = config.paths.rules_file.name
        log.warning("rules %s are active; those in %s, %s, are not", active, file, config.rules_id)
        return f"; {file} is not the active rules {active[:12]}: see `parcelgate rules`"

    def _told(self, event: Event) -> None:
        """An event from the socket. New rules begin a journal file, so that its header names them."""
        self._dispatch(event)
        if isinstance(event, RulesActivated):
            log.info("rules %s activated by %s", event.rules_id, event.who)
            self._rules_text = event.text
            self.begin_file()

    def _dispatch(self, event: Any) -> None:
        self._dispatcher.dispatch(event)

    def _durable(self, journal_seq: int) -> None:
        self._dispatcher.durable(journal_seq)
        self._word.durable()

    def _failed(self, why: str) -> None:
        log.error("%s", why)
        self._dispatcher.dispatch(JournalFailed(why))
        self._word.failed(why)

    def _supervised(
        self, message: LineRequested | JournalRecovered, connection: Connection
    ) -> None:
        """What a supervisor says at this machine; he is told what came of it."""
        log.warning("%s", message)
        if isinstance(message, JournalRecovered):
            self._word.given(message, connection)
        else:
            self._dispatch(message)
            connection.answer(self._snapshot())

    def _snapshot(self) -> LineSnapshot:
        return self.core.snapshot(self._clock.monotonic_ns())

    def _from_thread(self, call: Callable[..., None]) -> Callable[..., None]:
        """`call` on the loop, from a thread that may outlive it by a moment."""

        def later(*arguments: Any) -> None:
            try:
                self._loop.call_soon_threadsafe(call, *arguments)
            except RuntimeError:
                log.info("the loop is closed, dropped: %s", call.__name__)

        return later

    def _arm(self) -> None:
        """One timer, at the core's next deadline."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline_ns = self.core.next_deadline_ns()
        if deadline_ns is not None:
            # One millisecond later rather than a busy loop: asyncio's timers round up anyway.
            wait_ns = max(1_000_000, deadline_ns - self._clock.monotonic_ns())
            self._timer = self._loop.call_later(wait_ns / NS_PER_S, self._dispatcher.deadline)

    # --- time -----------------------------------------------------------------------------------

    async def _show_pages(self) -> None:
        while True:
            await asyncio.sleep(SNAPSHOT_PERIOD_S)
            self._socket.show(self._snapshot)

    async def _keep_house(self) -> None:
        """Day change, clock, watchdog."""
        while True:
            await asyncio.sleep(HOUSEKEEPING_PERIOD_S)
            notify.watchdog()
            at_ns, utc_ns = self._clock.monotonic_ns(), self._clock.utc_ns()
            stepped = abs(utc_ns - at_ns - self._utc_offset_ns) > CLOCK_STEP_NS
            if stepped or at_ns - self._clock_read_ns >= CLOCK_READ_PERIOD_NS:
                self._read_clock()
            if self._clock.utc_day() > self._day:
                self.begin_file()

    def _read_clock(self) -> None:
        self._clock_read_ns = self._clock.monotonic_ns()
        utc_ns = self._clock.utc_ns()
        self._utc_offset_ns = utc_ns - self._clock_read_ns
        self._dispatch(ClockRead(utc_ns, self._clock.synchronised()))

    def begin_file(self) -> None:
        """A journal file begins with the whole state, so that it replays alone. Days only move on."""
        self._day = max(self._clock.utc_day(), self._recovered.day)
        header = file_header(
            self._config, self.core, self._rules_text, self._version, self._clock.utc_ns()
        )
        self._journal.begin_file(self._clock.monotonic_ns(), self._day, header)
