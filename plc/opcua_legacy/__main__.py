"""`python -m plc.opcua_legacy`: the `opcua` library in a process of its own, behind frames.

That library is deprecated, works with threads and never reconnects; here it can neither hold up the
line's loop nor outlive it. Requests come on stdin, answers go to stdout, the end of stdin is the end.
It has no trust store: the PLC's own certificate must lie in the folder of trusted ones.
"""

import concurrent.futures
import contextlib
import logging
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

from cryptography import x509
from opcua import Client, ua
from opcua.crypto.security_policies import SecurityPolicyBasic256Sha256

from controller.clock import SystemClock
from controller.config import ConfigError
from controller.core.units import NS_PER_S
from controller.core.vocabulary import LinkFault
from plc import opcua_nodes as nodes
from plc.header import ExchangeFault
from plc.opcua_faults import fault_of, refused_certificate
from plc.opcua_legacy import frames
from plc.opcua_settings import load_certificate

# One request of the library; the line process itself gives up a poll sooner.
_REQUEST_LIMIT_S = 1.0
_SESSION_TIMEOUT_MS = 10_000
_SUBMIT_TYPES = tuple(getattr(ua.VariantType, kind) for _, kind in nodes.SUBMIT_ARGUMENTS)
_LOST = (OSError, concurrent.futures.CancelledError, AttributeError)


class LegacyClient:
    """One connection."""

    def __init__(self, request: frames.Connect) -> None:
        self._request = request
        self._client: Any = Client(request.url, timeout=_REQUEST_LIMIT_S)
        self._client.application_uri = request.application_uri
        self._client.session_timeout = _SESSION_TIMEOUT_MS
        self._index = 0
        self._method_parent: Any = None

    @property
    def broken(self) -> bool:
        """The library's receiver has ended: it says so to nobody, and a request would only time out."""
        return not self._client.uaclient._uasocket._thread.is_alive()  # noqa: SLF001

    def connect(self) -> frames.Connected:
        """Connect and look around, as `plc.opcua_client` does."""
        request = self._request
        if request.certificate:
            self._secure()
        self._open()
        uris = self._client.get_namespace_array()
        if request.namespace_uri not in uris:
            raise ExchangeFault(
                LinkFault.NOT_OUR_MAP,
                f"the PLC has no namespace {request.namespace_uri}; it has {', '.join(uris)}",
            )
        self._index = uris.index(request.namespace_uri)
        if self._class_of(nodes.HEADER.name) != ua.NodeClass.Variable:
            raise ExchangeFault(
                LinkFault.NOT_OUR_MAP,
                f"the PLC has no node {self._node_id(nodes.HEADER.name).to_string()}: "
                "check opcua_node_prefix",
            )
        has_rows = self._class_of(nodes.DECISION_ROWS[0].name) == ua.NodeClass.Variable
        has_method = self._class_of(nodes.SUBMIT_METHOD) == ua.NodeClass.Method
        if has_method:
            method = self._client.get_node(self._node_id(nodes.SUBMIT_METHOD))
            self._method_parent = method.get_parent().nodeid
        if not (has_rows or has_method):
            raise ExchangeFault(
                LinkFault.NOT_OUR_MAP, "the PLC has neither SubmitDecision nor the rows of block D"
            )
        return frames.Connected(request.number, has_method, has_rows)

    def read_write(self, request: frames.ReadWrite) -> frames.Values:
        if request.writes:
            self._write(request.writes)
        return frames.Values(request.number, self._read(request.reads) if request.reads else [])

    def submit(self, request: frames.Submit) -> frames.Answered:
        call = ua.CallMethodRequest()
        call.ObjectId = self._method_parent
        call.MethodId = self._node_id(nodes.SUBMIT_METHOD)
        call.InputArguments = [
            ua.Variant(value, kind)
            for value, kind in zip(request.arguments, _SUBMIT_TYPES, strict=True)
        ]
        result = self._client.uaclient.call([call])[0]
        if not result.StatusCode.is_good():
            if result.StatusCode.name == "BadTimeout":
                raise TimeoutError
            raise fault_of(result.StatusCode.name, nodes.SUBMIT_METHOD)
        return frames.Answered(request.number, int(result.OutputArguments[0].Value))

    def disconnect(self, politely: bool) -> None:
        """Never fails: what is left of a broken connection is dropped."""
        with contextlib.suppress(Exception):
            if politely:
                self._client.close_session()
                self._client.close_secure_channel()
        with contextlib.suppress(Exception):
            if self._client.keepalive is not None:
                self._client.keepalive.stop()
        with contextlib.suppress(Exception):
            self._client.disconnect_socket()

    def _secure(self) -> None:
        request = self._request
        endpoints = self._client.connect_and_get_server_endpoints()
        mode, policy = ua.MessageSecurityMode.SignAndEncrypt, SecurityPolicyBasic256Sha256
        endpoint = self._client.find_endpoint(endpoints, mode, policy.URI)
        pinned = pinned_certificate(endpoint.ServerCertificate, Path(request.trusted))
        self._client.set_security(
            policy, request.certificate, request.private_key, str(pinned), mode
        )

    def _open(self) -> None:
        """The library's own `connect`, with the one step watched where the PLC sees our certificate."""
        self._client.connect_socket()
        self._client.send_hello()
        try:
            self._client.open_secure_channel()
        except TimeoutError:  # also what the library makes of a refusal
            if self._request.certificate:
                raise refused_certificate() from None
            raise
        self._client.create_session()
        self._client.activate_session()

    def _class_of(self, name: str) -> Any:
        value = self._client.get_node(self._node_id(name)).get_attribute
        try:
            return value(ua.AttributeIds.NodeClass).Value.Value
        except ua.UaStatusCodeError:
            return None

    def _write(self, writes: list[tuple[str, list[int]]]) -> None:
        parameters = ua.WriteParameters()
        for name, words in writes:
            value = ua.WriteValue()
            value.NodeId = self._node_id(name)
            value.AttributeId = ua.AttributeIds.Value
            value.Value = ua.DataValue(ua.Variant(words, ua.VariantType.UInt16))
            value.Value.StatusCode = None  # some servers refuse a write that carries one
            parameters.NodesToWrite.append(value)
        statuses = self._client.uaclient.write(parameters)
        for (name, _), status in zip(writes, statuses, strict=True):
            if not status.is_good():
                raise fault_of(status.name, f"writing node {name}")

    def _read(self, names: list[str]) -> list[list[int]]:
        parameters = ua.ReadParameters()
        parameters.TimestampsToReturn = ua.TimestampsToReturn.Neither
        for name in names:
            value = ua.ReadValueId()
            value.NodeId = self._node_id(name)
            value.AttributeId = ua.AttributeIds.Value
            parameters.NodesToRead.append(value)
        values = self._client.uaclient.read(parameters)
        return [_words(name, value) for name, value in zip(names, values, strict=True)]

    def _node_id(self, name: str) -> Any:
        request = self._request
        return ua.NodeId(f"{request.node_prefix}{name}{request.node_suffix}", self._index)


