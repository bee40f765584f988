import argparse
import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from controller.declared_lists.commands import register
from controller.declared_lists.intake import run_intake
from controller.declared_lists.store import Store
from tests.declared_lists import ceb


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:  # a Unix socket's path must be short
        yield Path(name)


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    args = parser.parse_args([str(argument) for argument in arguments])
    return int(args.run(args))


def run_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    status = run(*arguments, "--json")
    return status, json.loads(capsys.readouterr().out)


def test_the_official_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not ceb.SAMPLES.is_dir():
        pytest.skip("the official samples are not on this machine")
    status, report = run_json(capsys, "import", ceb.SAMPLES, "--store", folder / "lists.db")
    assert status == 0
    assert (report["messages"], report["lists"], report["receipts"]) == (2, 10, 10)
    assert report["errors"] == []
    assert len(report["other"]) == 14
    assert all("not for this store yet" in entry["message"] for entry in report["other"])


def test_a_bad_file_among_good_ones(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "good.XML").write_bytes(ceb.a_list())
    (folder / "deep" / ".hidden.xml").write_bytes(b"")
    bad = folder / "bad.xml"
    bad.write_bytes(ceb.lists(ceb.inventory(buyerName=None), ceb.inventory(logisticsNo="W2")))
    missing = folder / "missing.xml"
    status, report = run_json(capsys, "import", folder, missing, "--store", folder / "lists.db")
    assert status == 1
    assert (report["messages"], report["lists"], report["receipts"]) == (2, 2, 0)
    assert sorted(report["errors"], key=lambda error: error["file"]) == [
        {
            "file": str(bad),
            "message": "CEB621 list 1 (W1)",
            "field": "buyerName",
            "why": "is missing",
        },
        {
            "file": str(missing),
            "message": "",
            "field": "",
            "why": "cannot be read: No such file or directory",
        },
    ]


def test_errors_are_sentences_on_stderr(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.xml").write_bytes(ceb.a_list())
    (folder / "b.xml").write_bytes(b"<a>")
    assert run("import", folder, "--store", folder / "lists.db") == 1
    output = capsys.readouterr()
    assert output.out == "1 messages: 1 lists, 0 receipts taken.\n"
    assert output.err.startswith(f"{folder / 'b.xml'}: is not well-formed XML")
    assert output.err.count("\n") == 1


def test_a_store_that_cannot_be_used(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.xml").write_bytes(ceb.a_list())
    (folder / "lists.db").write_text("no database" * 500)
    status, report = run_json(capsys, "import", folder / "a.xml", "--store", folder / "lists.db")
    assert status == 2
    assert report["errors"][0]["why"].endswith("is not a list store")
    assert run("lookup", "W1", "--store", folder / "lists.db") == 2
    assert run("lookup", "W1", "--store", folder / "none.db") == 2
    assert "there is no list store" in capsys.readouterr().err


def test_a_store_whose_owner_does_not_answer(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.xml").write_bytes(ceb.a_list())
    with Store(folder / "lists.db"):
        status, report = run_json(capsys, "import", folder, "--store", folder / "lists.db")
    assert status == 2
    assert "intake does not answer" in report["errors"][0]["why"]


async def test_intake_takes_it_where_it_owns_the_store(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.xml").write_bytes(ceb.a_list())
    (folder / "b.xml").write_bytes(ceb.a_list(buyerName=None))
    (folder / "c.xml").write_bytes(ceb.a_receipt(800))
    store = folder / "lists.db"
    ready = asyncio.Event()
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        intake = tasks.create_task(run_intake(folder, ready.set))
        await ready.wait()
        status, report = await asyncio.to_thread(
            run_json, capsys, "import", folder, "--store", store
        )
        intake.cancel()
    assert status == 1
    assert (report["messages"], report["lists"], report["receipts"]) == (2, 1, 1)
    assert report["errors"][0]["field"] == "buyerName"
    status, found = run_json(capsys, "lookup", "W1", "--store", store)
    assert (status, found["lists"][0]["status"]) == (0, 800)


def test_lookup_for_people(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = folder / "lists.db"
    with Store(store) as opened:
        ceb.take(opened, ceb.a_list(), ceb.a_receipt(500, returnInfo="布控查验"))
    assert run("lookup", "W1", "--store", store) == 0
    text = capsys.readouterr().out
    assert "41019800D4/W1/COP1 (revision 1)" in text
    assert "500 查验 / inspection ordered 2026-01-15 13:00:00" in text
    assert "gross 1.25 kg, net 1.1 kg" in text
    assert "3304990029 面霜, 2 x 99.5" in text
    assert "布控查验" in text
    assert run("lookup", "W2", "--store", store) == 1
    assert "no declared list has the waybill number W2" in capsys.readouterr().out
