"""A rule file on its way to a running line: made whole at the edge, checked again where it arrives.

Nothing is activated that this software does not read, and nothing that may be half a file: a file
that ends within a line, or that no longer says what the active rules say, would fall back on defaults
that nobody chose (docs/decisions/0027).
"""

import hashlib
import tomllib
from pathlib import Path

from controller.config.load import parse_rules
from controller.config.typed_toml import ConfigError, TomlText, read_text
from controller.core.events import RulesActivated

# The line process parses it between two polls: 5 ms for this much, 0.2 ms for the reference rules.
RULES_BYTES_MAX = 16_384
WHO_CHARS_MAX = 100


def activation_of_file(file: Path, active_text: str, who: str) -> RulesActivated:
    """The rules in `file`, to be activated by the person `who`.

    ConfigError: one sentence with file, line and key, if it is broken, too large, ends within a line
    or leaves out a key that the rules active now (`active_text`, "" unknown) state.
    """
    text = read_text(file)
    event = activation(text, file.name, who)
    toml = TomlText(text, file.name)
    keys = list(toml.data)
    if keys and not text.endswith("\n"):
        raise ConfigError(
            f"{file.name}, line {len(text.splitlines())}: the file ends within a line, after the key "
            f"'{keys[-1]}'; it may be half written."
        )
    for key in tomllib.loads(active_text):
        if key not in toml.data:
            raise ConfigError(
                f"{file.name} lacks the key '{key}', which the active rules state; it may be half "
                "written, and a default would take the key's place."
            )
    return event


def activation(text: str, name: str, who: str) -> RulesActivated:
    """A rule text as the event that activates it. ConfigError calls the text `name`."""
    rules_id = hashlib.sha256(text.encode()).hexdigest()
    event = RulesActivated(rules_id, text, parse_rules(text, name), who)
    check_activation(event, name)
    return event


def check_activation(event: RulesActivated, name: str = "rules") -> None:
    """ConfigError unless the event is what `activation` makes of its text."""
    if not event.who.strip() or len(event.who) > WHO_CHARS_MAX or not event.who.isprintable():
        raise ConfigError(f"{name}: a person's name of 1 to {WHO_CHARS_MAX} letters is needed.")
    if len(event.text.encode()) > RULES_BYTES_MAX:
        raise ConfigError(f"{name}: a rule file has at most {RULES_BYTES_MAX:,} bytes.")
    if hashlib.sha256(event.text.encode()).hexdigest() != event.rules_id:
        raise ConfigError(f"{name}: the text is not the one that {event.rules_id} names.")
    if parse_rules(event.text, name) != event.rules:
        raise ConfigError(f"{name}: the text says other rules than were sent with it.")
