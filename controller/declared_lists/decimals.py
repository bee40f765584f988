"""The standard's decimals (xs:decimal, 19 digits, 5 after the point) as integers x 1e5. Exact."""

import re

E5_DIGITS = 5
DIGITS_MAX = 19
# The store and the journal hold 64-bit integers and a weight in mg is ten times its kg value x 1e5.
# A million million kilograms is refused as nonsense long before that overflows.
VALUE_E5_MAX = 10**17
MG_PER_KG_E5 = 10
INT_MAX = 2**31 - 1

_DECIMAL = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?\Z")
_INTEGER = re.compile(r"\+?[0-9]{1,10}\Z")


class NumberError(ValueError):
    """The text is no number the standard allows; the only argument says why."""


def e5_from_text(text: str) -> int:
    """A non-negative decimal x 1e5. Zeros that carry no value do not count as digits (XSD)."""
    match = _DECIMAL.match(text)
    if match is None or not (match[2] or match[3]):
        raise NumberError(f"{text[:30]!r} is not a decimal number")
    whole = match[2].lstrip("0")
    fraction = (match[3] or "").rstrip("0")
    if len(fraction) > E5_DIGITS:
        raise NumberError(f"has {len(fraction)} decimals, the standard allows {E5_DIGITS}")
    if len(whole) + len(fraction) > DIGITS_MAX:
        raise NumberError(f"has more than {DIGITS_MAX} digits")
    value_e5 = int((whole + fraction.ljust(E5_DIGITS, "0")) or "0")
    if match[1] == "-" and value_e5:
        raise NumberError("must not be negative")
    if value_e5 > VALUE_E5_MAX:
        raise NumberError("is larger than this store holds")
    return value_e5


def int_from_text(text: str) -> int:
    """A non-negative xs:int."""
    if _INTEGER.match(text) is None or int(text) > INT_MAX:
        raise NumberError(f"{text[:30]!r} is not a whole number")
    return int(text)
