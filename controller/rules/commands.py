"""`parcelgate rules activate FILE | show | rollback`: which rules a line judges by, without a restart.

Parcels keep the rules of their entry. Exit status 0 if it is as asked; 1 if the line does not have
the rules; 2 if the question cannot be asked (a broken file, no such line).
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.clock import SystemClock
from controller.config import ConfigError, parse_rules
from controller.config.activation import activation, activation_of_file
from controller.core.events import RulesActivated
from controller.core.settings import Rules
from controller.core.units import NS_PER_S
from controller.journal.day_file import journal_directory
from controller.journal.reader import NotAJournal
from controller.rules.activating import NotActivated, activate
from controller.rules.history import Version, versions

if TYPE_CHECKING:
    from argparse import _SubParsersAction

DONE, NOT_DONE, CANNOT_TELL = 0, 1, 2
DEFAULT_STATE_DIR = Path("run")
FIRST_RULES = "line.toml, at the line's first start"


def register(subparsers: "_SubParsersAction[ArgumentParser]") -> None:
    """Add `rules`."""
    parser = subparsers.add_parser("rules", help="activate, show or roll back a line's rules")
    verbs = parser.add_subparsers(required=True, metavar="activate | show | rollback")
    activating = verbs.add_parser("activate", help="for every parcel that enters from now on")
    activating.add_argument("file", type=Path, metavar="FILE")
    activating.set_defaults(verb=activate_command)
    showing = verbs.add_parser("show", help="the active rules, since when and by whom")
    showing.set_defaults(verb=show_command)
    back = verbs.add_parser("rollback", help="the rules before the active ones, from the journal")
    back.set_defaults(verb=rollback_command)
    for verb in (activating, showing, back):
        verb.add_argument("--line", metavar="NAME", help="needed where there are several lines")
        verb.add_argument(
            "--state-dir",
            type=Path,
            default=DEFAULT_STATE_DIR,
            metavar="DIR",
            help=f"as in line.toml (default: {DEFAULT_STATE_DIR})",
        )
        verb.add_argument("--json", action="store_true", help="print one JSON object")
        verb.set_defaults(run=_run)
    for verb in (activating, back):
        verb.add_argument("--who", required=True, metavar="PERSON", help="who answers for it")


def _run(options: Namespace) -> int:
    try:
        return int(options.verb(options))
    except NotActivated as error:
        print(f"Not activated: {error}", file=sys.stderr)
        return NOT_DONE
    except (ConfigError, NotAJournal) as error:
        print(error, file=sys.stderr)
        return CANNOT_TELL


def activate_command(options: Namespace) -> int:
    """Activate `options.file`, unless its rules are active already."""
    line = _line(options)
    active = _versions(options, line)[-1]
    event = activation_of_file(options.file, active.text, options.who)
    if event.rules_id == active.rules_id:
        return _print_active(options, line, active, active, "were active already")
    return _activate(options, line, active, event)


def rollback_command(options: Namespace) -> int:
    """Activate the version before the active one. Twice brings the first one back."""
    line = _line(options)
    known = _versions(options, line)
    if len(known) < 2:
        raise ConfigError(f"line {line} has had no other rules than the active ones.")
    active, before = known[-1], known[-2]
    name = f"rules {before.rules_id}"
    if not before.text:
        raise ConfigError(f"the journal does not have the text of {name}; activate its file.")
    return _activate(options, line, active, activation(before.text, name, options.who))


def show_command(options: Namespace) -> int:
    """Print the active version and those before it."""
    line = _line(options)
    known = _versions(options, line)
    if options.json:
        active, *earlier = ({**_version_json(each), "text": each.text} for each in reversed(known))
        print(json.dumps({"line": line, **active, "earlier": earlier}, ensure_ascii=False))
        return DONE
    print(f"line    {line}")
    print(f"active  {known[-1].rules_id}")
    print(f"since   {_utc(known[-1])}")
    print(f"by      {known[-1].who or FIRST_RULES}")
    for version in reversed(known[:-1]):
        print(f"before  {version.rules_id}, since {_utc(version)}, by {version.who or FIRST_RULES}")
    return DONE


def _activate(options: Namespace, line: str, before: Version, event: RulesActivated) -> int:
    line_socket = options.state_dir / f"line-{line}.sock"
    journal = journal_directory(options.state_dir, line)
    active = activate(line_socket, journal, event, SystemClock())
    return _print_active(options, line, before, active, "are active now")


def _print_active(
    options: Namespace, line: str, before: Version, active: Version, words: str
) -> int:
    changes = _changes(before, active)
    if options.json:
        print(json.dumps({"line": line, **_version_json(active), "changes": changes}))
        return DONE
    print(f"Line {line}: rules {active.rules_id} {words} (since {_utc(active)}).")
    for change in changes:
        print(f"  {change['key']}: {change['old']} -> {change['new']}")
    return DONE


def _changes(before: Version, active: Version) -> list[dict[str, str]]:
    """Every value that is another one, as a person would check it."""
    if not before.text or not active.text:
        return []
    old, new = parse_rules(before.text, "before"), parse_rules(active.text, "active")
    pairs = [
        (each.name, getattr(old, each.name), getattr(new, each.name)) for each in fields(Rules)
    ]
    return [{"key": key, "old": str(a), "new": str(b)} for key, a, b in pairs if a != b]


def _line(options: Namespace) -> str:
    """The line that is meant. ConfigError names what there is."""
    journals: Path = options.state_dir / "journal"
    lines = sorted(path.name for path in journals.iterdir()) if journals.is_dir() else []
    asked: str | None = options.line
    if asked is not None and asked in lines:
        return asked
    if asked is None and len(lines) == 1:
        return lines[0]
    if not lines:
        raise ConfigError(f"no line has run in {options.state_dir} (--state-dir).")
    wanted = "name the line with --line" if asked is None else f"there is no line '{asked}'"
    raise ConfigError(f"{wanted}; {options.state_dir} has {', '.join(lines)}.")


def _versions(options: Namespace, line: str) -> list[Version]:
    known = versions(journal_directory(options.state_dir, line))
    if not known:
        raise ConfigError(f"line {line} has no journal yet: it has never run.")
    return known


def _version_json(version: Version) -> dict[str, Any]:
    return {
        "rules_id": version.rules_id,
        "since_utc": _utc(version),
        "who": version.who or FIRST_RULES,
    }


def _utc(version: Version) -> str:
    """To the second; the journal's own numbers are exact."""
    moment = datetime.fromtimestamp(version.since_utc_ns // NS_PER_S, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
