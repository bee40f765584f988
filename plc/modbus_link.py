"""The PLC link over Modbus TCP: `PolledLink` on `ModbusWire`, nothing more."""

from functools import partial

from controller.interfaces import Clock
from plc.modbus_wire import connected_wire
from plc.polled_link import PolledLink


class ModbusLink(PolledLink):
    """`controller.interfaces.PlcLink` over Modbus TCP; `session` as `Exchange` says."""

    def __init__(
        self,
        host: str,
        port: int,
        clock: Clock,
        session: int,
        *,
        device_id: int = 1,
        base_address: int = 0,
    ) -> None:
        connect = partial(
            connected_wire, host, port, clock, device_id=device_id, base_address=base_address
        )
        super().__init__(f"{host}:{port}", clock, session, connect)
