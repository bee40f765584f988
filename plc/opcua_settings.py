"""What an OPC UA link must be told, and the check of our own certificate before it is used.

Security is on unless the configuration says otherwise in so many words; then anybody on the network
can read and steer the exchange, so that it is for a network of the line's own only.
"""

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_pem_private_key,
)

from controller.config import ConfigError
from controller.core.units import NS_PER_S
from plc import opcua_nodes as nodes

PLAIN_APPLICATION_URI = "urn:parcelgate:line"
S_PER_DAY = 86_400
# Time enough to issue a new certificate and to have the PLC's owner trust it.
EXPIRY_ALARM_DAYS = 30


@dataclass(frozen=True, slots=True)
class OpcuaSecurity:
    """Basic256Sha256 with signature and encryption. `trusted` is a folder of certificates (.der, .pem):
    the PLC's own, or the one that issued it."""

    certificate: Path
    private_key: Path
    trusted: Path
    application_uri: str
    not_after_utc_ns: int


@dataclass(frozen=True, slots=True)
class OpcuaSettings:
    """`url` is opc.tcp://host:port/path. A node's name is `node_prefix` + block + `node_suffix`."""

    url: str
    namespace_uri: str = nodes.NAMESPACE_URI
    node_prefix: str = ""
    node_suffix: str = ""
    security: OpcuaSecurity | None = None

    @property
    def application_uri(self) -> str:
        return self.security.application_uri if self.security else PLAIN_APPLICATION_URI

    def node_name(self, block: str) -> str:
        return f"{self.node_prefix}{block}{self.node_suffix}"


def days_left(security: OpcuaSecurity, utc_ns: int) -> int:
    """Whole days until our certificate ends, negative after."""
    return (security.not_after_utc_ns - utc_ns) // (S_PER_DAY * NS_PER_S)


def load_security(
    certificate: Path, private_key: Path, trusted: Path, application_uri: str, utc_ns: int
) -> OpcuaSecurity:
    """Our identity, checked as the PLC will check it. ConfigError: one sentence.

    An empty `application_uri` means the one that the certificate names.
    """
    ours = load_certificate(certificate)
    key = _load_key(private_key)
    if key.public_key().public_numbers() != _public_numbers(ours):
        raise ConfigError(f"{private_key} is not the private key of {certificate}.")
    uris = application_uris(ours)
    if not uris:
        raise ConfigError(f"{certificate} names no application URI, which OPC UA asks for.")
    if application_uri and application_uri not in uris:
        raise ConfigError(
            f"{certificate} is for {uris[0]}, but opcua_application_uri is {application_uri}."
        )
    if not trusted.is_dir():
        raise ConfigError(f"{trusted}, the folder of trusted PLC certificates, is not there.")
    not_after_utc_ns = int(ours.not_valid_after_utc.timestamp()) * NS_PER_S
    if not_after_utc_ns <= utc_ns:
        raise ConfigError(f"{certificate} ended on {ours.not_valid_after_utc:%Y-%m-%d}.")
    return OpcuaSecurity(
        certificate, private_key, trusted, application_uri or uris[0], not_after_utc_ns
    )


def load_certificate(file: Path) -> x509.Certificate:
    """A certificate in DER or PEM. ConfigError if it is none."""
    content = _content(file)
    try:
        if content.startswith(b"-----"):
            return x509.load_pem_x509_certificate(content)
        return x509.load_der_x509_certificate(content)
    except ValueError as error:
        raise ConfigError(f"{file} is not a certificate in DER or PEM.") from error


def application_uris(certificate: x509.Certificate) -> list[str]:
    """The application URIs in the certificate's alternative names."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return list(names.value.get_values_for_type(x509.UniformResourceIdentifier))


def _load_key(file: Path) -> RSAPrivateKey:
    content = _content(file)
    load = load_pem_private_key if content.startswith(b"-----") else load_der_private_key
    try:
        key = load(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{file} is not a private key without a password.") from error
    if not isinstance(key, RSAPrivateKey):
        raise ConfigError(f"{file} is not an RSA key, which Basic256Sha256 needs.")
    return key


def _public_numbers(certificate: x509.Certificate) -> object:
    numbers = getattr(certificate.public_key(), "public_numbers", None)
    return numbers() if numbers is not None else None


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}.") from error