def pinned_certificate(offered: bytes, trusted: Path) -> Path:
    """The file in `trusted` that is the certificate the PLC offers. ExchangeFault if there is none."""
    for file in sorted(trusted.iterdir()):
        with contextlib.suppress(ConfigError):
            certificate = load_certificate(file)
            if certificate == x509.load_der_x509_certificate(offered):
                if certificate.not_valid_after_utc.timestamp() * NS_PER_S < SystemClock().utc_ns():
                    raise fault_of(
                        "BadCertificateTimeInvalid", f"the PLC's certificate {file.name}"
                    )
                return file
    raise fault_of("BadCertificateUntrusted", f"the PLC's certificate is not in {trusted}")


def _words(name: str, value: Any) -> list[int]:
    if value.StatusCode is not None and not value.StatusCode.is_good():
        raise fault_of(value.StatusCode.name, f"reading node {name}")
    variant = value.Value
    if variant is None or variant.VariantType != ua.VariantType.UInt16:
        raise ExchangeFault(LinkFault.NOT_OUR_MAP, f"node {name} is no array of UInt16")
    return list(variant.Value)


class Child:
    """Answers requests one by one; a failed connection is dropped at once."""

    def __init__(self) -> None:
        self._client: LegacyClient | None = None

    def answer(self, request: frames.Request) -> frames.Reply:
        """Never raises: whatever the library says becomes TimedOut or Failed."""
        try:
            return self._carry_out(request)
        except TimeoutError:
            if isinstance(request, frames.Connect):
                sentence = "the PLC does not answer while connecting"
                return self._failed(request, ExchangeFault(LinkFault.NO_ANSWER, sentence))
            return frames.TimedOut(request.number)
        except ExchangeFault as fault:
            return self._failed(request, fault)
        except ua.UaStatusCodeError as error:
            return self._failed(request, fault_of(type(error).__name__, "a request"))
        except ua.UaError as error:
            known = "No matching endpoints" in str(error)
            status = "BadSecurityModeRejected" if known else str(error)
            return self._failed(request, fault_of(status, "connecting"))
        except _LOST as error:
            sentence = getattr(error, "strerror", None) or "the connection broke"
            return self._failed(request, ExchangeFault(LinkFault.REFUSED, sentence))
        except Exception as error:  # noqa: BLE001 - the library reports bad input by many types
            sentence = f"{type(error).__name__}: {error}"
            return self._failed(request, ExchangeFault(LinkFault.EXCEPTION_ANSWER, sentence))

    def _carry_out(self, request: frames.Request) -> frames.Reply:
        if isinstance(request, frames.Connect):
            self._drop(politely=False)
            self._client = LegacyClient(request)
            return self._client.connect()
        if isinstance(request, frames.Disconnect):
            self._drop(politely=request.politely)
            return frames.Done(request.number)
        if self._client is None or self._client.broken:
            raise ExchangeFault(LinkFault.REFUSED, "the connection broke")
        if isinstance(request, frames.Submit):
            return self._client.submit(request)
        return self._client.read_write(request)

    def _failed(self, request: frames.Request, fault: ExchangeFault) -> frames.Failed:
        self._drop(politely=False)
        return frames.Failed(request.number, int(fault.fault), str(fault))

    def _drop(self, *, politely: bool) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.disconnect(politely)


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Until `requests` ends."""
    child = Child()
    while len(head := requests.read(frames.LENGTH_BYTES)) == frames.LENGTH_BYTES:
        payload = requests.read(int.from_bytes(head, "big"))
        replies.write(frames.frame(child.answer(frames.REQUESTS.decode(payload))))
        replies.flush()


def main() -> None:
    """Frames on the first two descriptors; whatever the library prints goes to stderr."""
    logging.getLogger("opcua").setLevel(logging.CRITICAL)
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        serve(sys.stdin.buffer, replies)
    os._exit(0)  # the library's threads are no daemons


if __name__ == "__main__":
    main()
