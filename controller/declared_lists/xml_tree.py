"""Bytes from outside become an element tree here, or are refused with one clear sentence.

Never: a DTD, an entity, a network access, an encoding other than the standard's UTF-8, more than
DOCUMENT_BYTES_MAX bytes, deeper nesting than DEPTH_MAX. UTF-8 is settled on the bytes before the
parser sees them, so that no encoding can hide a DOCTYPE from the check.
"""

import base64
import binascii
import re

from lxml import etree

from controller.declared_lists.declared import MessageError
from controller.declared_lists.limits import DOCUMENT_BYTES_MAX

CEB = "http://www.chinaport.gov.cn/ceb"
DXP = "http://www.chinaport.gov.cn/dxp"
# The deepest honest message is its signature: six levels.
DEPTH_MAX = 16

_DECLARED_ENCODING = re.compile(rb"""\A\s*<\?xml[^>]*?encoding\s*=\s*["']([^"']*)["']""")
_TOO_DEEP = etree.XPath("boolean(" + "/*" * (DEPTH_MAX + 1) + ")")
_BOM = b"\xef\xbb\xbf"


def message_root(data: bytes) -> etree._Element:
    """Root element of the CEB message in `data`, taken out of its envelope if it has one.

    Raises MessageError on anything that is not a well-formed message of the standard's namespace.
    """
    root = _parsed(data)
    if etree.QName(root).namespace == DXP:
        root = _parsed(_enveloped(root))
        if etree.QName(root).namespace == DXP:
            raise MessageError("", "Data", "an envelope inside an envelope")
    namespace = etree.QName(root).namespace
    if namespace != CEB:
        found = f"namespace {namespace[:100]}" if namespace else "no namespace"
        raise MessageError(
            "", local_name(root)[:60], f"the root element has {found}, the standard's is {CEB}"
        )
    return root


def local_name(element: etree._Element) -> str:
    return etree.QName(element).localname


def _parsed(data: bytes) -> etree._Element:
    if len(data) > DOCUMENT_BYTES_MAX:
        raise MessageError("", "", f"has {len(data)} bytes, the limit is {DOCUMENT_BYTES_MAX}")
    data = data.removeprefix(_BOM)
    if not data.strip():
        raise MessageError("", "", "is empty")
    _check_encoding(data)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise MessageError("", "", "carries a DOCTYPE or entity declaration, which is never read")
    try:
        root = etree.fromstring(data, _parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        raise MessageError("", "", f"is not well-formed XML: {_first_line(error)}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise MessageError("", "", "carries a DOCTYPE, which is never read")
    if _TOO_DEEP(root):
        raise MessageError("", "", f"is nested deeper than {DEPTH_MAX} levels")
    return root


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )


def _check_encoding(data: bytes) -> None:
    declared = _DECLARED_ENCODING.match(data)
    if declared is not None and declared[1].lower() not in (b"utf-8", b"utf8", b"us-ascii"):
        name = declared[1][:30].decode("ascii", "replace")
        raise MessageError("", "", f"declares encoding {name}, the standard is UTF-8")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MessageError("", "", f"is not UTF-8 at byte {error.start}") from None


def _first_line(error: Exception) -> str:
    sentence = (str(error).splitlines() or ["unreadable"])[0]
    return sentence.partition(" (<string>")[0].strip()[:200]


def _enveloped(root: etree._Element) -> bytes:
    """The document in a DxpMsg, or in the DxpMsg of a DxpMsgSv."""
    message = root
    if local_name(root) == "DxpMsgSv":
        message = _only_child(root, "DxpMsg")
    elif local_name(root) != "DxpMsg":
        raise MessageError("", local_name(root)[:60], "is no envelope that carries a message")
    text = _only_child(message, "Data").text or ""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise MessageError("DxpMsg", "Data", "is not base64") from None


def _only_child(parent: etree._Element, name: str) -> etree._Element:
    children = parent.findall(f"{{{DXP}}}{name}")
    if len(children) != 1:
        found = "is missing" if not children else f"stands {len(children)} times"
        raise MessageError(local_name(parent), name, found)
    return children[0]
