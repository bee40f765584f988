"""Self-signed application certificates for OPC UA, and what is worth knowing about one.

A site with its own authority uses that instead; nothing here is needed at run time.
"""

import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from asyncua.crypto.cert_gen import (
    dump_private_key_as_pem,
    generate_private_key,
    generate_self_signed_app_certificate,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from plc.opcua_settings import load_certificate

CERTIFICATE_FILE = "certificate.der"
PRIVATE_KEY_FILE = "private_key.pem"
TRUSTED_FOLDER = "trusted"
# Three years: short enough to be renewed by people who still know how.
DAYS_DEFAULT = 1_095


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    certificate: Path
    private_key: Path
    trusted: Path


def files_in(folder: Path) -> CertificateFiles:
    """The files that `make_certificate` writes there."""
    return CertificateFiles(
        folder / CERTIFICATE_FILE, folder / PRIVATE_KEY_FILE, folder / TRUSTED_FOLDER
    )


def make_certificate(
    folder: Path, application_uri: str, hosts: Sequence[str] = (), days: int = DAYS_DEFAULT
) -> CertificateFiles:
    """A key, its certificate for client and server use, and an empty folder of trusted ones.

    `hosts` are names and IP addresses, by default this machine's name. FileExistsError rather than
    overwriting a key that a PLC may already trust.
    """
    files = files_in(folder)
    for file in (files.certificate, files.private_key):
        if file.exists():
            raise FileExistsError(0, "is there already; a key is not overwritten", str(file))
    names = [_general_name(host) for host in hosts or (socket.gethostname(),)]
    key = generate_private_key()
    certificate = generate_self_signed_app_certificate(
        key,
        application_uri,
        {},
        [x509.UniformResourceIdentifier(application_uri), *names],
        [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH],
        days,
    )
    files.trusted.mkdir(parents=True, exist_ok=True)
    files.private_key.touch(mode=0o600)
    files.private_key.write_bytes(dump_private_key_as_pem(key))
    files.certificate.write_bytes(certificate.public_bytes(Encoding.DER))
    return files


def trust(trusted: Path, certificate: Path) -> Path:
    """Put a copy of `certificate` into the folder, named by its thumbprint."""
    found = load_certificate(certificate)
    file = trusted / f"{thumbprint(found)}.der"
    file.write_bytes(found.public_bytes(Encoding.DER))
    return file


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-1 over DER, in hex: how OPC UA tools name a certificate. It protects nothing."""
    return certificate.fingerprint(hashes.SHA1()).hex()


def _general_name(host: str) -> x509.GeneralName:
    with suppress(ValueError):
        return x509.IPAddress(ip_address(host))
    return x509.DNSName(host)
