import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from controller.declared_lists.database import StoreOwned
from controller.declared_lists.declared import MessageError
from controller.declared_lists.details import lists_by_waybill
from controller.declared_lists.hand_over import (
    HandOverError,
    IntakeConnection,
    document_frame,
)
from controller.declared_lists.intake import main, run_intake
from controller.declared_lists.limits import DOCUMENT_BYTES_MAX
from controller.declared_lists.sources import Source
from controller.declared_lists.store import Store
from controller.wire import (
    FrameBuffer,
    Hello,
    ImportDocument,
    ImportDone,
    ListsImported,
    Refused,
    encode_frame,
)
from tests.declared_lists import ceb

LONG_S = 20.0  # only a hung intake needs as long


@pytest.fixture
def state_dir() -> Iterator[Path]:
    with TemporaryDirectory() as folder:  # a Unix socket's path must be short
        yield Path(folder)


@asynccontextmanager
async def running(state_dir: Path) -> AsyncIterator[None]:
    ready = asyncio.Event()
    async with asyncio.timeout(LONG_S), asyncio.TaskGroup() as tasks:
        intake = tasks.create_task(run_intake(state_dir, ready.set))
        await ready.wait()
        try:
            yield
        finally:
            intake.cancel()


async def send(state_dir: Path, *sources: Source) -> list[ImportDone]:
    def talk() -> list[ImportDone]:
        with IntakeConnection(state_dir / "intake.sock", LONG_S) as intake:
            return [intake.hand_over(source) for source in sources]

    return await asyncio.to_thread(talk)


async def answers_to(state_dir: Path, data: bytes, count: int) -> list[object]:
    reader, writer = await asyncio.open_unix_connection(state_dir / "intake.sock")
    writer.write(data)
    buffer, answers = FrameBuffer(), list[object]()
    while len(answers) < count and (received := await reader.read(1 << 16)):
        answers += buffer.feed(received)
    writer.close()
    await writer.wait_closed()
    return answers


async def until_there(path: Path) -> None:
    while not path.exists():
        await asyncio.sleep(0.02)


async def test_what_is_handed_over_is_durable_when_answered(state_dir: Path) -> None:
    async with running(state_dir):
        done = await send(
            state_dir, Source("l.xml", ceb.a_list()), Source("r.xml", ceb.a_receipt(800))
        )
        (details,) = lists_by_waybill(state_dir / "lists.db", "W1")
    assert [(d.messages, d.lists, d.receipts, d.errors) for d in done] == [
        (1, 1, 0, ()),
        (1, 0, 1, ()),
    ]
    assert done[-1].store_seq == 2
    assert details.status == 800


async def test_faults_come_back_field_by_field(state_dir: Path) -> None:
    async with running(state_dir):
        bad, no_xml, other = await send(
            state_dir,
            Source("bad.xml", ceb.a_list(buyerName=None)),
            Source("text", b"hello"),
            Source("order", ceb.a_list().replace(b"CEB621", b"CEB311")),
        )
    assert [(f.message, f.field, f.why) for f in bad.errors] == [
        ("CEB621 list 1 (W1)", "buyerName", "is missing")
    ]
    assert (bad.messages, bad.lists) == (0, 0)
    assert "not well-formed" in no_xml.errors[0].why
    assert other.other.startswith("CEB311 import order")


async def test_documents_sent_together_are_answered_in_order(state_dir: Path) -> None:
    frames = b"".join(
        encode_frame(ImportDocument(f"{n}", ceb.a_list(logisticsNo=f"W{n}", copNo=f"C{n}")))
        for n in range(40)
    )
    async with running(state_dir):
        answers = await answers_to(state_dir, frames, 40)
    seqs = [answer.store_seq for answer in answers if isinstance(answer, ImportDone)]
    assert seqs == sorted(seqs)
    assert (len(seqs), seqs[-1]) == (40, 40)


async def test_a_large_document_travels_compressed(state_dir: Path) -> None:
    rows: list[ceb.Fields] = [{"gmodel": "m" * 500}] * 99
    large = ceb.lists(*[ceb.inventory(rows, logisticsNo=f"W{n}") for n in range(20)])
    assert 1 << 20 < len(large) < DOCUMENT_BYTES_MAX
    async with running(state_dir):
        (done,) = await send(state_dir, Source("large.xml", large))
        broken = encode_frame(ImportDocument("x", b"not compressed", zlib=True))
        answers = await answers_to(state_dir, broken, 1)
    assert (done.lists, done.errors) == (20, ())
    assert isinstance(answers[0], ImportDone)
    assert answers[0].errors[0].why == "is not what the sender compressed"


def test_a_document_that_fits_no_frame_is_named_before_it_is_sent() -> None:
    noise = Random(1).randbytes(1_500_000)
    with pytest.raises(MessageError, match="too many to hand over"):
        document_frame(Source("noise", noise))


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\0\0\0\1\xc1"])
async def test_a_sender_of_nonsense_is_refused_and_the_next_is_served(
    state_dir: Path, data: bytes
) -> None:
    async with running(state_dir):
        answers = await answers_to(state_dir, data, 1)
        assert isinstance(answers[0], Refused)
        strangers = await answers_to(state_dir, encode_frame(ListsImported(1)), 1)
        assert strangers == [Refused("intake takes no ListsImported")]
        assert len(await send(state_dir, Source("l.xml", ceb.a_list()))) == 1


