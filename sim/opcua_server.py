"""The soft PLC on OPC UA: the image that `sim.plc_server` shows over Modbus, behind nodes and a method.

A node's value is cut from the image at the moment it is read, and `commit` pauses inside a record, so
that a poll can really meet a torn one. Only the nodes of C and D take writes. `SubmitDecision` puts the
decision into its row and answers with what the next scan says: one judge, whichever way it came.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asyncua import Server, ua
from asyncua.crypto.truststore import TrustStore
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions

from controller.core.commands import SendDecision
from controller.core.units import NS_PER_MS, NS_PER_S
from plc import opcua_nodes as nodes
from plc import register_map as m
from plc.record_codec import decode_echo, encode_decision, u32_at
from sim.plc_io import RegisterWrite
from sim.plc_server import pieces_of
from sim.soft_plc import HOST_BLOCKS_ADDRESS, HOST_BLOCKS_COUNT

APPLICATION_URI = "urn:parcelgate:soft-plc"
# A method that the program does not serve is answered with an error by then.
_ANSWER_LIMIT_MS = 1_000
_HOST_BLOCKS = (nodes.HOST, *nodes.DECISION_ROWS)
_ARGUMENT_TYPES = tuple(ua.VariantType[kind] for _, kind in nodes.SUBMIT_ARGUMENTS)

for _name in ("asyncua", "asyncuagds"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class ServerSecurity:
    """Only Basic256Sha256 with signature and encryption, and only for clients that `trusted` names."""

    certificate: Path
    private_key: Path
    trusted: Path


class OpcuaPlcServer:
    """One line's nodes, named as in line.toml. `refused_writes` counts writes not taken.

    `security` None: anybody may connect. Without `has_method` decisions come as rows only, without
    `has_rows` by method only. `piece_pause_s` is how long a half-written record stands. `bare` is a
    server from `bare_server`, for who needs many quickly.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        node_prefix: str = "",
        node_suffix: str = "",
        namespace_uri: str = nodes.NAMESPACE_URI,
        security: ServerSecurity | None = None,
        has_method: bool = True,
        has_rows: bool = True,
        piece_pause_s: float = 0.0,
        bare: Server | None = None,
    ) -> None:
        self.image = [0] * m.MAP_REGISTERS
        self.refused_writes = 0
        self._host, self._port = host, port
        self._prefix, self._suffix = node_prefix, node_suffix
        self._namespace_uri = namespace_uri
        self._security = security
        self._has_method = has_method
        self._has_rows = has_rows
        self._piece_pause_s = piece_pause_s
        self._bare = bare
        self._server: Server | None = None
        self._answered = asyncio.Event()
        self._answers = [0] * m.E_SLOTS

    async def start(self) -> None:
        """Listen. RuntimeError if the address cannot be taken."""
        try:
            if self._server is None:
                server = await self._built()
                await server.start()
                self._server = server
            else:  # the address space takes seconds to build, and a PLC's does not change
                assert self._server.bserver is not None, "it was started before"
                await self._server.bserver.start()
        except OSError as error:
            raise RuntimeError(f"cannot listen: {error}") from error

    async def stop(self) -> None:
        """Close the port and every connection; what is served stays for the next `start`."""
        if self._server is not None and self._server.bserver is not None:
            await self._server.bserver.stop()

    @property
    def port(self) -> int:
        """The port really listened on (for port 0)."""
        assert self._server is not None, "start first"
        assert self._server.bserver is not None, "start first"
        return int(self._server.bserver.port)

    def host_blocks(self) -> Sequence[int]:
        """Blocks C and D as the host last wrote them, for `SoftPlc.scan`."""
        return self.image[HOST_BLOCKS_ADDRESS : HOST_BLOCKS_ADDRESS + HOST_BLOCKS_COUNT]

    async def commit(self, writes: Sequence[RegisterWrite]) -> None:
        """Show the writes in order, with pauses inside them."""
        for write in writes:
            for address, piece in pieces_of(write):
                self.image[address : address + len(piece)] = piece
                self._note_answer(address, piece)
                await asyncio.sleep(self._piece_pause_s)

    # --- the address space ------------------------------------------------------------------------

    async def _built(self) -> Server:
        server = self._bare or await bare_server()
        await server.set_application_uri(APPLICATION_URI)
        server.set_endpoint(f"opc.tcp://{self._host}:{self._port}/")
        await self._secure(server)
        index = await server.register_namespace(self._namespace_uri)
        name = self._name("Exchange")
        line = await server.nodes.objects.add_object(ua.NodeId(name, index), name)
        for block in nodes.BLOCKS:
            if self._has_rows or block not in nodes.DECISION_ROWS:
                name = self._name(block.name)
                empty = ua.Variant([0] * block.count, ua.VariantType.UInt16)
                node = await line.add_variable(ua.NodeId(name, index), name, empty)
                if block in _HOST_BLOCKS:
                    await node.set_writable()
                self._serve(server, node.nodeid, block)
        if self._has_method:
            name = self._name(nodes.SUBMIT_METHOD)
            arguments = [_argument(*each) for each in nodes.SUBMIT_ARGUMENTS]
            answer = [_argument("Result", "UInt16")]
            await line.add_method(
                ua.NodeId(name, index), nodes.SUBMIT_METHOD, self._submit, arguments, answer
            )
        return server

    def _name(self, block: str) -> str:
        return f"{self._prefix}{block}{self._suffix}"

    async def _secure(self, server: Server) -> None:
        security = self._security
        if security is None:
            server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
            return
        server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
        await server.load_certificate(security.certificate)
        await server.load_private_key(security.private_key)
        store = TrustStore([security.trusted], [])
        await store.load()
        options = (
            CertificateValidatorOptions.TRUSTED_VALIDATION | CertificateValidatorOptions.PEER_CLIENT
        )
        server.set_certificate_validator(CertificateValidator(options, store))

    def _serve(self, server: Server, node_id: ua.NodeId, block: nodes.Block) -> None:
        """The image is the truth; the server keeps no value of its own."""
        value = ua.AttributeIds.Value

        def shown(*_: object) -> ua.DataValue:
            words = self.image[block.address : block.end]
            return ua.DataValue(ua.Variant(words, ua.VariantType.UInt16, is_array=True))

        def take(_node: object, _attribute: object, written: ua.DataValue) -> None:
            variant = written.Value
            if written.SourceTimestamp is not None:
                self.refused_writes += 1
                raise ua.uaerrors.BadWriteNotSupported  # as several real servers do
            if variant is None or not _is_words(variant, block.count):
                self.refused_writes += 1
                raise ua.uaerrors.BadTypeMismatch
            self.image[block.address : block.end] = variant.Value

        space = server.iserver.aspace
        space.set_attribute_value_callback(node_id, value, shown)
        space.set_attribute_value_setter(node_id, value, take)

    # --- decisions by method ----------------------------------------------------------------------

    async def _submit(self, _parent: ua.NodeId, *arguments: ua.Variant) -> object:
        """SubmitDecision: the same decision again gets the same answer, whatever came between."""
        if tuple(argument.VariantType for argument in arguments) != _ARGUMENT_TYPES:
            return ua.StatusCode(ua.StatusCodes.BadInvalidArgument)
        boot_id, session, track_id, destination, reason, seq = (each.Value for each in arguments)
        if seq == 0:
            return ua.StatusCode(ua.StatusCodes.BadOutOfRange)
        words = encode_decision(SendDecision(seq, boot_id, session, track_id, destination, reason))
        slot = seq % m.D_SLOTS
        row = m.D_ADDRESS + slot * m.D_SLOT_REGISTERS
        answers = self._answers[slot]
        if self.image[row : row + len(words)] == words:
            answers -= 1  # judged already
        self.image[row : row + len(words)] = words
        try:
            async with asyncio.timeout(_ANSWER_LIMIT_MS * NS_PER_MS / NS_PER_S):
                while self._answers[slot] == answers or not (result := self._result(slot, seq)):
                    self._answered.clear()
                    await self._answered.wait()
        except TimeoutError:
            return ua.StatusCode(ua.StatusCodes.BadTimeout)
        return [ua.Variant(result, ua.VariantType.UInt16)]

    def _result(self, slot: int, seq: int) -> int:
        """What block E says about this decision, 0 if nothing (yet)."""
        at = m.E_ADDRESS + slot * m.E_SLOT_REGISTERS
        echo = decode_echo(self.image[at : at + m.E_SLOT_REGISTERS])
        return 0 if echo is None or echo.decision_seq != seq else int(echo.result)

    def _note_answer(self, address: int, piece: Sequence[int]) -> None:
        """A row of E ends with its sequence, see `sim.plc_host`."""
        offset = address - m.E_ADDRESS
        if not 0 <= offset < m.E_SLOTS * m.E_SLOT_REGISTERS:
            return
        if offset % m.E_SLOT_REGISTERS == m.E_DECISION_SEQ and len(piece) == 2 and u32_at(piece, 0):
            self._answers[offset // m.E_SLOT_REGISTERS] += 1
            self._answered.set()


async def bare_server() -> Server:
    """The standard address space and nothing of ours: two seconds of work."""
    server = Server()
    server.disable_clock()
    await server.init()
    return server


def _argument(name: str, kind: str) -> ua.Argument:
    return ua.Argument(Name=name, DataType=ua.NodeId(getattr(ua.ObjectIds, kind)), ValueRank=-1)


def _is_words(variant: ua.Variant, count: int) -> bool:
    words = variant.Value
    if variant.VariantType is not ua.VariantType.UInt16 or not isinstance(words, list):
        return False
    return len(words) == count
