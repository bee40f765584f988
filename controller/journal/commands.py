"""`parcelgate verify JOURNAL` and `parcelgate replay JOURNAL [--rules NEW.toml]`.

Exit status 0 only if everything holds; 1 if something does not; 2 if the question cannot be asked.
That other rules would judge otherwise is an answer, not a failure.
"""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.config import ConfigError, load_rules
from controller.core.line import LineController
from controller.core.state import CoreState
from controller.core.vocabulary import Destination, Reason
from controller.journal.chain import HASH_BYTES, Head
from controller.journal.day_file import journal_files
from controller.journal.keys import KeyRefused, PublicKeys, key_id, public_keys, read_public_key
from controller.journal.reader import NotAJournal
from controller.journal.records import FileHeader, decode_state
from controller.journal.replay import ReplayReport, replay
from controller.journal.replay_rules import RulesReport, VerdictChange, replay_with_rules
from controller.journal.verify import VerifyReport, verify

if TYPE_CHECKING:
    from argparse import _SubParsersAction

HOLDS, DOES_NOT_HOLD, CANNOT_TELL = 0, 1, 2


def register(subparsers: "_SubParsersAction[ArgumentParser]") -> None:
    """Add `verify` and `replay` to the command line."""
    verifying = subparsers.add_parser("verify", help="check a journal file or a line's directory")
    verifying.add_argument("path", type=Path, metavar="JOURNAL")
    verifying.add_argument(
        "--public-key",
        type=Path,
        action="append",
        metavar="FILE",
        help="key that signed the checkpoints (default: every key in the state directory)",
    )
    verifying.add_argument(
        "--head",
        type=_head,
        metavar="SEQ:HASH",
        help="a head that was kept elsewhere; the journal must go through it",
    )
    verifying.add_argument("--json", action="store_true", help="print one JSON object")
    verifying.set_defaults(run=verify_command)
    replaying = subparsers.add_parser("replay", help="replay a journal through the core")
    replaying.add_argument("path", type=Path, metavar="JOURNAL")
    replaying.add_argument(
        "--rules",
        type=Path,
        metavar="NEW.toml",
        help="name every parcel that these rules would have judged otherwise",
    )
    replaying.add_argument("--json", action="store_true", help="print one JSON object")
    replaying.set_defaults(run=replay_command)


def verify_command(args: Namespace) -> int:
    """Check `args.path` and print what was found."""
    try:
        keys = _keys(args.path, args.public_key)
    except KeyRefused as error:
        return _cannot(str(error))
    if missing := _missing(args.path):
        return _cannot(missing)
    report = verify(args.path, keys, args.head)
    if args.json:
        _print_json(_verify_json(report))
    else:
        _print_verify(report)
    return HOLDS if report.ok else DOES_NOT_HOLD


def replay_command(args: Namespace) -> int:
    """Replay `args.path` and print how the core of today differs from the recorded one."""
    if missing := _missing(args.path):
        return _cannot(missing)
    try:
        if args.rules is not None:
            return _replay_with_rules(args)
        report = replay(args.path, line_core, version("parcelgate"))
    except (NotAJournal, ConfigError) as error:
        return _cannot(str(error))
    if args.json:
        _print_json(asdict(report))
    else:
        _print_replay(report)
    return DOES_NOT_HOLD if report.differences else HOLDS


def _replay_with_rules(args: Namespace) -> int:
    rules, rules_id, _ = load_rules(args.rules)
    report = replay_with_rules(args.path, rules, line_core, version("parcelgate"))
    if args.json:
        _print_json({"rules_id": rules_id, **_rules_json(report), **asdict(report.recorded)})
    else:
        _print_rules(report)
        _print_replay(report.recorded)
    return DOES_NOT_HOLD if report.recorded.differences else HOLDS


def line_core(header: FileHeader) -> LineController:
    """The line's core in the state a file begins with. NotAJournal if the state is not readable."""
    try:
        state = decode_state(header.state, CoreState)
    except ValueError as error:
        raise NotAJournal(f"the state in the file header cannot be decoded: {error}") from error
    return LineController(header.settings, state)


def _missing(path: Path) -> str:
    if not path.exists():
        return f"there is no {path}"
    if path.is_dir() and not journal_files(path):
        return f"{path} holds no journal"
    return ""


