"""The PLC link over OPC UA: `PolledLink` on `OpcuaWire`, and the watch over our certificate's end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Protocol

from controller.interfaces import Clock, Deliver
from plc.opcua_client import asyncua_session
from plc.opcua_settings import EXPIRY_ALARM_DAYS, OpcuaSettings, days_left
from plc.opcua_wire import OpcuaSession, OpcuaWire
from plc.polled_link import PolledLink

_LOG = logging.getLogger(__name__)
_LOOK_PERIOD_S = 3_600.0


class Backend(Protocol):
    """A client library."""

    def session(self, settings: OpcuaSettings) -> AbstractAsyncContextManager[OpcuaSession]:
        """Connected; closed on leaving. ExchangeFault if it cannot connect."""

    async def close(self) -> None:
        """The link ends."""


class AsyncuaBackend:
    """The default: asyncua, on the line's own loop."""

    def session(self, settings: OpcuaSettings) -> AbstractAsyncContextManager[OpcuaSession]:
        """As Backend."""
        return asyncua_session(settings)

    async def close(self) -> None:
        """Nothing outlives a session."""


class OpcuaLink(PolledLink):
    """`controller.interfaces.PlcLink` over OPC UA; `session` as `Exchange` says.

    `backend` is the client library behind it, asyncua by default.
    """

    def __init__(
        self,
        settings: OpcuaSettings,
        clock: Clock,
        session: int,
        backend: Backend | None = None,
    ) -> None:
        super().__init__(settings.url, clock, session, self._wire)
        self._settings = settings
        self._backend = backend or AsyncuaBackend()

    async def run(self, deliver: Deliver) -> None:
        """As PlcLink: poll until cancelled."""
        try:
            await super().run(deliver)
        finally:
            await self._backend.close()

    @asynccontextmanager
    async def _wire(self) -> AsyncIterator[OpcuaWire]:
        async with self._backend.session(self._settings) as session:
            with self._watched_certificate():
                yield OpcuaWire(session, self._clock, self._exchange.ring_ahead)

    @contextmanager
    def _watched_certificate(self) -> Iterator[None]:
        """The days our certificate is still good, looked at now and every hour while connected."""
        security, loop = self._settings.security, asyncio.get_running_loop()
        timer: asyncio.TimerHandle | None = None

        def look() -> None:
            nonlocal timer
            assert security is not None, "looked at only with security"
            self._certificate_ends_in(days_left(security, self._clock.utc_ns()))
            timer = loop.call_later(_LOOK_PERIOD_S, look)

        if security is not None:
            look()
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()

    def _certificate_ends_in(self, days: int) -> None:
        told = days if days <= EXPIRY_ALARM_DAYS else None
        if told is not None and told != self._exchange.certificate_days_left:
            _LOG.warning("our OPC UA certificate for PLC %s ends in %d days", self._name, days)
        self._exchange.certificate_days_left = told
