"""A core as the journals left it: state, the events after it, and what was wrong with the files."""

import logging
from pathlib import Path

from controller.config import LineConfig
from controller.core.line import LineController
from controller.core.settings import LineSettings, Rules
from controller.core.state import CoreState, first_state
from controller.journal.keys import public_keys
from controller.journal.records import SCHEMA, FileHeader, decode_state, encode_state
from controller.journal.recovery import Recovered, recover
from controller.rules.history import text_of

log = logging.getLogger(__name__)

# More passes than a line makes in a year of days at full rate.
PASS_NO_STEP_AFTER_LOSS = 100_000_000


def recovered_core(config: LineConfig) -> tuple[LineController, Recovered]:
    """The core with every recorded event replayed; a fresh one where there is no usable journal.

    Events are replayed under the settings they were recorded with; then line.toml's apply.
    """
    config.journal_dir.mkdir(parents=True, exist_ok=True)
    recovered = recover(config.journal_dir, public_keys(keys_dir(config)))
    for aside in recovered.set_aside:
        log.error("journal set aside as %s: %s", aside.path.name, aside.why)
    core = replayed_core(config.line, config.rules_id, config.rules, recovered)
    log.info("recovered: %d events after the last state", len(recovered.events))
    return core, recovered


def replayed_core(
    line: LineSettings, rules_id: str, rules: Rules, recovered: Recovered
) -> LineController:
    """The core that the recorded events lead to, under `line`; a line that never ran without any."""
    if recovered.header is None:
        core = LineController(line, first_state(line, rules_id, rules))
    else:
        core = LineController(recovered.header.settings, decode_state(recovered.state, CoreState))
    for at_ns, event in recovered.events:
        core.handle(at_ns, event)
    if recovered.set_aside:
        # Numbers given out in the lost records must not be given again.
        core.state.next_pass_no += PASS_NO_STEP_AFTER_LOSS * len(recovered.set_aside)
        # Into the header that names the files: a start killed after it must not end the failure.
        core.state.journal_ok = False
    core.state.belt.counts_per_m = line.encoder_counts_per_m
    return LineController(line, core.state)


def active_rules_text(config: LineConfig, core: LineController) -> str:
    """The text of the rules that the core has active: the journals' word, not line.toml's.

    "" if the file that held it is lost; the core still judges by what it said.
    """
    rules_id = core.state.rule_versions[-1].rules_id
    if rules_id == config.rules_id:
        return config.rules_text
    text = text_of(config.journal_dir, rules_id)
    if not text:
        log.error("no journal has the text of the active rules %s any more", rules_id)
    return text


def file_header(
    config: LineConfig,
    core: LineController,
    rules_text: str,
    software_version: str,
    utc_ns: int,
) -> FileHeader:
    """The first record of a journal file that begins now; `rules_text` is of the active rules."""
    return FileHeader(
        schema=SCHEMA,
        software_version=software_version,
        line=config.line.name,
        settings=config.line,
        rules_id=core.state.rule_versions[-1].rules_id,
        rules_text=rules_text,
        state=encode_state(core.state),
        utc_ns=utc_ns,
    )


def keys_dir(config: LineConfig) -> Path:
    return config.paths.state_dir / "keys"
