"""The OPC UA link against PLCs in their own processes, on both client libraries, and each fault by name."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.core.commands import SendDecision
from controller.core.events import DecisionEchoed, PlcConnected, PlcLost
from controller.core.units import U32_MAX
from controller.core.vocabulary import DecisionResult, Destination, LinkFault
from plc import opcua_client
from plc.opcua_legacy import LegacyBackend
from plc.opcua_link import AsyncuaBackend, Backend
from tests.plc.host import SESSION
from tests.plc.opcua_peer import connected_host, running, settings_for
from tests.plc.ringplc_peer import BOOT_ID, FIRST_TRACK_ID, expected_record

MakeBackend = Callable[[], Backend]
both_libraries = pytest.mark.parametrize("library", [AsyncuaBackend, LegacyBackend])


@both_libraries
async def test_every_record_arrives_once_in_order_and_as_written(
    opcua_plcs: Path, library: MakeBackend
) -> None:
    async with running(opcua_plcs, records=400, rate_hz=400, seed=7) as plc:
        async with connected_host(plc.port, backend=library()) as host:
            await host.until(lambda h: plc.all_delivered(h, 400))
            assert host.sequences == list(range(1, len(host.sequences) + 1))
            for record in host.records:
                if record.ring_seq not in plc.own:
                    known = expected_record(7, BOOT_ID, record.ring_seq, record.plc_time_us)
                    assert record == known
    assert isinstance(host.events[0], PlcConnected)
    assert not host.gaps
    assert not host.faults


async def test_sequences_wrap_past_zero(opcua_plcs: Path) -> None:
    start = U32_MAX - 150
    async with running(opcua_plcs, records=300, rate_hz=400, start_seq=start) as plc:
        async with connected_host(plc.port, acknowledge_every=7) as host:
            await host.until(lambda h: plc.all_delivered(h, 300))
            after = len(host.records) - 151
            assert host.sequences == [*range(start, U32_MAX + 1), *range(1, after + 1)]
    assert not host.gaps


@pytest.mark.parametrize(
    ("library", "offered"),
    [
        (AsyncuaBackend, {}),
        (AsyncuaBackend, {"has_method": False}),
        (AsyncuaBackend, {"has_rows": False}),
        (LegacyBackend, {}),
        (LegacyBackend, {"has_method": False}),
    ],
)
async def test_decisions_are_answered_once_by_method_or_rows(
    opcua_plcs: Path, library: MakeBackend, offered: dict[str, bool]
) -> None:
    async with running(opcua_plcs, records=260, rate_hz=400, seed=3, **offered) as plc:
        async with connected_host(plc.port, backend=library(), decides=True) as host:
            await host.until(
                lambda h: plc.all_delivered(h, 260) and len(h.echoes) == len(h.sent) > 20
            )
            echoes = {echo.decision_seq: echo for echo in host.echoes}
            assert sorted(echoes) == sorted(host.sent)
            assert len(echoes) == len(host.echoes)
            accepted = {seq: (track, destination) for seq, track, destination in plc.accepted}
            assert len(accepted) == len(plc.accepted)
            for seq, decision in host.sent.items():
                said = echoes[seq].result
                assert (said is DecisionResult.ACCEPTED) == (seq in accepted)
                if seq in accepted:
                    assert accepted[seq] == (decision.track_id, decision.destination)
    assert not host.faults


async def test_the_plc_says_why_it_refuses(opcua_plcs: Path) -> None:
    async with running(opcua_plcs, records=13, rate_hz=500) as plc:
        async with connected_host(plc.port) as host:
            await host.until(lambda h: plc.all_delivered(h, 13))
            host.decide(FIRST_TRACK_ID + 500, Destination.RELEASE)
            host.decide(FIRST_TRACK_ID, Destination.HOLD, reason=31)
            await host.until(lambda h: len(h.echoes) == 2)
            host.decide(FIRST_TRACK_ID, Destination.RELEASE)
            await host.until(lambda h: len(h.echoes) == 3)
    results = {echo.decision_seq: echo.result for echo in host.echoes}
    assert results == {
        1: DecisionResult.UNKNOWN_ID,
        2: DecisionResult.ACCEPTED,
        3: DecisionResult.REVOKED,
    }


async def test_a_new_host_continues_after_the_accepted_acknowledgement(opcua_plcs: Path) -> None:
    async with running(opcua_plcs, records=60, rate_hz=500) as plc:
        async with connected_host(plc.port, acknowledge_every=40) as first:
            await first.until(lambda h: plc.all_delivered(h, 60))
            first.decide(FIRST_TRACK_ID, Destination.RELEASE)
            await first.until(lambda h: h.echoes)
            polls = first.link.counters.polls
            await asyncio.sleep(0.1)
            assert first.link.counters.polls > polls
        async with connected_host(plc.port, session=SESSION + 1) as second:
            up = await second.until_up()
            await second.until(lambda h: h.records)
    assert (up.next_ring_seq, second.sequences[0]) == (41, 41)
    assert up.decision_seq_max == 1
    # the first host's session stays latched until its life sign ends
    assert set(second.faults) <= {LinkFault.SECOND_HOST}


@both_libraries
async def test_a_killed_plc_is_lost_and_its_successor_found(
    opcua_plcs: Path, library: MakeBackend
) -> None:
    async with running(opcua_plcs, records=40, rate_hz=500) as plc:
        async with connected_host(plc.port, backend=library()) as host:
            await host.until(lambda h: plc.all_delivered(h, 40))
            before = len(host.records)
            plc.kill()
            await host.until_lost(LinkFault.REFUSED)
            options = {"records": 30, "rate_hz": 500, "port": plc.port, "boot_id": 77}
            async with running(opcua_plcs, **options) as reborn:
                await host.until(
                    lambda h: len(h.records) == before + 30 + len(reborn.own), limit_s=15
                )
                assert {record.boot_id for record in host.records[before:]} == {77}
                assert host.faults == [LinkFault.REFUSED]
                assert host.link.counters.reconnects == 1


@both_libraries
async def test_a_frozen_plc_is_lost_and_comes_back_without_loss(
    opcua_plcs: Path, library: MakeBackend
) -> None:
    async with running(opcua_plcs, records=300, rate_hz=200) as plc:
        async with connected_host(plc.port, backend=library()) as host:
            await host.until(lambda h: len(h.records) > 50)
            plc.pause()
            await host.until(lambda h: h.faults)
            await asyncio.sleep(1.2)  # longer than a silent connection is kept
            plc.resume()
            await host.until(lambda h: plc.all_delivered(h, 300), limit_s=15)
    assert host.sequences == list(range(1, len(host.sequences) + 1))
    assert host.faults[0] is LinkFault.NO_ANSWER
    assert not host.gaps


async def test_a_life_sign_standing_still_is_silence(opcua_plcs: Path) -> None:
    async with running(opcua_plcs, records=20, rate_hz=200, mute_after=20) as plc:
        async with connected_host(plc.port) as host:
            await host.until_lost(LinkFault.SILENT)
            assert host.up is None


async def test_a_second_controller_is_refused_and_takes_over_later(opcua_plcs: Path) -> None:
    async with running(opcua_plcs, records=40, rate_hz=100) as plc:
        async with connected_host(plc.port) as first:
            await first.until_up()
            async with connected_host(plc.port, session=SESSION + 1) as second:
                await second.until_lost(LinkFault.SECOND_HOST)
                await first.until(lambda h: plc.all_delivered(h, 40))
                assert second.records == []
                assert first.faults == []
            assert plc.sessions == [SESSION]
        async with connected_host(plc.port, session=SESSION + 2) as third:
            await third.until_up()


@pytest.mark.parametrize(
    ("library", "plc_has", "we_want"),
    [
        (AsyncuaBackend, {"namespace_uri": "urn:somebody:else"}, {}),
        (AsyncuaBackend, {"node_prefix": "L2."}, {}),
        (AsyncuaBackend, {}, {"node_prefix": ""}),
        (AsyncuaBackend, {"has_method": False, "has_rows": False}, {}),
        (AsyncuaBackend, {"layout": 99}, {}),
        (LegacyBackend, {"namespace_uri": "urn:somebody:else"}, {}),
        (LegacyBackend, {"node_prefix": "L2."}, {}),
    ],
)
async def test_what_is_not_our_map_is_never_written(
    opcua_plcs: Path, library: MakeBackend, plc_has: dict[str, object], we_want: dict[str, str]
) -> None:
    async with running(opcua_plcs, **plc_has) as plc:
        settings = settings_for(plc.port, **we_want)
        async with connected_host(plc.port, settings=settings, backend=library()) as host:
            await host.until_lost(LinkFault.NOT_OUR_MAP)
    assert host.events == [PlcLost(LinkFault.NOT_OUR_MAP)]
    assert plc.sessions == []


async def test_a_closed_port_is_refused_once(unused_tcp_port: int) -> None:
    async with connected_host(unused_tcp_port) as host:
        await host.until_lost(LinkFault.REFUSED)
        await asyncio.sleep(0.6)  # two more attempts
    assert host.events == [PlcLost(LinkFault.REFUSED)]


async def test_a_server_that_speaks_something_else_is_a_fault_and_no_crash() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server, connected_host(server.sockets[0].getsockname()[1]) as host:
        await host.until(lambda h: h.faults)
    assert set(host.faults) <= {
        LinkFault.REFUSED,
        LinkFault.EXCEPTION_ANSWER,
        LinkFault.NO_ANSWER,
    }


async def test_a_method_that_is_never_answered_breaks_the_exchange(opcua_plcs: Path) -> None:
    async with running(opcua_plcs, records=13, rate_hz=500, silent_method=True) as plc:
        async with connected_host(plc.port) as host:
            await host.until(lambda h: plc.all_delivered(h, 13))
            host.decide(FIRST_TRACK_ID, Destination.RELEASE)
            await host.until(lambda h: h.faults)
    assert not host.echoes


async def test_decisions_of_a_broken_exchange_are_never_sent(opcua_plcs: Path) -> None:
    async with running(opcua_plcs, records=13, rate_hz=500) as plc:
        async with connected_host(plc.port) as host:
            await host.until(lambda h: plc.all_delivered(h, 13))
            plc.pause()
            await host.until(lambda h: h.faults)
            stale = SendDecision(9, BOOT_ID, SESSION, FIRST_TRACK_ID, Destination.RELEASE, 0)
            host.link.send(stale)
            plc.resume()
            await host.until_up()
            await asyncio.sleep(0.2)
    assert plc.accepted == []
    assert not [event for event in host.events if isinstance(event, DecisionEchoed)]
    assert host.link.counters.decisions_dropped == 1


async def test_cancelling_ends_the_link_whatever_it_waits_for(opcua_plcs: Path) -> None:
    async with running(opcua_plcs) as plc:
        for turns in range(0, 40, 3):
            async with connected_host(plc.port) as host:
                for _ in range(turns):
                    await asyncio.sleep(0)
                host.link.permit(True, True)
        for turns in range(6):
            async with connected_host(plc.port) as host:
                await host.until_up()
                for _ in range(turns):
                    await asyncio.sleep(0)


async def test_a_dead_helper_process_is_replaced(opcua_plcs: Path) -> None:
    backend = LegacyBackend()
    async with running(opcua_plcs, records=300, rate_hz=400) as plc:
        async with connected_host(plc.port, backend=backend) as host:
            await host.until(lambda h: len(h.records) > 20)
            assert backend._child is not None
            backend._child._process.kill()
            await host.until_lost(LinkFault.REFUSED)
            await host.until(lambda h: plc.all_delivered(h, 300), limit_s=15)
    assert host.sequences == list(range(1, len(host.sequences) + 1))


async def test_our_hello_names_limits_that_every_answer_fits() -> None:
    """Part 6, 7.1.2.3: sizes and counts as five little-endian numbers after the message header."""
    said = asyncio.get_running_loop().create_future()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not said.done():
            said.set_result(await reader.readexactly(28))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server, connected_host(server.sockets[0].getsockname()[1]):
        hello = await said
    kind, numbers = hello[:4], memoryview(hello[8:]).cast("I").tolist()
    assert kind == b"HELF"
    _, receive_buffer, send_buffer, message_max, chunks_max = numbers
    assert min(receive_buffer, send_buffer) >= 8_192
    assert message_max == opcua_client._MESSAGE_BYTES_MAX
    assert chunks_max == opcua_client._CHUNKS_MAX
    # node-opcua makes chunks as large as we take, up to 512 KiB, and counts each as if it were full.
    assert message_max >= min(receive_buffer, 512 * 1024)
