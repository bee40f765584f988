"""The Modbus link against an independent C PLC: delivery, decisions, and each fault by its name."""

import asyncio
from pathlib import Path

from controller.core.commands import SendDecision
from controller.core.events import DecisionEchoed, PlcConnected, PlcLost, PlcStateSeen
from controller.core.units import U32_MAX
from controller.core.vocabulary import DecisionResult, Destination, LinkFault, PlcStateBit
from tests.plc.host import SESSION, connected_host
from tests.plc.ringplc_peer import BOOT_ID, FIRST_TRACK_ID, expected_record, running


async def test_every_record_arrives_once_in_order_and_as_written(ringplc: Path) -> None:
    async with running(ringplc, records=400, rate_hz=400, seed=7, early_head_permille=100) as plc:
        async with connected_host(plc.port) as host:
            await host.until(lambda h: len(h.records) == 400)
    assert host.sequences == list(range(1, 401))
    for record in host.records:
        assert record == expected_record(7, BOOT_ID, record.ring_seq, record.plc_time_us)
    assert isinstance(host.events[0], PlcConnected)
    assert host.events[0].next_ring_seq == 1
    assert isinstance(host.events[1], PlcStateSeen)
    assert not host.gaps
    assert not host.faults


async def test_sequences_wrap_past_zero(ringplc: Path) -> None:
    async with running(ringplc, records=300, rate_hz=400, start_seq=U32_MAX - 150) as plc:
        async with connected_host(plc.port, acknowledge_every=7) as host:
            await host.until(lambda h: len(h.records) == 300)
    assert host.sequences == [*range(U32_MAX - 150, U32_MAX + 1), *range(1, 150)]
    assert not host.gaps


async def test_full_ring_waits_for_acknowledgement(ringplc: Path) -> None:
    async with running(ringplc, records=400, rate_hz=1000) as plc:
        async with connected_host(plc.port, acknowledge_every=1000) as host:
            await host.until(lambda h: len(h.records) == 110)
            host.acknowledge_every = 1
            host.link.acknowledge(BOOT_ID, 110)
            await host.until(lambda h: len(h.records) == 400)
    assert host.sequences == list(range(1, 401))
    assert plc.counts["backpressure"] > 0


async def test_a_new_host_continues_after_the_accepted_acknowledgement(ringplc: Path) -> None:
    async with running(ringplc, records=60, rate_hz=1000) as plc:
        async with connected_host(plc.port, acknowledge_every=40) as first:
            await first.until(lambda h: len(h.records) == 60)
            polls = first.link.counters.polls
            await asyncio.sleep(0.1)
            assert first.link.counters.polls > polls
        async with connected_host(plc.port, session=SESSION + 1) as second:
            await second.until(lambda h: len(h.records) == 20)
            assert second.up is not None
            assert second.up.next_ring_seq == 41
    assert second.sequences == list(range(41, 61))
    # the first host's session stays latched until its life sign ends
    assert set(second.faults) <= {LinkFault.SECOND_HOST}


async def test_decisions_are_answered_once(ringplc: Path) -> None:
    async with running(ringplc, records=520, rate_hz=500, seed=3) as plc:
        async with connected_host(plc.port, decides=True) as host:
            await host.until(lambda h: len(h.records) == 520 and len(h.echoes) == len(h.sent))
            up = host.up
    assert up is not None
    assert len(host.sent) == 48
    assert sorted(echo.decision_seq for echo in host.echoes) == sorted(host.sent)
    assert all(echo.result is DecisionResult.ACCEPTED for echo in host.echoes)
    assert {seq: (track, dest) for seq, track, dest in plc.accepted} == {
        seq: (d.track_id, d.destination) for seq, d in host.sent.items()
    }


