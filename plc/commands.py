"""`parcelgate certificates`: make, trust and show the certificates of encrypted OPC UA."""

import argparse
from pathlib import Path

OK = 0


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `certificates`."""
    parser = subparsers.add_parser("certificates", help="certificates for encrypted OPC UA")
    kinds = parser.add_subparsers(required=True, metavar="WHAT")
    make = kinds.add_parser(
        "make", help="a key, a self-signed certificate, a folder of trusted ones"
    )
    make.add_argument("folder", type=Path)
    make.add_argument("--uri", default="urn:parcelgate:line", help="application URI")
    make.add_argument("--host", action="append", default=[], help="name or IP address; repeatable")
    make.add_argument("--days", type=int, default=1_095, help="how long it is good")
    make.set_defaults(run=_make)
    trust = kinds.add_parser(
        "trust", help="put a PLC's certificate into the folder of trusted ones"
    )
    trust.add_argument("trusted", type=Path)
    trust.add_argument("certificate", type=Path, nargs="+")
    trust.set_defaults(run=_trust)
    show = kinds.add_parser("show", help="application URI, end and thumbprint")
    show.add_argument("certificate", type=Path, nargs="+")
    show.set_defaults(run=_show)


def _make(options: argparse.Namespace) -> int:
    from plc.opcua_certificates import make_certificate

    files = make_certificate(options.folder, options.uri, options.host, options.days)
    print(f'opcua_certificate = "{files.certificate}"')
    print(f'opcua_private_key = "{files.private_key}"')
    print(f'opcua_trusted = "{files.trusted}"')
    print(f"# Have the PLC trust {files.certificate}, and put the PLC's into {files.trusted}.")
    return OK


def _trust(options: argparse.Namespace) -> int:
    from plc.opcua_certificates import trust

    for certificate in options.certificate:
        print(trust(options.trusted, certificate))
    return OK


def _show(options: argparse.Namespace) -> int:
    from controller.clock import SystemClock
    from controller.core.units import NS_PER_S
    from plc.opcua_certificates import thumbprint
    from plc.opcua_settings import S_PER_DAY, application_uris, load_certificate

    for file in options.certificate:
        certificate = load_certificate(file)
        ends = certificate.not_valid_after_utc
        left = (int(ends.timestamp()) - SystemClock().utc_ns() // NS_PER_S) // S_PER_DAY
        uris = ", ".join(application_uris(certificate)) or "no application URI"
        print(f"{file}: {uris}, until {ends:%Y-%m-%d} ({left} days), {thumbprint(certificate)}")
    return OK
