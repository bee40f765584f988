"""Starts that are killed, senders who crowd, settings that check nothing."""

from dataclasses import replace
from pathlib import Path

import pytest

from controller.config import ConfigError, LineConfig, load
from controller.config.load import parse_rules
from controller.config.relations import findings
from controller.core import events as e
from controller.core.vocabulary import PassEnd
from controller.declared_lists.settle import LISTS_MAX
from controller.declared_lists.store import Store
from controller.journal.chain import FIRST_START
from controller.journal.day_file import DayFile, PassNote
from controller.journal.earlier_passes import EarlierPasses
from controller.journal.recovery import Recovered
from controller.runtime.line_process import LineProcess
from controller.runtime.start import file_header, replayed_core
from tests.adversary.test_list_senders import found
from tests.declared_lists import ceb
from tests.runtime.test_supervisor_word import QuietLink, config, damage, running  # noqa: F401

# --- J: a start that is killed before it has said what it found -----------------------------------


class KilledEarly(LineProcess):
    """Dies with its header on the disk and this many of its first events."""

    events_left = 0

    def _dispatch(self, event: e.Event) -> None:
        if self.events_left == 0:
            raise KeyboardInterrupt
        self.events_left -= 1
        super()._dispatch(event)


async def killed_start(config: LineConfig, events: int) -> None:  # noqa: F811 - the fixture
    line = KilledEarly(config, "test", lambda *_: QuietLink())
    line.events_left = events
    line.begin_file()
    with pytest.raises(KeyboardInterrupt):
        line._announce()
    assert line._journal.close()


@pytest.mark.parametrize("events", [0, 1, 2])
async def test_a_start_killed_before_it_raised_the_failure_does_not_end_it(
    config: LineConfig,  # noqa: F811 - the fixture
    events: int,
) -> None:
    """A corrupt journal was set aside and named by the header; the failure itself is not recorded."""
    async with running(config):
        pass
    damage(config)
    await killed_start(config, events)
    async with running(config) as line:
        assert not line.core.state.journal_ok


@pytest.mark.parametrize("events", [0, 1, 2])
async def test_a_start_killed_after_an_unanswered_failure_does_not_end_it(
    config: LineConfig,  # noqa: F811 - the fixture
    events: int,
) -> None:
    async with running(config) as line:
        line._failed("disk gone")
        assert not line.core.state.journal_ok
    await killed_start(config, events)
    async with running(config) as line:
        assert not line.core.state.journal_ok


# --- K: another encoder in line.toml --------------------------------------------------------------


def test_a_line_whose_encoder_was_changed_reckons_with_the_new_one() -> None:
    reference = load(Path(__file__).parents[2] / "sim" / "reference_line.toml")
    before = Recovered(None, b"", (), FIRST_START, "", ())
    core = replayed_core(reference.line, reference.rules_id, reference.rules, before)
    header = file_header(reference, core, reference.rules_text, "test", 0)
    found = Recovered(header, header.state, (), FIRST_START, "20260115", ())
    finer = replace(reference.line, encoder_counts_per_m=2_000)
    restarted = replayed_core(finer, reference.rules_id, reference.rules, found)
    assert restarted.state.belt.travelled_mm(2_000, 0) == 1_000


# --- L: a crowd of deleted lists ------------------------------------------------------------------


@pytest.mark.parametrize("names", [{}, {"invtNo": "46012026I000000001"}])
def test_a_crowd_of_deleted_lists_hides_no_living_rival(
    tmp_path: Path, names: dict[str, str]
) -> None:
    """Two living lists share every number of the receipt: nobody knows which of them is meant."""
    path = tmp_path / "lists.db"
    deleted = {"appTime": "20260115110000"}
    with Store(path) as store:
        for first in range(0, LISTS_MAX - 1, 50):
            numbers = range(first, min(first + 50, LISTS_MAX - 1))
            for change in ({"appTime": "20260115100000"}, {"appType": "3", **deleted}):
                crowd = (ceb.inventory(logisticsNo=f"D{n}", **{**names, **change}) for n in numbers)
                ceb.take(store, ceb.lists(*crowd))
        ceb.take(
            store, ceb.a_list(logisticsNo="W2", grossWeight="9", **names)
        )  # nobody released it
        ceb.take(store, ceb.a_list(logisticsNo="W1", **names))
        ceb.take(store, ceb.a_receipt(800, "20260115130000000", **names))
    assert found(path, "W1")[0].status == 0
    assert found(path, "W2")[0].status == 0


# --- M: a label declared anew ---------------------------------------------------------------------


def test_a_label_once_released_is_known_under_another_list(tmp_path: Path) -> None:
    """The list is deleted after the release, and another declared for the same carrier and waybill."""
    directory = tmp_path / "L1"
    directory.mkdir()
    note = PassNote("W1", "41019800D4/W1/COP1", 2, PassEnd.RELEASED, 1)
    DayFile.create(directory / "20260115.journal", (), (note,)).close()
    passes = EarlierPasses(directory, lines_dir=tmp_path)
    assert passes.of("41019800D4/W1/COP1") == (e.EarlierPass(2, PassEnd.RELEASED),)
    assert passes.of("41019800D4/W1/COP2") == (e.EarlierPass(2, PassEnd.RELEASED),)
    assert passes.of("41019800D4/W11/COP1") == ()
    # The box bears the waybill alone; the carrier's code is what the sender of the list says.
    assert passes.of("41019800D5/W1/COP1") == (e.EarlierPass(2, PassEnd.RELEASED),)
    passes.close()


# --- N: values that check nothing -----------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        "weight_tolerance_mg = 50_000_000_000",
        "picture_length_tolerance_mm = 100_000",
        "picture_width_tolerance_mm = 100_000",
        "metal_area_mm2_max = 100_000_000",
        "opaque_area_mm2_max = 100_000_000",
        "scale_zero_mg_max = 4_000_000_000",
        "rows_missing_max = 1_000_000",
    ],
)
def test_a_rule_that_checks_nothing_is_refused(rule: str) -> None:
    with pytest.raises(ConfigError):
        parse_rules(rule + "\n", "rules")


def test_an_attach_window_that_reaches_the_neighbour_is_refused() -> None:
    reference = load(Path(__file__).parents[2] / "sim" / "reference_line.toml")
    wide = replace(reference.line, attach_window_mm=2_000)
    assert list(findings(wide, reference.rate_parcels_per_h))
