"""A core as the journals left it: state, the events after it, and what was wrong with the files."""

import logging
from pathlib import Path

from controller.config import LineConfig
from controller.core.line import LineController
from controller.core.state import CoreState, first_state
from controller.journal.keys import public_keys
from controller.journal.records import SCHEMA, FileHeader, decode_state, encode_state
from controller.journal.recovery import Recovered, recover

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
    if recovered.header is None:
        state = first_state(config.line, config.rules_id, config.rules)
        return LineController(config.line, state), recovered
    core = LineController(recovered.header.settings, decode_state(recovered.state, CoreState))
    for at_ns, event in recovered.events:
        core.handle(at_ns, event)
    if recovered.set_aside:
        # Numbers given out in the lost records must not be given again.
        core.state.next_pass_no += PASS_NO_STEP_AFTER_LOSS
    log.info("recovered: %d events after the last state", len(recovered.events))
    return LineController(config.line, core.state), recovered


def file_header(
    config: LineConfig, core: LineController, software_version: str, utc_ns: int
) -> FileHeader:
    """The first record of a journal file that begins now."""
    return FileHeader(
        schema=SCHEMA,
        software_version=software_version,
        line=config.line.name,
        settings=config.line,
        rules_id=config.rules_id,
        rules_text=config.rules_text,
        state=encode_state(core.state),
        utc_ns=utc_ns,
    )


def keys_dir(config: LineConfig) -> Path:
    return config.paths.state_dir / "keys"
