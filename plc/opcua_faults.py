"""What an OPC UA status means for the exchange, by its name, so that both client libraries share it. Pure.

A fault that only passes with a person's help (certificate, node, access) is told apart from one that the
next connection may cure.
"""

from controller.core.vocabulary import LinkFault
from plc.header import ExchangeFault

# The start of a status name, what it is for the core, and what a person can do.
_MEANINGS = (
    ("BadCertificate", LinkFault.UNTRUSTED, "one side does not accept the other's certificate"),
    (
        "BadSecurity",
        LinkFault.UNTRUSTED,
        "the PLC refuses our certificate, or offers other security than opcua_security asks for",
    ),
    ("BadIdentityToken", LinkFault.UNTRUSTED, "the PLC does not accept anonymous users"),
    ("BadApplicationSignature", LinkFault.UNTRUSTED, "a signature does not fit its certificate"),
    ("BadNodeId", LinkFault.NOT_OUR_MAP, "the node is not there: check opcua_node_prefix"),
    ("BadAttributeId", LinkFault.NOT_OUR_MAP, "the node is no variable"),
    ("BadMethodInvalid", LinkFault.NOT_OUR_MAP, "the method is not there"),
    ("BadTypeMismatch", LinkFault.NOT_OUR_MAP, "the node is no UInt16 array of our length"),
    ("BadNotReadable", LinkFault.EXCEPTION_ANSWER, "the node may not be read"),
    ("BadNotWritable", LinkFault.EXCEPTION_ANSWER, "the node may not be written"),
    ("BadWriteNotSupported", LinkFault.EXCEPTION_ANSWER, "the node cannot be written like this"),
    ("BadUserAccess", LinkFault.EXCEPTION_ANSWER, "anonymous users may not do this"),
    ("BadSession", LinkFault.REFUSED, "the PLC ended our session"),
    ("BadSecureChannel", LinkFault.REFUSED, "the PLC ended our channel"),
    ("BadTooMany", LinkFault.REFUSED, "the PLC has no room for another session"),
    ("BadConnection", LinkFault.REFUSED, "the connection broke"),
    ("BadServer", LinkFault.REFUSED, "the PLC's server is not running"),
    ("BadShutdown", LinkFault.REFUSED, "the PLC's server shuts down"),
    ("BadTcpServerTooBusy", LinkFault.REFUSED, "the PLC's server is too busy"),
    ("BadTcp", LinkFault.REFUSED, "the PLC refused the connection"),
)


def refused_certificate() -> ExchangeFault:
    """The fault if the step in which the PLC sees our certificate ends without a status.

    Some servers hang up without a word, others send a refusal that the client libraries cannot decode.
    """
    return ExchangeFault(
        LinkFault.UNTRUSTED,
        "connecting: the PLC gives no readable answer to our certificate: probably it does not trust it",
    )


def fault_of(status: str, what: str) -> ExchangeFault:
    """The fault behind `status`, which is the answer to `what` (a noun phrase for a person)."""
    for prefix, fault, advice in _MEANINGS:
        if status.startswith(prefix):
            return ExchangeFault(fault, f"{what}: {advice} ({status})")
    return ExchangeFault(LinkFault.EXCEPTION_ANSWER, f"{what}: the PLC answers {status}")
