"""Is the X-ray source there, is it this line's, and how old is its calibration? Reads only."""

import asyncio
import os

from controller.check.findings import Finding, State
from controller.config import LineConfig
from controller.core.units import NS_PER_S
from controller.interfaces import Clock
from vision.scan_rows import Calibration, Hello, PacketBuffer, SourceProtocolError

CONNECT_LIMIT_S = 2.0
GREETING_LIMIT_S = 3.0
READ_BYTES = 1 << 18
CALIBRATION_AGE_S_MAX = 24 * 3_600
_S_PER_H = 3_600


async def xray_source(config: LineConfig, clock: Clock) -> list[Finding]:
    """One finding for the connection, one for the geometry it names, one for the calibration."""
    address = f"{config.xray.host}:{config.xray.port}"
    try:
        async with asyncio.timeout(CONNECT_LIMIT_S):
            reader, writer = await asyncio.open_connection(config.xray.host, config.xray.port)
    except OSError as error:  # TimeoutError included
        why = os.strerror(error.errno) if error.errno else "no answer"
        return [_failed("source", f"the X-ray source at {address} cannot be reached: {why}.")]
    try:
        async with asyncio.timeout(GREETING_LIMIT_S):
            hello, calibration = await _greeting(reader)
    except TimeoutError:
        limit_s = int(GREETING_LIMIT_S)
        return [_failed("source", f"the X-ray source at {address} does not greet in {limit_s} s.")]
    except (SourceProtocolError, OSError) as error:
        return [_failed("source", f"what listens at {address} is no X-ray source: {error}.")]
    finally:
        writer.transport.abort()
    found = Finding("xray", "source", State.OK, f"the X-ray source at {address} delivers.")
    return [found, _geometry(config, hello), _age(calibration, clock)]


async def _greeting(reader: asyncio.StreamReader) -> tuple[Hello, Calibration]:
    """HELLO and CALIBRATION are the first two packets of a connection."""
    buffer, hello = PacketBuffer(), None
    while data := await reader.read(READ_BYTES):
        for packet in buffer.receive(data):
            if isinstance(packet, Hello):
                hello = packet
            if isinstance(packet, Calibration) and hello is not None:
                return hello, packet
    raise SourceProtocolError("the connection ended before a calibration came")


def _geometry(config: LineConfig, hello: Hello) -> Finding:
    line = config.line
    if hello.source != line.xray_source:
        return _failed(
            "geometry",
            f"the source calls itself number {hello.source}, line.toml expects {line.xray_source}.",
        )
    if hello.encoder_counts_per_m != line.encoder_counts_per_m:
        return _failed(
            "geometry",
            f"the source counts {hello.encoder_counts_per_m} encoder counts/m, line.toml says "
            f"{line.encoder_counts_per_m}.",
        )
    sentence = f"{hello.columns} columns of {hello.pixel_pitch_um} um, source {hello.source}."
    return Finding("xray", "geometry", State.OK, sentence)


def _age(calibration: Calibration, clock: Clock) -> Finding:
    age_s = (clock.utc_ns() - calibration.taken_utc_ns) // NS_PER_S
    name = f"calibration '{calibration.calibration_id}'"
    if age_s < 0:
        return _failed("calibration", f"{name} was taken {-age_s} s in the future: see the clocks.")
    sentence = f"{name} is {age_s // _S_PER_H} h {age_s % _S_PER_H // 60} min old."
    if age_s > CALIBRATION_AGE_S_MAX:
        more = f"{sentence[:-1]}, over {CALIBRATION_AGE_S_MAX // _S_PER_H} h: calibrate again."
        return Finding("xray", "calibration", State.WARNING, more)
    return Finding("xray", "calibration", State.OK, sentence)


def _failed(name: str, sentence: str) -> Finding:
    return Finding("xray", name, State.FAILED, sentence)
