"""`python -m controller.records --state-dir DIR`: the records process."""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import apsw

from controller import notify
from controller.records.follower import run_records


async def _until_told(state_dir: Path) -> None:
    """Follow until SIGTERM or SIGINT: the slice in hand is committed or not begun."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(run_records(state_dir, notify.ready))
        waiting = tasks.create_task(told.wait())
        await asyncio.wait((following, waiting), return_when=asyncio.FIRST_COMPLETED)
        following.cancel()
        waiting.cancel()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 stopped in order, 1 the records cannot be written (one sentence on stderr)."""
    parser = argparse.ArgumentParser(prog="parcelgate-records", description="records for people")
    parser.add_argument("--state-dir", type=Path, required=True, help="the lines' state directory")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    code = 0
    try:
        asyncio.run(_until_told(options.state_dir))
    except* (apsw.Error, OSError) as errors:
        sentence = f"records.db in {options.state_dir} cannot be written: {errors.exceptions[0]}"
        sys.stderr.write(sentence + "\n")
        code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
