"""One OPC UA session on asyncua 2.1: the only file of the product that touches that library.

A new client object for every connection and none of the library's own supervision: its reconnect backs
off and hides losses, while the exchange must know each one. Values are written without timestamps and
without a status, because some servers refuse a write that carries them.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress

from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.crypto.truststore import TrustStore
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions

from controller.core.vocabulary import LinkFault
from plc import opcua_nodes as nodes
from plc.header import ExchangeFault
from plc.opcua_faults import fault_of, refused_certificate
from plc.opcua_settings import OpcuaSecurity, OpcuaSettings

# The library logs every failed request and connect; the link says it once per outage.
for _name in ("asyncua", "asyncuagds"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)

# Each step of connecting; RSA on a small PLC takes a few tenths of a second.
_STEP_LIMIT_S = 1.5
_CONNECT_LIMIT_S = 4.0
_CLOSE_LIMIT_S = 0.3
# A session that we lost must not keep one of the PLC's few places for long; polls keep ours alive.
_SESSION_TIMEOUT_MS = 10_000
_CHANNEL_LIFETIME_MS = 3_600_000
# Our largest answer, a header, block T and four slots, is under 2 kB. But the library's hello announces room
# for chunks of 2 GB, and node-opcua refuses to answer if one chunk of the largest size it then makes is more
# than the largest message.
_MESSAGE_BYTES_MAX = 1 << 24
_CHUNKS_MAX = 1 << 8

# What a server says by not offering the security that is asked for.
_NO_ENDPOINT = "BadSecurityModeRejected"

_SUBMIT_TYPES = tuple(ua.VariantType[kind] for _, kind in nodes.SUBMIT_ARGUMENTS)


class AsyncuaSession:
    """`plc.opcua_wire.OpcuaSession` on an activated client."""

    def __init__(self, client: Client, settings: OpcuaSettings, namespace_index: int) -> None:
        self.has_method = False
        self.has_rows = False
        self._client = client
        self._session = client.uaclient.session
        self._settings = settings
        self._index = namespace_index
        self._method_parent = ua.NodeId()
        self._reads: dict[str, ua.ReadValueId] = {}

    @property
    def connected(self) -> bool:
        return bool(self._client.state.value == "connected")

    async def look_around(self) -> None:
        """Find out what this PLC offers. ExchangeFault if it is not enough for an exchange."""
        names = (nodes.HEADER.name, nodes.DECISION_ROWS[0].name, nodes.SUBMIT_METHOD)
        ids = [self._node_id(name) for name in names]
        found = await self._session.read_attributes(ids, ua.AttributeIds.NodeClass)
        header, rows, method = (value.Value.Value if _good(value) else None for value in found)
        if header != ua.NodeClass.Variable:
            raise ExchangeFault(
                LinkFault.NOT_OUR_MAP,
                f"the PLC has no node {ids[0].to_string()}: check opcua_node_prefix",
            )
        self.has_rows = rows == ua.NodeClass.Variable
        self.has_method = method == ua.NodeClass.Method
        if self.has_method:
            parent = await self._client.get_node(ids[2]).get_parent()
            self.has_method = parent is not None
            self._method_parent = parent.nodeid if parent is not None else ua.NodeId()
        if not (self.has_rows or self.has_method):
            raise ExchangeFault(
                LinkFault.NOT_OUR_MAP,
                f"the PLC has neither the method {ids[2].to_string()} nor the rows of block D",
            )

    async def exchange(
        self, writes: Sequence[tuple[str, list[int]]], reads: Sequence[str]
    ) -> list[list[int]]:
        """As OpcuaSession; the write is answered before the read goes out."""
        with _as_faults("an exchange"), _plain_cancellation():
            if writes:
                await self._write(writes)
            return await self._read(reads) if reads else []

    async def submit(self, arguments: Sequence[int]) -> int:
        """As OpcuaSession."""
        call = ua.CallMethodRequest()
        call.ObjectId = self._method_parent
        call.MethodId = self._node_id(nodes.SUBMIT_METHOD)
        call.InputArguments = [
            ua.Variant(value, kind) for value, kind in zip(arguments, _SUBMIT_TYPES, strict=True)
        ]
        with _as_faults("a decision"), _plain_cancellation():
            result = (await self._session.call([call]))[0]
            if result.StatusCode.is_bad():
                if result.StatusCode.name == "BadTimeout":
                    raise TimeoutError
                raise fault_of(result.StatusCode.name, nodes.SUBMIT_METHOD)
            return int(result.OutputArguments[0].Value)

    async def _write(self, writes: Sequence[tuple[str, list[int]]]) -> None:
        parameters = ua.WriteParameters()
        for name, words in writes:
            value = ua.WriteValue()
            value.NodeId = self._node_id(name)
            value.AttributeId = ua.AttributeIds.Value
            array = ua.Variant(words, ua.VariantType.UInt16, is_array=True)
            value.Value = ua.DataValue(array, StatusCode=None)
            parameters.NodesToWrite.append(value)
        statuses = await self._session.write(parameters)
        for (name, _), status in zip(writes, statuses, strict=True):
            if status.is_bad():
                raise fault_of(status.name, f"writing node {name}")

    async def _read(self, names: Sequence[str]) -> list[list[int]]:
        parameters = ua.ReadParameters()
        parameters.TimestampsToReturn = ua.TimestampsToReturn.Neither
        parameters.NodesToRead = [self._read_id(name) for name in names]
        values = await self._session.read(parameters)
        return [_words(name, value) for name, value in zip(names, values, strict=True)]

    def _read_id(self, name: str) -> ua.ReadValueId:
        known = self._reads.get(name)
        if known is None:
            known = self._reads[name] = ua.ReadValueId()
            known.NodeId = self._node_id(name)
            known.AttributeId = ua.AttributeIds.Value
        return known

    def _node_id(self, name: str) -> ua.NodeId:
        return ua.NodeId(self._settings.node_name(name), self._index)


@asynccontextmanager
async def asyncua_session(settings: OpcuaSettings) -> AsyncIterator[AsyncuaSession]:
    """A new client, connected; closed on leaving. ExchangeFault if it cannot connect."""
    client = Client(settings.url, timeout=_STEP_LIMIT_S)
    client.application_uri = settings.application_uri
    client.session_timeout = _SESSION_TIMEOUT_MS
    client.secure_channel_timeout = _CHANNEL_LIFETIME_MS
    client.max_messagesize, client.max_chunkcount = _MESSAGE_BYTES_MAX, _CHUNKS_MAX
    try:
        with _as_faults("connecting"):
            try:
                async with asyncio.timeout(_CONNECT_LIMIT_S):
                    with _plain_cancellation():
                        session = await _connected(client, settings)
            except TimeoutError:
                raise ExchangeFault(
                    LinkFault.NO_ANSWER, "the PLC does not answer while connecting"
                ) from None
        _obey_cancellation()
        async with _beside(_keep_channel(client)):
            yield session
    finally:
        await _close(client)


async def _connected(client: Client, settings: OpcuaSettings) -> AsyncuaSession:
    if settings.security is not None:
        await _secure(client, settings.security)
    await client.connect_socket()
    await client.send_hello()
    await _open_channel(client, settings)
    await client.create_session()
    await client.activate_session()
    uris = await client.get_namespace_array()
    if settings.namespace_uri not in uris:
        raise ExchangeFault(
            LinkFault.NOT_OUR_MAP,
            f"the PLC has no namespace {settings.namespace_uri}; it has {', '.join(map(str, uris))}",
        )
    session = AsyncuaSession(client, settings, uris.index(settings.namespace_uri))
    await session.look_around()
    return session


async def _secure(client: Client, security: OpcuaSecurity) -> None:
    """The PLC's certificate is asked for, and used only if it is trusted."""
    store = TrustStore([security.trusted], [])
    await store.load()
    options = (
        CertificateValidatorOptions.TRUSTED_VALIDATION | CertificateValidatorOptions.PEER_SERVER
    )
    client.certificate_validator = CertificateValidator(options, store)
    await client.set_security(
        SecurityPolicyBasic256Sha256,
        security.certificate,
        security.private_key,
        mode=ua.MessageSecurityMode.SignAndEncrypt,
    )


