"""From code parts to codes. Which list a code names is the list reader's answer, never guessed here."""

from itertools import islice, product
from typing import Final

from controller.core.events import CodeRead

# A scanner that contradicts itself in every part of a long code says nothing about any label.
_CHOICES_MAX: Final = 64


def complete_codes(parts: tuple[CodeRead, ...]) -> tuple[str, ...]:
    """The codes of which every part is there, in order of code number, each text once.

    A part repeated with another text makes its code incomplete: two readings contradict.
    """
    by_code: dict[int, dict[int, CodeRead]] = {}
    contradicted: set[int] = set()
    for part in parts:
        known = by_code.setdefault(part.code_no, {})
        earlier = known.setdefault(part.part_no, part)
        if (earlier.text, earlier.part_count) != (part.text, part.part_count):
            contradicted.add(part.code_no)
    codes: list[str] = []
    for code_no in sorted(by_code):
        known = by_code[code_no]
        part_count = max(part.part_count for part in known.values())
        if code_no in contradicted or sorted(known) != list(range(part_count)):
            continue
        text = "".join(known[part_no].text for part_no in range(part_count)).strip()
        if text and text not in codes:
            codes.append(text)
    return tuple(codes)


def shown_codes(parts: tuple[CodeRead, ...]) -> tuple[str, ...]:
    """Every text that some choice among contradicting readings makes, the complete codes first: what the
    label of another body is compared with."""
    codes = complete_codes(parts)
    numbers = {part.code_no for part in parts}
    if len(codes) == len(numbers):
        return codes
    found = list(codes)
    for code_no in sorted(numbers):
        of_code = [part for part in parts if part.code_no == code_no]
        for part_count in sorted({part.part_count for part in of_code}):
            choices = [
                [part.text for part in of_code if part.part_no == part_no]
                for part_no in range(part_count)
            ]
            for texts in islice(product(*choices), _CHOICES_MAX):
                text = "".join(texts).strip()
                if text and text not in found:
                    found.append(text)
    return tuple(found)


def codes_are_whole(parts: tuple[CodeRead, ...]) -> bool:
    """True if at least one code was begun and every begun code is complete."""
    begun = {part.code_no for part in parts}
    whole = {
        code_no
        for code_no in begun
        if complete_codes(tuple(part for part in parts if part.code_no == code_no))
    }
    return bool(begun) and begun == whole


def has_form(code: str, form: str) -> bool:
    """`Rules.waybill_forms`; whole and exact, ASCII digits and letters only."""
    return len(code) == len(form) and all(map(_fits, code, form))


def _fits(character: str, mark: str) -> bool:
    if mark == "#":
        return "0" <= character <= "9"
    if mark == "@":
        return "A" <= character <= "Z"
    return character == mark
