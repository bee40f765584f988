"""Words for people: one `.po` catalogue a language, read at start, no compile step.

Ids are symbolic ("reason.NO_READ"), so that English is a translation like any other and a test can
compare the ids in use with both catalogues. Data from customs messages (goods names) is never
translated.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from babel.messages.pofile import read_po

LOCALES = {"zh": "zh_CN", "en": "en"}
DEFAULT = "zh"  # the lines stand in China; a browser that asks for another language gets English


@dataclass(frozen=True, slots=True)
class Words:
    """The catalogue of one language. Call it with an id and what its {places} are filled with."""

    lang: str
    texts: Mapping[str, str]

    @property
    def html_lang(self) -> str:
        return "zh-CN" if self.lang == "zh" else self.lang

    def __call__(self, text_id: str, **values: object) -> str:
        """The text, or the id itself where the catalogue lacks it: a page is never lost for a word."""
        text = self.texts.get(text_id, text_id)
        return text.format(**values) if values else text

    def of(self, group: str, member: Enum | str) -> str:
        """The word for an enum member: `of("reason", Reason.LATE)`."""
        return self(f"{group}.{member.name if isinstance(member, Enum) else member}")

    def starting_with(self, prefixes: Iterable[str]) -> dict[str, str]:
        """What a page hands to its scripts."""
        wanted = tuple(prefixes)
        return {key: text for key, text in self.texts.items() if key.startswith(wanted)}


def load(folder: Path | None = None) -> dict[str, Words]:
    """Both catalogues from `<folder>/<locale>.po`. OSError or PoFileError: the installation is broken."""
    folder = folder or Path(__file__).parent / "locales"
    return {lang: Words(lang, _texts(folder / f"{name}.po")) for lang, name in LOCALES.items()}


def _texts(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        catalogue = read_po(file, abort_invalid=True)
    return {str(m.id): str(m.string) for m in catalogue if m.id and m.string and not m.fuzzy}


def choose(query: str | None, cookie: str | None, accept_language: str | None) -> str:
    """The language of one request: what it asks for, what it asked for before, what the browser likes."""
    for wish in (query, cookie):
        if wish in LOCALES:
            return wish
    ranked = _ranked(accept_language or "")
    for tag in ranked:
        if tag.split("-")[0] in LOCALES:
            return tag.split("-")[0]
    return "en" if ranked and ranked != ["*"] else DEFAULT


def _ranked(header: str) -> list[str]:
    """Language tags of an Accept-Language header, best first; nonsense counts as quality 0."""
    rated = []
    for part in header[:200].split(","):
        tag, _, quality = part.strip().partition(";q=")
        try:
            rated.append((-float(quality or 1), tag.strip().lower()))
        except ValueError:
            continue
    ranked = [tag for _, tag in sorted(rated, key=lambda pair: pair[0])]
    return [tag for tag in ranked if tag == "*" or tag.replace("-", "").isalnum()]
