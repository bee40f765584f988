"""Integers of the core as text for people and machines. Pure; no language in here."""

from datetime import UTC, datetime

from controller.core.units import NS_PER_MS, NS_PER_S

NOTHING = "–"


def utc_iso(utc_ns: int) -> str | None:
    """RFC 3339 with milliseconds, or None where no clock was read (0)."""
    if utc_ns <= 0:
        return None
    seconds, rest_ns = divmod(utc_ns, NS_PER_S)
    stamp = datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{stamp}.{rest_ns // NS_PER_MS:03d}Z"


def local_time(utc_ns: int, with_date: bool = False, with_ms: bool = False) -> str:
    """Wall time of the site (the server's zone)."""
    if utc_ns <= 0:
        return NOTHING
    seconds, rest_ns = divmod(utc_ns, NS_PER_S)
    local = datetime.fromtimestamp(seconds, tz=UTC).astimezone()
    text = local.strftime("%Y-%m-%d %H:%M:%S" if with_date else "%H:%M:%S")
    return f"{text}.{rest_ns // NS_PER_MS:03d}" if with_ms else text


def kg(weight_mg: int, signed: bool = False) -> str:
    """Milligrams as kilograms with three decimals, rounded half away from zero."""
    grams = (abs(weight_mg) + 500) // 1_000
    sign = "−" if weight_mg < 0 and grams else "+" if signed and grams else ""
    return f"{sign}{grams // 1_000:,}.{grams % 1_000:03d} kg"


def signed(value: int) -> str:
    """With a real minus sign and a plus."""
    return f"+{value:,}" if value > 0 else f"−{-value:,}" if value < 0 else "0"


def percent(part: int, whole: int) -> str:
    """Signed percentage with one decimal; empty where it is nothing or there is no whole."""
    if whole <= 0:
        return ""
    permille = (abs(part) * 2_000 + whole) // (2 * whole)
    if permille == 0:
        return ""
    sign = "−" if part < 0 else "+"
    return f"{sign}{permille // 10:,}.{permille % 10} %"


def ms_between(later_ns: int, earlier_ns: int) -> str:
    """Elapsed milliseconds with a sign, for a timeline."""
    return signed((later_ns - earlier_ns) // NS_PER_MS)


def e5(value_e5: int) -> str:
    """A quantity x 1e5 without trailing zeros."""
    whole, rest = divmod(value_e5, 100_000)
    return f"{whole:,}.{rest:05d}".rstrip("0").rstrip(".")


def money(value_e5: int, currency: str) -> str:
    """An amount x 1e5 with two decimals, rounded half up, and its currency code (142 is CNY)."""
    cents = (value_e5 + 500) // 1_000
    return f"{cents // 100:,}.{cents % 100:02d} {'CNY' if currency == '142' else currency}".rstrip()


def customs_time(text: str) -> str:
    """`YYYYMMDDhhmmss...` of a customs message as a date and time; anything else as it is."""
    if len(text) < 14 or not text[:14].isdigit():
        return text
    return f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[8:10]}:{text[10:12]}:{text[12:14]}"
