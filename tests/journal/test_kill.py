"""kill -9 of the writing process under load: nothing acknowledged is lost, and the next start knows."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from controller.journal.reader import JournalReader
from controller.journal.recovery import recover
from controller.journal.verify import verify
from tests.journal.story import PUBLIC, Line, restored

_WRITER = """
import sys
from pathlib import Path
from controller.journal.recovery import recover
from tests.journal.story import PUBLIC, Line, restored
directory = Path(sys.argv[1])
found = recover(directory, PUBLIC)
line = Line(directory, found.start, restored(found))
def on_durable(seq):
    sys.stdout.write(f"{seq}\\n")
    sys.stdout.flush()
    line.heard.on_durable(seq)
line.writer._committer._on_durable = on_durable
line.begin()
number = 1000
while True:
    number += 1
    line.run([number])
    if number % 50 == 0:
        line.snapshot()
    if number % 200 == 0:
        line.heard.durable(line.seq)
"""


_ONE_COMMIT_A_LINE = """
import sys
from pathlib import Path
from controller.journal.recovery import recover
from tests.journal.story import PUBLIC, Line, restored
directory = Path(sys.argv[1])
found = recover(directory, PUBLIC)
line = Line(directory, found.start, restored(found))
line.begin()
for number in range(1000, 1003):
    line.run([number])
    line.heard.durable(line.seq)
    print(line.seq, flush=True)
    sys.stdin.readline()
"""


@pytest.mark.live
def test_commit_that_died_before_the_wal_index_knew_it_never_comes_back(tmp_path: Path) -> None:
    """A reader (the records process) keeps the old wal-index alive over the writer's death."""
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", _ONE_COMMIT_A_LINE, str(tmp_path)],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stdin is not None
    known = int(process.stdout.readline())
    (path,) = tmp_path.glob("*.journal")
    reader = JournalReader(path)
    assert reader.last() is not None
    index = path.with_name(path.name + "-shm")
    before = index.read_bytes()
    process.stdin.write(b"\n")
    process.stdin.flush()
    assert int(process.stdout.readline()) > known  # its frames are in the WAL file now
    process.send_signal(signal.SIGKILL)
    process.wait()
    with index.open("r+b") as shared:
        shared.write(before)  # as if it had died a moment earlier
    found = recover(tmp_path, PUBLIC)
    assert found.start.head.journal_seq == known
    line = Line(tmp_path, found.start, restored(found))
    line.begin()
    assert line.writer.close()
    reader.close()  # the last one: from here on SQLite rebuilds the index from the WAL file
    for pipe in (process.stdin, process.stdout):
        pipe.close()
    report = verify(tmp_path, PUBLIC)
    assert report.ok, report.first_bad


@pytest.mark.live
def test_kill_minus_nine_loses_nothing_acknowledged(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    for acknowledgements in (1, 2, 7, 20, 45, 80):
        process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path)], cwd=root, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        for _ in range(acknowledgements):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        acked = [int(line) for line in process.stdout.read().split(b"\n") if line.strip()]
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
        found = recover(tmp_path, PUBLIC)
        assert not found.set_aside
        assert found.start.head.journal_seq >= max(acked, default=1)
    report = verify(tmp_path, PUBLIC)
    assert report.ok, report.first_bad
    assert report.head.journal_seq == found.start.head.journal_seq
    assert not report.closed
    line = Line(tmp_path, found.start, restored(found))
    line.begin()
    assert line.writer.close()
    assert verify(tmp_path, PUBLIC).closed
