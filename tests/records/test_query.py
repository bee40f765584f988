"""The read side: pages without gaps, search, the timeline of one pass."""

from pathlib import Path

import pytest

from controller.core import commands as c
from controller.core import events as e
from controller.core.vocabulary import BeltCause, BeltMotion, Reason
from controller.records.query import BadKey, Records, RecordsUnavailable
from tests.api.synthetic import follow_all, make_day, run_story, write_journal
from tests.core.story import BOOT


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Records:
    folder = tmp_path_factory.mktemp("day")
    make_day(folder)
    return Records(folder)


@pytest.mark.parametrize("limit", [1, 3, 7, 19, 20, 50])
@pytest.mark.parametrize("held", [False, True])
def test_pages_hold_every_pass_once(records: Records, limit: int, held: bool) -> None:
    seen: list[int] = []
    after = ""
    while True:
        page = records.passes(limit, after, held=held)
        assert len(page.items) <= limit
        seen += [item.pass_no for item in page.items]
        after = page.after
        if not after:
            break
    everything = records.passes(200, held=held).items
    assert seen == [item.pass_no for item in everything]
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize(
    "after", ["x", "1", "1-2-3", "-", "1-y", f"{1 << 70}-1", "'; DROP TABLE passes"]
)
def test_a_foreign_key_is_refused(records: Records, after: str) -> None:
    with pytest.raises(BadKey):
        records.passes(after=after)


@pytest.mark.parametrize(
    ("code", "passes"),
    [
        ("YT0000000007", []),  # its label was not read
        ("YT0000000003", [3]),
        ("yt0000000003", [3]),
        ("ZZ0000000015", [15]),
        ("YT000000001", [19, 18, 17, 16, 15, 14, 13, 12, 11, 10]),
        ("nothing", []),
        ("%", []),
        ("'", []),
    ],
)
def test_search_by_the_beginning_of_any_code(
    records: Records, code: str, passes: list[int]
) -> None:
    assert [item.pass_no for item in records.passes(code=code).items] == passes


def test_reasons_are_counted_and_found(records: Records) -> None:
    counts = records.counts_by_reason()
    assert counts[Reason.STATUS_INSPECT] == 2
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    for reason, count in counts.items():
        assert len(records.passes(reason=reason).items) == count
    assert records.counts_by_reason(since_utc_ns=1 << 62) == {}
    assert records.held_count() == len(records.passes(200, held=True).items)


def test_the_timeline_holds_the_whole_life_in_order(records: Records) -> None:
    record = records.one("L1", 13)
    assert record is not None
    entries = records.timeline(record)
    kinds = [type(entry.message) for entry in entries]
    life = [
        e.Inducted, e.CodeRead, c.LookUp, e.ListsAnswered, e.Weighed, e.Dimensioned, e.Triggered,
        e.PictureFindings, c.CommitVerdict, e.VerdictDurable, c.SendDecision, e.DecisionEchoed,
        e.ListChanged, e.LaneSeen, c.RecordOutcome,
    ]  # fmt: skip
    assert [kind for kind in dict.fromkeys(kinds) if kind in life] == life
    assert [entry.journal_seq for entry in entries] == sorted(e_.journal_seq for e_ in entries)
    tracks = {getattr(entry.message, "track_id", 13) for entry in entries}
    assert tracks == {13}


def test_what_befalls_the_line_is_in_the_timeline_of_those_on_it(tmp_path: Path) -> None:
    line, _ = run_story(4)
    at_ns = next(at for at, event, _ in line.log if isinstance(event, e.Weighed))
    index = next(n for n, (at, _, _) in enumerate(line.log) if at == at_ns)
    stop = e.BeltChanged(BOOT, 900, 1, 0, 0, 0, BeltMotion.STOPPED, 0, BeltCause.EMERGENCY_STOP)
    line.log.insert(index, (at_ns, stop, ()))
    write_journal(tmp_path, line)
    follow_all(tmp_path)
    records = Records(tmp_path)

    def belt(pass_no: int) -> list[bool]:
        record = records.one("L1", pass_no)
        assert record is not None
        entries = records.timeline(record)
        return [entry.of_line for entry in entries if isinstance(entry.message, e.BeltChanged)]

    assert belt(1) == [True]
    assert belt(4) == []


def test_without_a_file_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecordsUnavailable, match="no records"):
        Records(tmp_path).passes()
    (tmp_path / "records.db").write_bytes(b"not a database" * 1_000)
    with pytest.raises(RecordsUnavailable, match="cannot be read"):
        Records(tmp_path).passes()