async def _open_channel(client: Client, settings: OpcuaSettings) -> None:
    """Here the PLC sees our certificate; an AssertionError is how the library meets a refusal as answer."""
    try:
        await client.open_secure_channel()
    except TimeoutError:
        raise
    except (OSError, AssertionError) as error:
        if settings.security is None:
            raise
        raise refused_certificate() from error


async def _keep_channel(client: Client) -> None:
    """Renew the channel's keys at three quarters of their life, beside the polls: RSA takes time."""
    while True:
        await asyncio.sleep(client.secure_channel_timeout * 0.75 / 1_000)
        # If it fails the channel ends, the next poll finds out and the link begins again.
        with suppress(OSError, TimeoutError, ua.UaError):
            await client.open_secure_channel(renew=True)
            client.uaclient.revolve_security_token()


async def _close(client: Client) -> None:
    if client.state.value == "connected":
        with suppress(Exception):  # a link that broke cannot be closed politely
            async with asyncio.timeout(_CLOSE_LIMIT_S):
                with _plain_cancellation():
                    await client.close_session()
                    await client.close_secure_channel()
    client.disconnect_socket()


@asynccontextmanager
async def _beside(work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """`work` as a task for as long as the block runs. (A TaskGroup would wrap the block's fault.)"""
    task = asyncio.get_running_loop().create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@contextmanager
def _as_faults(what: str) -> Iterator[None]:
    """Turns whatever the library raises for a foreign server into ExchangeFault; TimeoutError passes.

    The library reports bad input by many types, down to struct.error and KeyError; none of them may
    end the line.
    """
    try:
        yield
    except (ExchangeFault, TimeoutError):
        raise
    except ua.UaStatusCodeError as error:
        raise fault_of(ua.StatusCode(error.code).name, what) from error
    except OSError as error:
        why = error.strerror or str(error) or "the connection broke"
        raise ExchangeFault(LinkFault.REFUSED, f"{what}: {why}") from error
    except Exception as error:
        if "No matching endpoints" in str(error):
            raise fault_of(_NO_ENDPOINT, what) from error
        if "empty store" in str(error):
            raise ExchangeFault(
                LinkFault.UNTRUSTED,
                f"{what}: the folder opcua_trusted holds no certificate: put the PLC's into it",
            ) from error
        sentence = f"{what}: {type(error).__name__}: {error}"
        raise ExchangeFault(LinkFault.EXCEPTION_ANSWER, sentence) from error


def _good(value: ua.DataValue) -> bool:
    if value.StatusCode is not None and value.StatusCode.is_bad():
        return False
    return value.Value is not None


def _words(name: str, value: ua.DataValue) -> list[int]:
    if not _good(value):
        status = value.StatusCode.name if value.StatusCode is not None else "no value"
        raise fault_of(status, f"reading node {name}")
    variant = value.Value
    if variant.VariantType is not ua.VariantType.UInt16 or not isinstance(variant.Value, list):
        raise ExchangeFault(LinkFault.NOT_OUR_MAP, f"node {name} is no array of UInt16")
    return list(variant.Value)


@contextmanager
def _plain_cancellation() -> Iterator[None]:
    """Inside an `asyncio.timeout`, which must know the cancellation for its own or it ends the whole link.

    Before Python 3.12 asyncua waits with wait_for2: where an answer and a cancellation come in one turn
    of the loop, as when the process stood still, it raises a subclass of CancelledError, and
    `asyncio.timeout` before 3.13 takes only the class itself (CPython gh-113848).
    """
    try:
        yield
    except asyncio.CancelledError as error:
        if type(error) is asyncio.CancelledError:
            raise
        raise asyncio.CancelledError from error


def _obey_cancellation() -> None:
    """asyncua connects with `asyncio.wait_for`, which before Python 3.12 may swallow a cancellation."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
