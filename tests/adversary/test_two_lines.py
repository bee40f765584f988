"""The same label on two lines, and on one line half a year apart."""

from pathlib import Path

from controller.core.events import EarlierPass
from controller.core.vocabulary import PassEnd
from controller.journal.earlier_passes import EarlierPasses
from tests.journal.story import Line, parcel

KEY = "list/WB00000002"


def line_in(directory: Path) -> Line:
    directory.mkdir(parents=True)
    return Line(directory)


def test_a_label_released_on_the_other_line_is_known_here(tmp_path: Path) -> None:
    ours, other = line_in(tmp_path / "L1"), line_in(tmp_path / "L2")
    ours.begin()
    other.begin()
    passes = EarlierPasses(tmp_path / "L1", lines_dir=tmp_path)
    assert passes.of(KEY) == ()
    other.run([1])
    other.tell(parcel(2)[:4])
    other.heard.durable(other.seq)
    assert passes.of(KEY) == (EarlierPass(2, PassEnd.OPEN, "L2"),)
    assert passes.taken_elsewhere(frozenset({KEY, "list/other"})) == {KEY}
    other.tell(parcel(2)[4:])
    other.heard.durable(other.seq)
    ours.run([1, 2])
    ours.heard.durable(ours.seq)
    assert passes.of(KEY) == (
        EarlierPass(2, PassEnd.RELEASED, "L2"),
        EarlierPass(2, PassEnd.RELEASED),
    )
    for line in (ours, other):
        line.writer.close()
    passes.close()


def test_a_label_released_months_ago_is_known(tmp_path: Path) -> None:
    line = line_in(tmp_path / "L1")
    line.begin("20260101")
    line.run([1, 2])
    for day in range(2, 30):
        line.begin(f"202601{day:02d}")
    line.begin("20260630")
    line.heard.durable(line.seq)
    passes = EarlierPasses(tmp_path / "L1", lines_dir=tmp_path)
    assert passes.of(KEY) == (EarlierPass(2, PassEnd.RELEASED),)
    assert passes.taken_elsewhere(frozenset({KEY})) == frozenset()
    line.writer.close()
    passes.close()
