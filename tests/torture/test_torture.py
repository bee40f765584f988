"""Every torture at a size for CI, and proof that each of them can fail."""

import json
import shutil
from argparse import ArgumentParser
from pathlib import Path

import pytest

from controller.core.commands import CommitVerdict, RecordOutcome, SendDecision
from controller.core.vocabulary import Destination, OutcomeKind
from controller.journal import committer as committer_module
from controller.journal import recovery as recovery_module
from controller.journal import verify as verify_module
from sim.torture import bitrot as bitrot_module
from sim.torture.attacks import ATTACKS
from sim.torture.bitrot import bitrot
from sim.torture.commands import torture
from sim.torture.disk import Handle
from sim.torture.diskfull import diskfull
from sim.torture.fsync import fsync
from sim.torture.plain_kill import plain_kill
from sim.torture.powercut import NotingDisk, powercut
from sim.torture.shift import Shift, fresh_core, reference_line
from sim.torture.tamper import tamper


def test_the_shift_is_a_real_one_and_one_seed_is_one_shift() -> None:
    turns = list(Shift(fresh_core(reference_line()), 3, 40).turns())
    assert turns == list(Shift(fresh_core(reference_line()), 3, 40).turns())
    commands = [command for turn in turns for command in turn.commands]
    verdicts = [c for c in commands if isinstance(c, CommitVerdict)]
    outcomes = [c for c in commands if isinstance(c, RecordOutcome)]
    assert {c.destination for c in verdicts} >= {Destination.RELEASE, Destination.HOLD}
    assert any(c.revision for c in verdicts)
    assert len(outcomes) == 40
    assert {c.kind for c in outcomes} == {OutcomeKind.IN_PLANNED_LANE}
    assert sum(
        c.destination is Destination.RELEASE for c in commands if isinstance(c, SendDecision)
    )


def test_power_cuts_lose_nothing_acknowledged() -> None:
    report = powercut(80, seed=11)
    assert report.ok, report.failures
    assert report.counts["cuts"] == 80
    assert report.counts["acknowledged_lost"] == 0
    assert report.counts["durable_not_acknowledged"] > 0


class LyingDisk(NotingDisk):
    """Says that it synced and did not."""

    def synced(self, file: Handle) -> None: ...


def test_a_disk_that_lies_about_a_sync_is_found_out() -> None:
    report = powercut(12, seed=11, make_disk=LyingDisk)
    assert report.counts["acknowledged_lost"] > 0
    assert not report.ok


def test_no_flipped_bit_is_read_for_what_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bitrot_module, "PARCELS", 40)
    monkeypatch.setattr(bitrot_module, "RECORDS_BEFORE_MIDNIGHT", 400)
    report = bitrot(120, seed=5)
    assert report.ok, report.failures
    assert report.counts["found"] > 0
    assert report.counts["found_by_head"] > report.counts["starts_that_end_earlier"]
    assert report.counts["starts_that_set_a_file_aside"] > 0


def test_a_start_that_takes_a_log_that_breaks_off_for_the_whole_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bitrot_module, "PARCELS", 40)
    monkeypatch.setattr(bitrot_module, "RECORDS_BEFORE_MIDNIGHT", 400)
    monkeypatch.setattr(recovery_module, "log_breaks_off", lambda _: False)
    report = bitrot(60, seed=5)
    assert report.counts["starts_that_end_earlier"] > 0
    assert not report.ok


def test_every_attack_is_found() -> None:
    report = tamper(2 * len(ATTACKS), seed=4)
    assert report.ok, report.failures
    assert report.counts["undetected"] == 0
    assert report.counts["found_by_head"] == 2 * sum(attack.needs_head for attack in ATTACKS)


def test_a_verify_that_does_not_check_signatures_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verify_module.records, "signature_holds", lambda *_: True)
    report = tamper(len(ATTACKS), seed=4)
    assert [why for why in report.failures if "pose as our key: only a head found it" in why]


def test_a_full_disk_holds_parcels_and_resumes() -> None:
    report = diskfull(9, seed=2)
    assert report.ok, report.failures
    assert report.counts["holds_on_ballast"] > 0
    assert report.counts["holds_in_memory"] > 0
    assert report.counts["releases_while_full"] == report.counts["acknowledged_lost"] == 0
    assert report.counts["releases_after"] > 0


def test_a_committer_that_acknowledges_on_a_full_disk_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def carefree(self: committer_module.Committer, batch: object) -> None:
        self._store(batch)  # type: ignore[arg-type]
        self._on_durable(self._head.journal_seq)

    def commit(self: committer_module.Committer, batch: object) -> None:
        try:
            carefree(self, batch)
        except committer_module._DiskTrouble as error:
            self._fail(committer_module._sentence(error))
            self._ballast.release()
            carefree(self, batch)

    monkeypatch.setattr(committer_module.Committer, "commit", commit)
    assert not diskfull(1, seed=2).ok


def test_failed_syncs_and_a_disk_that_stands_still() -> None:
    report = fsync(12, seed=6, stall_s=0.0)
    assert report.ok, report.failures
    assert report.counts["sync_failures"] > 10
    assert report.counts["restarts"] > 0
    assert report.counts["stall_holds_sent"] > 0
    assert report.counts["stall_releases_waiting"] > 0
    assert report.counts["stall_releases_sent"] == report.counts["acknowledged_lost"] == 0


@pytest.mark.live
def test_kills_of_a_writing_process() -> None:
    report = plain_kill(12, seed=1)
    assert report.ok, report.failures
    assert report.counts["kills"] == 12
    assert report.counts["acknowledgements"] > 0


def run(*words: str) -> int:
    parser = ArgumentParser()
    torture(parser.add_subparsers(required=True))
    options = parser.parse_args(["torture", *words])
    return int(options.run(options))


def test_the_commands_print_counts_and_say_by_their_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("diskfull", "--runs", "1", "--seed", "3", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is True
    assert answer["counts"]["acknowledged_lost"] == 0
    assert run("tamper", "--runs", "3") == 0
    assert "undetected                      0" in capsys.readouterr().out
    monkeypatch.setattr("sim.torture.powercut.Medium.write_cut", _everything_gone)
    assert run("powercut", "--cuts", "3") == 1
    assert "acknowledged, 0 left" in capsys.readouterr().out
    for words in (("powercut", "--cuts", "0"), ("meteor",), ()):
        with pytest.raises(SystemExit):
            run(*words)


def _everything_gone(_medium: object, directory: Path, *_: object) -> None:
    shutil.rmtree(directory)
    directory.mkdir()