async def test_the_plc_says_why_it_refuses(ringplc: Path) -> None:
    async with running(ringplc, records=13 * 60, rate_hz=2000) as plc:
        async with connected_host(plc.port) as host:
            await host.until(lambda h: len(h.records) == 13 * 60)
            host.decide(FIRST_TRACK_ID, Destination.RELEASE)
            host.decide(FIRST_TRACK_ID + 500, Destination.RELEASE)
            host.decide(FIRST_TRACK_ID + 59, Destination.HOLD, reason=31)
            await host.until(lambda h: len(h.echoes) == 3)
            host.decide(FIRST_TRACK_ID + 59, Destination.RELEASE)
            await host.until(lambda h: len(h.echoes) == 4)
    results = {echo.decision_seq: echo.result for echo in host.echoes}
    assert results == {
        1: DecisionResult.LATE,
        2: DecisionResult.UNKNOWN_ID,
        3: DecisionResult.ACCEPTED,
        4: DecisionResult.ACCEPTED,
    }


async def test_decision_seq_continues_above_block_e(ringplc: Path) -> None:
    async with running(ringplc, records=13, rate_hz=1000) as plc:
        async with connected_host(plc.port) as first:
            await first.until(lambda h: len(h.records) == 13)
            for _ in range(20):
                first.decide(FIRST_TRACK_ID, Destination.RELEASE)
            await first.until(lambda h: len(h.echoes) == 20)
        async with connected_host(plc.port, session=SESSION + 1) as second:
            up = await second.until_up()
    assert up.decision_seq_max == 20
    assert [row.track_id for row in up.on_belt] == [FIRST_TRACK_ID]


async def test_a_second_line_on_the_same_plc_has_its_own_base(ringplc: Path) -> None:
    async with running(ringplc, records=50, rate_hz=1000, base=4096) as plc:
        async with connected_host(plc.port, base_address=4096) as host:
            await host.until(lambda h: len(h.records) == 50)
    assert not host.faults


async def test_plc_restart_brings_a_new_boot(ringplc: Path) -> None:
    async with running(ringplc, records=40, rate_hz=1000) as plc:
        port = plc.port
        async with connected_host(port) as host:
            await host.until(lambda h: len(h.records) == 40)
            plc.kill()
            await host.until_lost(LinkFault.REFUSED)
            async with running(
                ringplc, records=30, rate_hz=1000, port=port, boot_id=77, seed=2
            ) as reborn:
                await host.until(lambda h: len(h.records) == 70)
                assert reborn.port == port
    assert host.sequences == [*range(1, 41), *range(1, 31)]
    assert {record.boot_id for record in host.records[40:]} == {77}
    assert host.faults == [LinkFault.REFUSED]
    assert host.link.counters.reconnects == 1


async def test_stopped_plc_is_lost_and_comes_back_without_loss(ringplc: Path) -> None:
    async with running(ringplc, records=500, rate_hz=250) as plc:
        async with connected_host(plc.port) as host:
            await host.until(lambda h: len(h.records) > 50)
            plc.pause()
            await host.until(lambda h: h.faults)
            await asyncio.sleep(1.2)  # longer than a silent connection is kept
            plc.resume()
            await host.until(lambda h: len(h.records) == 500)
    assert host.sequences == list(range(1, 501))
    assert host.faults[0] is LinkFault.NO_ANSWER
    assert not host.gaps
    assert plc.watchdog_trips >= 1


async def test_life_sign_standing_still_is_silence(ringplc: Path) -> None:
    options = {"records": 20, "rate_hz": 200, "stand_still_after": 20}
    async with running(ringplc, **options) as plc, connected_host(plc.port) as host:
        await host.until_lost(LinkFault.SILENT)
        assert host.up is None
        decision_while_down = len(host.sent)
    assert decision_while_down == 0


async def test_second_controller_is_refused_and_takes_over_later(ringplc: Path) -> None:
    async with running(ringplc, records=40, rate_hz=100) as plc:
        async with connected_host(plc.port) as first:
            await first.until_up()
            async with connected_host(plc.port, session=SESSION + 1) as second:
                await second.until_lost(LinkFault.SECOND_HOST)
                await first.until(lambda h: len(h.records) == 40)
                assert second.records == []
                assert first.faults == []
            assert plc.sessions == [SESSION]
        async with connected_host(plc.port, session=SESSION + 2) as third:
            await third.until_up()
    assert plc.sessions == [SESSION, SESSION + 2]