def _keys(path: Path, files: list[Path] | None) -> PublicKeys:
    if files:
        given = [read_public_key(file) for file in files]
        return {key_id(key): key for key in given}
    # state_dir/journal/<line>/<file>, see docs/ARCHITECTURE.md
    directory = path.resolve() if path.is_dir() else path.resolve().parent
    return public_keys(directory.parent.parent / "keys")


def _head(text: str) -> Head:
    number, _, digest = text.partition(":")
    try:
        head = Head(int(number), bytes.fromhex(digest))
    except ValueError as error:
        raise ArgumentTypeError("a head is SEQ:HASH, the hash in hex") from error
    if len(head.hash) != HASH_BYTES:
        raise ArgumentTypeError(f"a hash has {2 * HASH_BYTES} hex digits")
    return head


def _verify_json(report: VerifyReport) -> dict[str, Any]:
    answer = asdict(report)
    answer["head"] = f"{report.head.journal_seq}:{report.head.hash.hex()}"
    return answer


def _print_verify(report: VerifyReport) -> None:
    bad = report.first_bad
    print(f"records    {report.records:,}")
    print(f"ok         {'yes' if report.ok else 'NO'}")
    print(f"first_bad  {f'{bad.file}, {bad.damage}: {bad.why}' if bad else '-'}")
    print(f"head       {report.head.journal_seq}:{report.head.hash.hex()}")
    if report.ok and not report.closed:
        print(
            f"The file has no closing signature and {report.unsigned_records} record(s) after its "
            "last one: it is being written, or its end is missing. Compare the head (--head)."
        )


def _print_replay(report: ReplayReport) -> None:
    print(f"events       {report.events:,}")
    print(f"verdicts     {report.verdicts:,}")
    print(f"differences  {report.differences:,}")
    print(f"written by   {', '.join(report.software_versions)}")
    print(f"replayed by  {report.replayed_by}")
    if report.differences and report.other_software:
        print("Another software wrote this: the differences may be between the two.")
    for difference in report.first_differences[:10]:
        print(f"{difference.file}, event {difference.journal_seq}:")
        print(f"  recorded  {difference.recorded}")
        print(f"  replayed  {difference.replayed}")


def _rules_json(report: RulesReport) -> dict[str, Any]:
    return {
        "parcels": report.parcels,
        "changed": len(report.changes),
        "would_release": [_change_json(change) for change in report.would_release],
        "would_hold": [_change_json(change) for change in report.would_hold],
        "would_redirect": [_change_json(change) for change in report.would_redirect],
        "would_give_other_reasons": [
            _change_json(change) for change in report.would_give_other_reasons
        ],
        "undecided": report.undecided,
    }


def _change_json(change: VerdictChange) -> dict[str, Any]:
    return {
        "waybill": change.waybill,
        "pass_no": change.pass_no,
        "codes": change.codes,
        "old_destination": change.old_destination.name,
        "old_reasons": [reason.name for reason in change.old_reasons],
        "new_destination": change.new_destination.name,
        "new_reasons": [reason.name for reason in change.new_reasons],
    }


def _print_rules(report: RulesReport) -> None:
    print(f"parcels      {report.parcels:,}")
    print(f"changed      {len(report.changes):,}")
    for words, changes in (
        ("would be released", report.would_release),
        ("would be held", report.would_hold),
        ("would go elsewhere", report.would_redirect),
        ("would get other reasons", report.would_give_other_reasons),
    ):
        if changes:
            print(f"{len(changes):,} {words}:")
        for change in changes:
            old = _verdict_text(change.old_destination, change.old_reasons)
            new = _verdict_text(change.new_destination, change.new_reasons)
            named = change.waybill or ", ".join(change.codes) or "no code"
            print(f"  {named}, pass {change.pass_no}: {old} -> {new}")
    if report.undecided:
        print(f"undecided    {report.undecided:,} when the journal ends")


def _verdict_text(destination: Destination, reasons: tuple[Reason, ...]) -> str:
    names = ", ".join(reason.name for reason in reasons)
    return f"{destination.name} ({names})" if names else destination.name


def _print_json(answer: dict[str, Any]) -> None:
    print(json.dumps(answer, ensure_ascii=False))


def _cannot(why: str) -> int:
    print(why, file=sys.stderr)
    return CANNOT_TELL
