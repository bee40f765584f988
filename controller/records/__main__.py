"""`python -m controller.records --state-dir DIR`: the records process."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import apsw

from controller import notify
from controller.records.follower import run_records


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 stopped in order, 1 the records cannot be written (one sentence on stderr)."""
    parser = argparse.ArgumentParser(prog="parcelgate-records", description="records for people")
    parser.add_argument("--state-dir", type=Path, required=True, help="the lines' state directory")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(run_records(options.state_dir, notify.ready))
    except KeyboardInterrupt:
        return 0
    except (apsw.Error, OSError) as error:
        sys.stderr.write(f"records.db in {options.state_dir} cannot be written: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
