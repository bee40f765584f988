"""`parcelgate import PATH...` and `parcelgate lookup CODE`.

`import` writes the store itself, or hands over to the intake process where that owns it. Exit status 0
only if nothing was refused; 1 if something was, or (lookup) nothing was found; 2 if the store cannot be
used at all.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import track

from controller.clock import SystemClock
from controller.declared_lists.database import StoreError, StoreOwned
from controller.declared_lists.declared import MessageError
from controller.declared_lists.details import ListDetails, lists_by_waybill
from controller.declared_lists.hand_over import HandOverError, IntakeConnection
from controller.declared_lists.importing import import_sources
from controller.declared_lists.sources import Source, read_source
from controller.declared_lists.store import Store
from controller.interfaces import Clock
from controller.wire import ImportDone

if TYPE_CHECKING:
    from argparse import _SubParsersAction

TAKEN, REFUSED, NO_STORE = 0, 1, 2
DEFAULT_STORE = Path("run/lists.db")
# Below this an import is over before a bar is worth looking at.
PROGRESS_FILES_MIN = 20
FILES_PER_COMMIT = 16
_SOCKET_NAME = "intake.sock"


def register(subparsers: "_SubParsersAction[ArgumentParser]") -> None:
    """Add `import` and `lookup` to the command line."""
    importing = subparsers.add_parser("import", help="take customs messages (CEB621, CEB622)")
    importing.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="file or folder")
    importing.set_defaults(run=import_command)
    looking = subparsers.add_parser("lookup", help="show the declared lists of a waybill number")
    looking.add_argument("code", metavar="CODE")
    looking.set_defaults(run=lookup_command)
    for parser in (importing, looking):
        parser.add_argument(
            "--store",
            type=Path,
            default=DEFAULT_STORE,
            metavar="FILE",
            help=f"the list store (default: {DEFAULT_STORE})",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")


@dataclass(slots=True)
class _Report:
    """What `--json` prints."""

    messages: int = 0
    lists: int = 0
    receipts: int = 0
    errors: list[dict[str, str]] = field(default_factory=list)
    other: list[dict[str, str]] = field(default_factory=list)

    def add(self, file: str, done: ImportDone) -> None:
        self.messages += done.messages
        self.lists += done.lists
        self.receipts += done.receipts
        for fault in done.errors:
            self.refuse(file, MessageError(fault.message, fault.field, fault.why))
        if done.other:
            self.other.append({"file": file, "message": done.other})

    def refuse(self, file: str, error: MessageError) -> None:
        entry = {"message": error.message, "field": error.field, "why": error.why}
        self.errors.append({"file": file, **entry})


def import_command(args: Namespace, clock: Clock | None = None) -> int:
    """Import every message at `args.paths`; files of a folder are those named .xml."""
    report = _Report()
    sources = _sources(list(_files(args.paths)), report)
    status = TAKEN
    try:
        try:
            with Store(args.store) as store:
                _import_here(store, sources, report, clock or SystemClock())
        except StoreOwned:
            with IntakeConnection(args.store.with_name(_SOCKET_NAME)) as intake:
                _hand_over(intake, sources, report)
    except (StoreError, HandOverError) as error:
        report.refuse(str(args.store), MessageError("", "", str(error)))
        status = NO_STORE
    _print_report(report, args.json)
    return status or (REFUSED if report.errors else TAKEN)


def _import_here(store: Store, sources: Iterable[Source], report: _Report, clock: Clock) -> None:
    waiting = iter(sources)
    while batch := list(islice(waiting, FILES_PER_COMMIT)):
        for imported in import_sources(store, batch, clock.utc_ns()):
            report.add(imported.name, imported.done(0))


def _hand_over(intake: IntakeConnection, sources: Iterable[Source], report: _Report) -> None:
    for source in sources:
        try:
            done = intake.hand_over(source)
        except MessageError as error:
            report.refuse(source.name, error)
            continue
        if done.store_failed:
            raise HandOverError(done.errors[0].why)
        report.add(source.name, done)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(
                file
                for file in path.rglob("*")
                if file.suffix.lower() == ".xml" and not file.name.startswith(".")
            )
        else:
            yield path


def _sources(files: list[Path], report: _Report) -> Iterator[Source]:
    """The files that can be read; one that cannot is in the report and stops nothing."""
    console = Console(stderr=True)
    shown = console.is_terminal and len(files) >= PROGRESS_FILES_MIN
    for path in track(files, "importing", console=console, disable=not shown, transient=True):
        try:
            yield read_source(path)
        except MessageError as error:
            report.refuse(str(path), error)


def _print_report(report: _Report, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(report), ensure_ascii=False))
        return
    print(f"{report.messages} messages: {report.lists} lists, {report.receipts} receipts taken.")
    for entry in report.other:
        print(f"{entry['file']}: {entry['message']}")
    for entry in report.errors:
        print(": ".join(filter(None, entry.values())), file=sys.stderr)


def lookup_command(args: Namespace) -> int:
    """Show what is declared under a waybill number."""
    try:
        found = lists_by_waybill(args.store, args.code)
    except StoreError as error:
        print(error, file=sys.stderr)
        return NO_STORE
    if args.json:
        print(json.dumps({"lists": [asdict(each) for each in found]}, ensure_ascii=False))
    elif found:
        print("\n\n".join(_text_of(each) for each in found))
    else:
        print(f"no declared list has the waybill number {args.code}")
    return TAKEN if found else REFUSED


def _text_of(declared: ListDetails) -> str:
    deleted = ", deleted by its declarant" if declared.deleted else ""
    lines = [
        f"{declared.list_key} (revision {declared.revision}{deleted})",
        f"  status    {declared.status} {declared.status_zh} / {declared.status_en}"
        f" {_time(declared.status_time)}".rstrip(),
        f"  order     {declared.order_no}, mode {declared.trade_mode}, from {declared.country}",
        f"  seller    {declared.ebc_name} on {declared.ebp_name}",
        f"  buyer     {declared.buyer_name}, ID ...{declared.buyer_id_last4}",
        f"  weight    gross {_kg(declared.gross_weight_mg)}, net {_kg(declared.net_weight_mg)}",
    ]
    for row in declared.goods:
        quantity = f"{_decimal(row.qty_e5)} x {_decimal(row.price_e5)}"
        lines.append(f"  goods {row.gnum:<3} {row.gcode} {row.gname}, {quantity}")
    for receipt in declared.receipts:
        doubt = " (may concern another list)" if receipt.doubtful else ""
        lines.append(
            f"  receipt   {_time(receipt.return_time)} {receipt.status} {receipt.status_zh}: "
            f"{receipt.info}{doubt}"
        )
    return "\n".join(lines)


def _time(text: str) -> str:
    """YYYYMMDDhhmmss... as people write it."""
    if len(text) < 14:
        return text
    date, clock = text[:8], text[8:14]
    return f"{date[:4]}-{date[4:6]}-{date[6:]} {clock[:2]}:{clock[2:4]}:{clock[4:]}"


def _decimal(value_e5: int) -> str:
    whole, rest = divmod(value_e5, 100_000)
    return f"{whole}.{rest:05d}".rstrip("0").rstrip(".")


def _kg(mg: int) -> str:
    return "unknown" if mg < 0 else f"{_decimal(mg // 10)} kg"
