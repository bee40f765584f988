"""From a URL or from [plc] of line.toml to an open wire. Only the protocol that is asked for is loaded."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

from controller.config.model import LineConfig, PlcConfig
from controller.interfaces import Clock
from plc.conformance.modbus import ModbusUrl, modbus_target
from plc.conformance.wire import Wire

FORMS = "modbus://host:port/base?device=1 or opc.tcp://host:port/path?prefix=&suffix="


@asynccontextmanager
async def target_at(url: str, config: LineConfig | None, clock: Clock) -> AsyncIterator[Wire]:
    """A wire to `url`. An OPC UA server is met with the certificates of `config` if it names any.

    ValueError: `url` is none of FORMS. WireLost: it cannot be reached. ConfigError: certificates.
    """
    if urlsplit(url).scheme == "opc.tcp":
        async with _opcua_at(url, config, clock) as wire:
            yield wire
        return
    async with modbus_target(ModbusUrl.parse(url), clock) as modbus:
        yield modbus


@asynccontextmanager
async def target_of(plc: PlcConfig, clock: Clock) -> AsyncIterator[Wire]:
    """A wire to the PLC of a line. WireLost, ConfigError as `target_at`."""
    if plc.protocol == "opcua":
        from plc.conformance.opcua import opcua_target
        from plc.opcua_choice import opcua_settings

        async with opcua_target(opcua_settings(plc, clock), clock) as opcua:
            yield opcua
        return
    url = ModbusUrl(plc.host, plc.port, plc.base_address, plc.device_id)
    async with modbus_target(url, clock) as modbus:
        yield modbus


@asynccontextmanager
async def _opcua_at(url: str, config: LineConfig | None, clock: Clock) -> AsyncIterator[Wire]:
    from dataclasses import replace

    from plc.conformance.opcua import opcua_target
    from plc.opcua_choice import opcua_settings
    from plc.opcua_settings import OpcuaSettings

    parts = urlsplit(url)
    query = parse_qs(parts.query, keep_blank_values=True)
    if not parts.hostname or set(query) - {"prefix", "suffix"}:
        raise ValueError(f"'{url}' is none of {FORMS}.")
    named = {key: values[0] for key, values in query.items()}
    settings = OpcuaSettings("")
    if config is not None and config.plc.protocol == "opcua":
        settings = opcua_settings(config.plc, clock)
    settings = replace(
        settings,
        url=url.split("?")[0],
        node_prefix=named.get("prefix", settings.node_prefix),
        node_suffix=named.get("suffix", settings.node_suffix),
    )
    async with opcua_target(settings, clock) as opcua:
        yield opcua
