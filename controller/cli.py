"""`parcelgate`: finds the command, runs it, and turns every expected failure into one sentence.

A command comes from the package that does its work: a function takes argparse's subparsers and adds a
parser whose default `run` is `Callable[[Namespace], int]`. Only the package of the command that is
called gets imported, so that `verify` never pays for pictures. Exit codes: 0 all holds, 1 something
does not, 2 wrong use or configuration, 130 stopped from the keyboard.
"""

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points, version

from controller.config import ConfigError
from controller.supervisor import SupervisorError

OK, NOT_OK, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

Register = Callable[["argparse._SubParsersAction[argparse.ArgumentParser]"], None]

# Commands of the product by the module whose `register` adds them; more come by entry point.
_MODULES = {
    "controller.run_command": ("run",),
    "controller.declared_lists.commands": ("import", "lookup"),
    "controller.journal.commands": ("replay", "verify"),
    "controller.rules.commands": ("rules",),
    "controller.runtime.commands": ("line",),
    "controller.audit.commands": ("export",),
    "plc.commands": ("certificates",),
    "plc.conformance.commands": ("conformance",),
    "controller.check.commands": ("check",),
}
_ENTRY_POINT_GROUP = "parcelgate.commands"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; `argv` without the program's name. Never raises for what a person did."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _parser(arguments[0] if arguments else "")
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    except SupervisorError as error:
        print(error, file=sys.stderr)
        return NOT_OK
    except BrokenPipeError:  # `| head` has read enough
        sys.stderr.close()
        return NOT_OK
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"{place}{error.strerror or error}.", file=sys.stderr)
        return NOT_OK
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="parcelgate",
        description="The open inspection controller for cross-border parcel lines.",
    )
    parser.add_argument(
        "--version", action="version", version=f"parcelgate {version('parcelgate')}"
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for register in _contributions(command):
        register(subparsers)
    return parser


def _contributions(command: str) -> list[Register]:
    """What adds `command`, or everything where help is asked for or the command is unknown."""
    modules = {name: module for module, names in _MODULES.items() for name in names}
    entries = {entry.name: entry for entry in entry_points(group=_ENTRY_POINT_GROUP)}
    if command == "--version":
        return []
    if command in modules:
        return [importlib.import_module(modules[command]).register]
    if command in entries:
        return [entries[command].load()]
    loaded: list[Register] = [importlib.import_module(module).register for module in _MODULES]
    return loaded + [entry.load() for _, entry in sorted(entries.items())]


if __name__ == "__main__":
    sys.exit(main())