async def test_wrong_layout_is_not_our_map(ringplc: Path) -> None:
    async with running(ringplc, layout=2) as plc, connected_host(plc.port) as host:
        await host.until_lost(LinkFault.NOT_OUR_MAP)
    assert host.events == [PlcLost(LinkFault.NOT_OUR_MAP)]
    assert plc.sessions == []


async def test_swapped_words_are_named(ringplc: Path) -> None:
    async with running(ringplc, swap_words=1) as plc, connected_host(plc.port) as host:
        await host.until_lost(LinkFault.WORD_ORDER)
    assert host.events == [PlcLost(LinkFault.WORD_ORDER)]


async def test_swapped_bytes_are_named(ringplc: Path) -> None:
    async with running(ringplc, swap_bytes=1) as plc, connected_host(plc.port) as host:
        await host.until_lost(LinkFault.WORD_ORDER)
    assert host.events == [PlcLost(LinkFault.WORD_ORDER)]


async def test_exception_answers_break_the_exchange(ringplc: Path) -> None:
    async with running(ringplc, exception_after=50) as plc, connected_host(plc.port) as host:
        await host.until_lost(LinkFault.EXCEPTION_ANSWER)
    assert host.faults == [LinkFault.EXCEPTION_ANSWER]


async def test_wrong_base_address_is_not_our_map(ringplc: Path) -> None:
    async with running(ringplc) as plc, connected_host(plc.port, base_address=3000) as host:
        await host.until_lost(LinkFault.NOT_OUR_MAP)
    assert plc.sessions == []


async def test_closed_port_is_refused_once(unused_tcp_port: int) -> None:
    async with connected_host(unused_tcp_port) as host:
        await host.until_lost(LinkFault.REFUSED)
        await asyncio.sleep(0.6)  # two more attempts
    assert host.events == [PlcLost(LinkFault.REFUSED)]


async def test_a_record_that_never_becomes_readable_breaks_the_exchange(ringplc: Path) -> None:
    options = {"records": 30, "rate_hz": 500, "corrupt_seq": 12}
    async with running(ringplc, **options) as plc, connected_host(plc.port) as host:
        await host.until_lost(LinkFault.NOT_OUR_MAP)
    assert host.sequences == list(range(1, 12))


async def test_decisions_of_a_broken_exchange_are_never_sent(ringplc: Path) -> None:
    async with running(ringplc, records=13, rate_hz=1000) as plc:
        async with connected_host(plc.port) as host:
            await host.until(lambda h: len(h.records) == 13)
            assert host.up is not None
            before = host.up
            plc.pause()
            stale = host.decide(FIRST_TRACK_ID, Destination.RELEASE)
            await host.until(lambda h: h.faults)
            host.link.send(stale)
            plc.resume()
            up = await host.until_up()
            await asyncio.sleep(0.2)
    assert up.boot_id == before.boot_id
    assert not [event for event in host.events if isinstance(event, DecisionEchoed)]
    assert host.link.counters.decisions_dropped == 2


async def test_watchdog_bit_reaches_the_core(ringplc: Path) -> None:
    async with running(ringplc) as plc, connected_host(plc.port) as host:
        await host.until(lambda h: h.states)
        await host.until(
            lambda h: h.states[-1].state_bits & PlcStateBit.SESSION_LATCHED,
        )


async def test_cancelling_ends_the_link_whatever_it_waits_for(ringplc: Path) -> None:
    """`asyncio.wait_for` inside pymodbus may swallow a cancellation that meets an answer."""
    async with running(ringplc) as plc:
        for turns in range(12):
            async with connected_host(plc.port) as host:
                await host.until_up()
                for _ in range(turns):
                    await asyncio.sleep(0)
                host.link.send(SendDecision(1, BOOT_ID, SESSION, 5, Destination.HOLD, 31))
