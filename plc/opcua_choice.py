"""From [plc] of line.toml to an OPC UA link: settings, certificates, client library."""

from controller.config.model import PlcConfig
from controller.interfaces import Clock
from plc.opcua_legacy import LegacyBackend
from plc.opcua_link import AsyncuaBackend, OpcuaLink
from plc.opcua_settings import OpcuaSecurity, OpcuaSettings, load_security


def opcua_link(config: PlcConfig, clock: Clock, session: int) -> OpcuaLink:
    """ConfigError if our certificate, its key or the trusted folder cannot be used, or if the backend
    that is asked for is not installed."""
    settings = opcua_settings(config, clock)
    backend = LegacyBackend() if config.opcua_backend == "opcua" else AsyncuaBackend()
    return OpcuaLink(settings, clock, session, backend)


def opcua_settings(config: PlcConfig, clock: Clock) -> OpcuaSettings:
    """Where and how to connect. ConfigError as `opcua_link`."""
    path = config.opcua_path if config.opcua_path.startswith("/") else f"/{config.opcua_path}"
    return OpcuaSettings(
        url=f"opc.tcp://{config.host}:{config.port}{path}",
        namespace_uri=config.opcua_namespace_uri,
        node_prefix=config.opcua_node_prefix,
        node_suffix=config.opcua_node_suffix,
        security=_security(config, clock),
    )


def _security(config: PlcConfig, clock: Clock) -> OpcuaSecurity | None:
    if config.opcua_security == "none":
        return None
    assert config.opcua_certificate is not None, "the configuration was checked"
    assert config.opcua_private_key is not None, "the configuration was checked"
    assert config.opcua_trusted is not None, "the configuration was checked"
    return load_security(
        config.opcua_certificate,
        config.opcua_private_key,
        config.opcua_trusted,
        config.opcua_application_uri,
        clock.utc_ns(),
    )
