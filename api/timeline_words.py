"""One sentence for each journal record, as a timeline shows it.

Every event and command has a title (`event.<Name>`); most have details, built here from numbers and
catalogue words. A type without details shows its title alone.
"""

from collections.abc import Callable
from typing import Any

from api.check_rows import status_text
from api.formats import kg
from api.i18n import Words
from controller.core import commands as c
from controller.core import events as e
from controller.core.vocabulary import LookUpResult

Details = Callable[[Any, Words], str]


def title(message: object, words: Words) -> str:
    return words(f"event.{type(message).__name__}")


def details(message: object, words: Words) -> str:
    """What the record says beyond its title; may be empty."""
    say = _DETAILS.get(type(message))
    return say(message, words) if say else ""


def _code(m: e.CodeRead, t: Words) -> str:
    if m.part_count == 0:
        return t("detail.no_read")
    part = f" ({m.part_no + 1}/{m.part_count})" if m.part_count > 1 else ""
    return f"{m.text}{part}"


def _weight(m: e.Weighed, t: Words) -> str:
    parts = [kg(m.weight_mg)]
    if not m.stable:
        parts.append(t("detail.unstable"))
    if m.over_range:
        parts.append(t("detail.over_range"))
    return " · ".join(parts)


def _size(m: e.Dimensioned, t: Words) -> str:
    size = f"{m.length_mm} × {m.width_mm} × {m.height_mm} mm"
    return size if m.measurable else f"{size} · {t('detail.not_measurable')}"


def _gate(m: e.GateMoved, t: Words) -> str:
    return t(
        "detail.gate",
        number=m.source,
        phase=t.of("gate_phase", m.phase),
        position=t.of("gate_position", m.position),
    )


def _picture(m: e.PictureFindings, t: Words) -> str:
    size = f"{m.length_mm} × {m.width_mm} mm"
    text = t("detail.picture", size=size, metal=m.metal_area_mm2, rows=m.row_count)
    return text if m.usable else f"{text} · {t('detail.not_usable')}"


def _lists(m: e.ListsAnswered, t: Words) -> str:
    if m.result is LookUpResult.UNAVAILABLE:
        return t("detail.lists_unavailable")
    found = "; ".join(f"{f.list_key} {status_text(f.status, t)}" for f in m.lists)
    return t("detail.lists_found", count=len(m.lists)) + (f" · {found}" if found else "")


def _list_changed(m: e.ListChanged, t: Words) -> str:
    return f"{m.facts.list_key} · {status_text(m.facts.status, t)}"


def _verdict(m: c.CommitVerdict, t: Words) -> str:
    parts = [t.of("destination", m.destination), *(t.of("reason", r) for r in m.reasons)]
    return (t("detail.revoked") + " " if m.revision else "") + " · ".join(parts)


def _decision(m: c.SendDecision, t: Words) -> str:
    return t(
        "detail.decision", number=m.decision_seq, destination=t.of("destination", m.destination)
    )


def _echo(m: e.DecisionEchoed, t: Words) -> str:
    return t("detail.echo", number=m.decision_seq, answer=t.of("answer", m.result))


def _outcome(m: c.RecordOutcome, t: Words) -> str:
    lane = t("detail.lane", number=m.lane) if m.lane else ""
    return " · ".join(filter(None, (t.of("outcome", m.kind), lane)))


def _belt(m: e.BeltChanged, t: Words) -> str:
    cause = t.of("belt_cause", m.cause)
    return f"{t.of('belt', m.motion)} · {m.speed_mm_per_s:,} mm/s · {cause}"


def _line_state(m: c.EnterLineState, t: Words) -> str:
    return f"{t.of('state', m.state)} · {t.of('cause', m.cause)}"


def _alarm(m: c.RaiseAlarm | c.ClearAlarm, t: Words) -> str:
    return t.of("alarm", m.kind)


_DETAILS: dict[type[Any], Details] = {
    e.EyePassed: lambda m, t: t("detail.eye", number=m.source),
    e.CodeRead: _code,
    e.Weighed: _weight,
    e.Dimensioned: _size,
    e.Triggered: lambda m, t: t("detail.trigger", number=m.trigger_no),
    e.GateMoved: _gate,
    e.LaneSeen: lambda m, t: t("detail.lane", number=m.source),
    e.DefaultTaken: lambda m, t: t.of("default", m.cause),
    e.ParcelLost: lambda m, t: t("detail.eye", number=m.source),
    e.ExtraSeen: lambda m, t: t("detail.eye", number=m.source),
    e.ZoneOpened: lambda m, t: f"{m.from_mm:,} – {m.to_mm:,} mm",
    e.BeltChanged: _belt,
    e.PlcLost: lambda m, t: t.of("fault", m.fault),
    e.DecisionEchoed: _echo,
    e.PictureFindings: _picture,
    e.ListsAnswered: _lists,
    e.ListChanged: _list_changed,
    c.LookUp: lambda m, t: " · ".join(m.codes),
    c.OpenPass: lambda m, t: f"{m.pass_no}",
    c.TellVision: lambda m, t: t("detail.trigger", number=m.trigger_no),
    c.CommitVerdict: _verdict,
    c.SendDecision: _decision,
    c.RecordOutcome: _outcome,
    c.RaiseAlarm: _alarm,
    c.ClearAlarm: _alarm,
    c.EnterLineState: _line_state,
}
