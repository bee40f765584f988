"""`parcelgate export --audit`: one parcel's pass with its proof, for an auditor. See export.py.

Exit status 0 if the export was written, 1 if the journal cannot prove the pass, 2 on wrong use.
"""

import argparse
import json
import sys
from pathlib import Path

from controller.audit.export import NotExported, export_files, find, write_zip
from controller.core.vocabulary import Destination
from controller.journal.reader import NotAJournal

DONE, NOT_DONE = 0, 1
DEFAULT_STATE_DIR = Path("run")


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `export`."""
    parser = subparsers.add_parser("export", help="hand out records with their proof")
    parser.add_argument(
        "--audit", action="store_true", required=True, help="one pass, for an auditor"
    )
    parser.add_argument("--line", required=True, metavar="NAME", help="the line's name")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--waybill", default="", metavar="CODE", help="its newest pass")
    which.add_argument("--pass", dest="pass_no", type=int, metavar="NO", help="this pass")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.zip")
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=DEFAULT_STATE_DIR,
        metavar="DIR",
        help=f"as in line.toml (default: {DEFAULT_STATE_DIR})",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    try:
        found = find(options.state_dir, options.line, options.waybill, options.pass_no)
        files = export_files(options.state_dir, options.line, found)
    except (NotExported, NotAJournal) as error:
        print(f"Not exported: {error}", file=sys.stderr)
        return NOT_DONE
    write_zip(options.out, files)
    verdict = found.verdict
    picture = any(name.startswith("evidence/") for name in files)
    if options.json:
        answer = {
            "file": str(options.out),
            "line": options.line,
            "pass_no": verdict.pass_no,
            "waybill": verdict.waybill,
            "destination": verdict.destination.name,
            "picture": picture,
            "earlier_passes": found.others,
        }
        print(json.dumps(answer, ensure_ascii=False))
        return DONE
    print(f"{options.out}: pass {verdict.pass_no}, {_words(verdict.destination)}.")
    if found.others:
        numbers = ", ".join(map(str, found.others))
        print(f"The same code passed before, as pass {numbers}: export those with --pass.")
    if verdict.picture_sha256 and not picture:
        print(f"The raw picture {verdict.picture_sha256} is no longer kept.")
    print("To check it: python3 verify_audit.py FILE.zip KEY.pub, with a key from elsewhere.")
    return DONE


def _words(destination: Destination) -> str:
    return f"verdict {destination.name.lower()}"
