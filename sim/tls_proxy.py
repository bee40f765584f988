"""`python -m sim.tls_proxy`: carries a plain TCP connection through TLS, an stunnel for tests.

Modbus has no encryption of its own, and the library's TLS framer breaks where an answer is split over
two TLS records. Two of these, one before the PLC (`--accept-tls`) and one on the line's computer
(`--connect-tls`), hide that from both: they carry bytes and know nothing of frames. Both sides show a
certificate, and each takes exactly one of the other's.
"""

import argparse
import asyncio
import signal
import ssl
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

_READ_BYTES = 1 << 16

Heard = Callable[[bool, int], None]


def tls_context(*, accept: bool, certificate: Path, key: Path, trusted: Path) -> ssl.SSLContext:
    """Mutual TLS, all three files PEM; names are not compared, since exactly one peer is trusted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if accept else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(trusted)
    return context


class Relay:
    """Listens on a free port of loopback and carries every connection to `port`.

    `accepted` and `connected` are the TLS of the two sides, None for plain; `heard(outward, count)` is
    told how many bytes were carried on.
    """

    def __init__(
        self,
        port: int,
        *,
        accepted: ssl.SSLContext | None = None,
        connected: ssl.SSLContext | None = None,
        heard: Heard = lambda outward, count: None,
    ) -> None:
        self._to_port = port
        self._accepted = accepted
        self._connected = connected
        self._heard = heard
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """The port it listens on."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._accepted)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """No new connections; those that are open end with their ends."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(
                "127.0.0.1", self._to_port, ssl=self._connected
            )
        except OSError:
            writer.transport.abort()
            return
        pumps = (self._pump(reader, far_writer, True), self._pump(far_reader, writer, False))
        try:
            await asyncio.gather(*pumps)
        finally:
            far_writer.transport.abort()
            writer.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, outward: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(_READ_BYTES):
                self._heard(outward, len(data))
                writer.write(data)
                await writer.drain()
        writer.transport.abort()  # one side has gone: so has the connection


async def _run(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    context = tls_context(
        accept=options.accept_tls,
        certificate=options.certificate,
        key=options.key,
        trusted=options.trusted,
    )
    relay = Relay(
        options.port,
        accepted=context if options.accept_tls else None,
        connected=None if options.accept_tls else context,
    )
    sys.stdout.write(f"{await relay.start()}\n")
    sys.stdout.flush()
    await stop.wait()
    await relay.stop()


def main(argv: Sequence[str] | None = None) -> int:
    """Says in one line on which port it listens; runs until it is stopped."""
    parser = argparse.ArgumentParser(prog="sim.tls_proxy", description=__doc__)
    side = parser.add_mutually_exclusive_group(required=True)
    side.add_argument("--accept-tls", action="store_true", help="TLS comes in, plain goes out")
    side.add_argument("--connect-tls", action="store_true", help="plain comes in, TLS goes out")
    parser.add_argument("--port", type=int, required=True, help="where to, on this machine")
    for name in ("--certificate", "--key", "--trusted"):
        parser.add_argument(name, type=Path, required=True, help="PEM")
    asyncio.run(_run(parser.parse_args(argv)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
