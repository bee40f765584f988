"""Every word in both languages: none missing, none unused, none left in English."""

import re
from enum import Enum
from pathlib import Path
from string import Formatter

import pytest

from api import i18n
from controller import wire
from controller.core import vocabulary as v
from controller.core.parcel import ParcelState

API = Path(__file__).resolve().parents[2] / "api"
WORDS = i18n.load()
ENUMS: dict[str, type[Enum]] = {
    "reason": v.Reason,
    "state": v.LineState,
    "cause": v.LineCause,
    "alarm": v.AlarmKind,
    "alarm_do": v.AlarmKind,
    "fault": v.LinkFault,
    "check": v.CheckKind,
    "check_result": v.CheckResult,
    "answer": v.DecisionResult,
    "default": v.DefaultCause,
    "gate_phase": v.GatePhase,
    "gate_position": v.GatePosition,
    "belt": v.BeltMotion,
    "belt_cause": v.BeltCause,
    "outcome": v.OutcomeKind,
    "parcel_state": ParcelState,
}
CALL = re.compile(r"""\b(?:t|words)\(\s*['"]([a-z_]+\.[a-z_0-9]+)['"]""")
# Same in both languages, by nature.
SAME = re.compile(r"mark\.|detail\.decision$|nav\.other_language$")


def ids_of_enums() -> set[str]:
    ids = {f"{group}.{member.name}" for group, enum in ENUMS.items() for member in enum}
    for group in ("destination", "mark"):
        ids |= {f"{group}.{name}" for name in ("NONE", *v.Destination.__members__)}
    ids |= {
        f"event.{cls.__name__}"
        for kind, cls in wire.KINDS.items()
        if wire.is_event(kind) or wire.is_command(kind)
    }
    return ids | {"note.alarm", "note.default_taken", "note.answer"}


def ids_in_sources() -> set[str]:
    """Literal ids in templates, scripts and Python, and the ids that `mimic` and `problems` name."""
    ids: set[str] = set()
    for path in API.rglob("*"):
        if path.suffix in (".html", ".js", ".py"):
            ids |= set(CALL.findall(path.read_text()))
    ids |= set(re.findall(r'"(device\.[a-z]+)"', (API / "mimic.py").read_text()))
    return ids | {f"problem.{kind}" for kind in ("404", "422", "503", "other")}


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_catalogue_holds_exactly_what_is_used(lang: str) -> None:
    used = ids_of_enums() | ids_in_sources()
    have = set(WORDS[lang].texts)
    assert used - have == set(), "not translated"
    assert have - used == set(), "not used"


def test_chinese_is_chinese_and_english_is_english() -> None:
    han = re.compile(r"[\u4e00-\u9fff]")
    for key, text in WORDS["zh"].texts.items():
        if not SAME.match(key) and key != "line.comma":
            assert han.search(text) or text == WORDS["en"].texts[key] == "", (key, text)
    for key, text in WORDS["en"].texts.items():
        assert key == "nav.other_language" or not han.search(text), (key, text)


def test_both_languages_fill_the_same_places() -> None:
    def places(text: str) -> set[str | None]:
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    for key, text in WORDS["en"].texts.items():
        assert places(text) == places(WORDS["zh"].texts[key]), key


def test_no_word_for_another_is_given_twice() -> None:
    """Two reasons that read the same would be one reason to a person."""
    for group in ("reason", "alarm", "fault", "cause", "check", "destination"):
        for words in WORDS.values():
            texts = [text for key, text in words.texts.items() if key.startswith(f"{group}.")]
            assert len(texts) == len(set(texts)), (group, words.lang)


@pytest.mark.parametrize(
    ("query", "cookie", "accept", "lang"),
    [
        (None, None, None, "zh"),
        ("en", "zh", "zh-CN", "en"),
        (None, "en", "zh-CN", "en"),
        ("klingon", None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, None, "en-GB,en;q=0.9,zh;q=0.8", "en"),
        (None, None, "zh;q=0.1,en;q=0.9", "en"),
        (None, None, "fr-FR", "en"),
        (None, None, "*", "zh"),
        (None, None, "zh;q=nonsense,;;;,", "zh"),
        ("", "../../etc", "x" * 10_000, "en"),
    ],
)
def test_the_language_is_the_best_that_is_asked_for(
    query: str | None, cookie: str | None, accept: str | None, lang: str
) -> None:
    assert i18n.choose(query, cookie, accept) == lang


def test_a_missing_word_shows_its_id_and_loses_no_page() -> None:
    assert WORDS["en"]("no.such_word", number=3) == "no.such_word"