async def test_a_sender_that_hangs_up_costs_nothing(state_dir: Path) -> None:
    async with running(state_dir):
        _, writer = await asyncio.open_unix_connection(state_dir / "intake.sock")
        writer.write(encode_frame(ImportDocument("l.xml", ceb.a_list()))[:-10])
        writer.close()
        await writer.wait_closed()
        (done,) = await send(state_dir, Source("l.xml", ceb.a_list()))
    assert done.store_seq == 1


async def test_the_watched_folder(state_dir: Path) -> None:
    inbox = state_dir / "inbox"
    async with running(state_dir):
        (inbox / "bad.xml").write_bytes(b"<a>")
        (inbox / "half.xml").write_bytes(
            ceb.lists(ceb.inventory(), ceb.inventory(qty="x", portCode="1"))
        )
        (inbox / "order.xml").write_bytes(ceb.a_list().replace(b"CEB621", b"CEB311"))
        (inbox / "huge.xml").write_bytes(b" " * (DOCUMENT_BYTES_MAX + 1))
        (inbox / "writing.xml.part").write_bytes(ceb.a_list(logisticsNo="W9"))
        (inbox / "link.xml").symlink_to(state_dir / "lists.db")
        (inbox / "list.xml").write_bytes(ceb.a_list(logisticsNo="W2"))
        for name in ("refused/bad.xml", "refused/half.xml", "done/order.xml", "refused/huge.xml"):
            await until_there(inbox / name)
        await until_there(inbox / "done/list.xml")
        (inbox / "list.xml").write_bytes(ceb.a_list(logisticsNo="W3"))
        (inbox / "sentinel.xml").write_bytes(ceb.a_receipt(120))
        await until_there(inbox / "done/sentinel.xml")
    assert "not well-formed" in (inbox / "refused/bad.xml.why").read_text()
    assert (
        "CEB621 list 2 (W1): portCode: has 1 char" in (inbox / "refused/half.xml.why").read_text()
    )
    assert "the limit is" in (inbox / "refused/huge.xml.why").read_text()
    assert (inbox / "done/order.xml.why").read_text().startswith("CEB311 import order")
    assert sorted(file.name for file in inbox.iterdir() if file.is_file()) == [
        "link.xml",
        "writing.xml.part",
    ]
    assert len(list((inbox / "done").glob("list*.xml"))) == 2
    store = state_dir / "lists.db"
    assert [len(lists_by_waybill(store, w)) for w in ("W1", "W2", "W3", "W9")] == [1, 1, 1, 0]


async def test_every_line_is_woken_after_an_import(state_dir: Path) -> None:
    heard: asyncio.Queue[list[object]] = asyncio.Queue()

    async def line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await heard.put(FrameBuffer().feed(await reader.read(-1)))
        writer.close()

    deaf = socket.socket(socket.AF_UNIX)
    deaf.bind(str(state_dir / "line-deaf.sock"))  # nobody listens there
    servers = [
        await asyncio.start_unix_server(line, state_dir / f"line-{n}.sock") for n in ("a", "b")
    ]
    async with running(state_dir):
        await send(state_dir, Source("l.xml", ceb.a_list()))
        for _ in servers:
            hello, imported = await heard.get()
            assert isinstance(hello, Hello)
            assert hello.role == "intake"
            assert imported == ListsImported(1)
    for server in servers:
        server.close()
        await server.wait_closed()
    deaf.close()


async def test_what_lies_in_the_inbox_is_taken_after_a_restart(state_dir: Path) -> None:
    (state_dir / "inbox").mkdir()
    (state_dir / "inbox" / "list.xml").write_bytes(ceb.a_list())
    for _ in range(2):
        async with running(state_dir):
            await until_there(state_dir / "inbox/done/list.xml")
    assert len(lists_by_waybill(state_dir / "lists.db", "W1")) == 1


async def test_a_second_intake_is_refused(state_dir: Path) -> None:
    with Store(state_dir / "lists.db"), pytest.raises(StoreOwned):
        await run_intake(state_dir, lambda: None)


def test_a_second_intake_process_says_so_and_ends(
    state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Store(state_dir / "lists.db"):
        assert main(["--state-dir", str(state_dir)]) == 1
    assert "another process is writing the list store" in capsys.readouterr().err


def test_no_intake_is_said_in_one_sentence(state_dir: Path) -> None:
    with pytest.raises(HandOverError, match="intake does not answer"):
        IntakeConnection(state_dir / "intake.sock")


async def test_what_was_answered_survives_a_kill(state_dir: Path) -> None:
    intake = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "controller.declared_lists.intake"),
        *("--state-dir", str(state_dir)),
    )
    async with asyncio.timeout(LONG_S):
        await until_there(state_dir / "intake.sock")
        frames = [
            encode_frame(ImportDocument("x", ceb.a_list(logisticsNo=f"W{n}", copNo=f"C{n}")))
            for n in range(200)
        ]
        answers = await answers_to(state_dir, b"".join(frames), 50)
        intake.kill()
        await intake.wait()
    with Store(state_dir / "lists.db") as store:
        assert store.store_seq() >= len(answers) >= 50
    for n in range(len(answers)):
        assert len(lists_by_waybill(state_dir / "lists.db", f"W{n}")) == 1
