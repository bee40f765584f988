"""The watched folder: whoever can write a file can hand over a message.

A file is taken when it has not changed for one poll (or was renamed into place); names that begin with
a dot or end in .part or .tmp are left alone. Afterwards it lies in `done/`, or in `refused/` with a
`.why` beside it; it stays where it is while the store cannot take it. Nothing is ever deleted.
"""

import asyncio
import hashlib
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from controller.declared_lists.declared import MessageError
from controller.declared_lists.import_queue import BATCH_MAX
from controller.declared_lists.sources import Source, read_source
from controller.wire import ImportDone, ImportFault

POLL_S = 0.2
_NOT_YET = (".part", ".tmp")

Submit = Callable[[Source], Awaitable["asyncio.Future[ImportDone]"]]
_Stamp = tuple[int, int, int]  # inode, size, mtime_ns

_log = logging.getLogger(__name__)


class Inbox:
    """Feeds the files of `folder` to `submit`."""

    def __init__(self, folder: Path, submit: Submit) -> None:
        self._folder = folder
        self._submit = submit
        self._seen: dict[Path, _Stamp] = {}
        self._stuck: dict[Path, _Stamp] = {}
        self._complaint = ""

    def prepare(self) -> None:
        """Make the folders. OSError if that cannot be."""
        for folder in (self._folder, self._folder / "done", self._folder / "refused"):
            folder.mkdir(parents=True, exist_ok=True)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            try:
                ready = self._ready()
                while ready:
                    await self._take(ready[:BATCH_MAX])
                    ready = ready[BATCH_MAX:]
                self._complain("")
            except OSError as error:
                self._complain(f"the folder {self._folder} cannot be used: {error.strerror}")

    async def _take(self, paths: list[Path]) -> None:
        futures: list[tuple[Path, asyncio.Future[ImportDone]]] = []
        for path in paths:
            try:
                source = read_source(path)
            except MessageError as error:
                self._file_away(path, (ImportFault("", "", error.why),), "")
                continue
            futures.append((path, await self._submit(Source(path.name, source.data))))
        for path, future in futures:
            done = await future
            if done.store_failed:
                self._complain(done.errors[0].why)
            else:
                self._file_away(path, done.errors, done.other)

    def _ready(self) -> list[Path]:
        """Plain files that stood still since the last poll."""
        present: dict[Path, _Stamp] = {}
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.endswith(_NOT_YET):
                    continue
                if entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
                    present[self._folder / entry.name] = stamp
        before, self._seen = self._seen, present
        return sorted(
            path
            for path, stamp in present.items()
            if before.get(path) == stamp and self._stuck.get(path) != stamp
        )

    def _file_away(self, path: Path, errors: tuple[ImportFault, ...], other: str) -> None:
        place = path.parent / ("refused" if errors else "done")
        lines = [": ".join(filter(None, (e.message, e.field, e.why))) for e in errors]
        try:
            target = _free_name(place, path)
            if lines or other:
                why = target.with_name(target.name + ".why")
                why.write_text("\n".join(lines or [other]) + "\n", encoding="utf-8")
            path.replace(target)
        except OSError as error:
            # It was taken; only its place is wrong. Left alone until somebody touches it.
            self._stuck[path] = self._seen.get(path, (0, 0, 0))
            _log.warning("%s cannot be moved to %s: %s", path, place, error.strerror)

    def _complain(self, sentence: str) -> None:
        if sentence and sentence != self._complaint:
            _log.error("%s", sentence)
        self._complaint = sentence


def _free_name(place: Path, path: Path) -> Path:
    """`place`/name, with a digest of the content where another file has that name already."""
    target = place / path.name
    if not target.exists():
        return target
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:12]
    return place / f"{path.stem}-{digest}{path.suffix}"
