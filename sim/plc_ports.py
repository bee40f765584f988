"""Which port the soft PLC gets: the one that line.toml's controller will knock at."""

from pathlib import Path

from controller.config import LineConfig
from sim.plc_server import PlcPort, PlcServer

SOFT_PLC_FOLDER = "soft-plc"


def plc_port(config: LineConfig) -> PlcPort:
    """Modbus TCP or OPC UA, at the same address and with the same names as the line expects."""
    plc = config.plc
    if plc.protocol == "modbus":
        return PlcServer(plc.host, plc.port, plc.device_id, plc.base_address)
    # only a factory with OPC UA pays for the library
    from plc.opcua_certificates import files_in, make_certificate, trust
    from sim.opcua_server import APPLICATION_URI, OpcuaPlcServer, ServerSecurity

    security = None
    if plc.opcua_security != "none":
        assert plc.opcua_certificate is not None, "the configuration was checked"
        folder = soft_plc_folder(config)
        files = files_in(folder)
        if not files.certificate.exists():
            make_certificate(folder, APPLICATION_URI, (plc.host,))
        trust(files.trusted, plc.opcua_certificate)
        security = ServerSecurity(files.certificate, files.private_key, files.trusted)
    return OpcuaPlcServer(
        plc.host,
        plc.port,
        node_prefix=plc.opcua_node_prefix,
        node_suffix=plc.opcua_node_suffix,
        namespace_uri=plc.opcua_namespace_uri,
        security=security,
    )


def soft_plc_folder(config: LineConfig) -> Path:
    """Where the soft PLC of a line keeps its own key and certificate."""
    return config.paths.state_dir / SOFT_PLC_FOLDER / config.line.name
