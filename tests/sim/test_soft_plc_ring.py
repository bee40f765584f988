"""The ring, the life sign and the start: what the PLC writes, in which order, and for whom."""

import pytest

from controller.core import events
from controller.core.vocabulary import BeltCause, PlcStateBit
from plc import register_map as m
from plc.record_codec import crc16_modbus, u32_at, u32_words, words_bytes
from sim.plc_ring import Registers, Ring
from sim.plc_rows import PlcSettings
from sim.world import WorldSettings
from tests.sim.plc_rig import Host, Rig, parcels


def ring(first_seq: int = 1) -> Ring:
    return Ring(Registers(), boot_id=7, next_seq=first_seq)


def push(one: Ring, count: int = 1) -> None:
    for _ in range(count):
        one.push(events.LaneSeen, 5, 1, 100, 200)


def test_commit_order_is_the_map_s() -> None:
    one = ring()
    push(one)
    at = m.R_ADDRESS + m.R_SLOT_REGISTERS
    written = [(write.address, len(write.words)) for write in one.registers.commits]
    assert written == [
        (at + m.R_SEQ_BEGIN, 2),
        (at + m.R_KIND, m.R_CRC - m.R_KIND),
        (at + m.R_CRC, 1),
        (at + m.R_SEQ_END, 2),
        (at + m.R_SEQ_BEGIN, 2),
        (m.H_HEAD_SEQ, 2),
        (m.H_HEAD_COPY, 2),
    ]
    assert one.registers.commits[0].words == (0, 0)
    slot = one.registers.image[at : at + m.R_SLOT_REGISTERS]
    assert crc16_modbus(words_bytes(slot[: m.R_CRC])) == slot[m.R_CRC]


def test_only_acknowledged_slots_are_overwritten() -> None:
    one = ring()
    push(one, m.R_SLOTS)
    before = list(one.registers.image[m.R_ADDRESS :])
    push(one, 3)
    assert one.registers.image[m.R_ADDRESS :] == before
    assert one.registers.image[m.H_OVERFLOW_COUNT] == 3
    one.acknowledge(2, 2 ^ 0xFFFF_FFFF)
    push(one, 3)
    assert one.next_seq == m.R_SLOTS + 3
    assert one.overflow_count == 4


@pytest.mark.parametrize(
    ("ack", "complement", "accepted"),
    [
        (3, 3 ^ 0xFFFF_FFFF, 3),
        (3, 3 ^ 0xFFFF_FFFE, 0),
        (3, 0, 0),
        (0, 0xFFFF_FFFF, 0),
        (6, 6 ^ 0xFFFF_FFFF, 0),  # beyond head
    ],
)
def test_ack_counts_only_if_complementary_and_in_range(
    ack: int, complement: int, accepted: int
) -> None:
    one = ring()
    push(one, 5)
    one.acknowledge(ack, complement)
    assert one.accepted_ack == accepted
    assert u32_at(one.registers.image, m.H_ACCEPTED_ACK) == accepted


def test_ack_never_goes_back() -> None:
    one = ring()
    push(one, 5)
    one.acknowledge(4, 4 ^ 0xFFFF_FFFF)
    one.acknowledge(2, 2 ^ 0xFFFF_FFFF)
    assert one.accepted_ack == 4


def test_sequence_wraps_past_zero_without_losing_a_slot_in_use() -> None:
    one = ring(0xFFFF_FFF0)
    seen = []
    for _ in range(200):
        seen.append(one.next_seq)
        push(one)
        last = one.unacknowledged[-1]
        one.acknowledge(last, last ^ 0xFFFF_FFFF)
    assert 0 not in seen
    assert one.overflow_count == 0
    assert seen[16] == 1


def test_boot_clears_decisions_before_it_shows_its_id() -> None:
    rig = Rig()
    rig.memory[m.D_ADDRESS : m.D_ADDRESS + 40] = [9] * 40
    rig.scan()
    order = [(write.address, write.words) for write in rig.outputs.commits]
    cleared = (m.D_ADDRESS, (0,) * (m.D_SLOTS * m.D_SLOT_REGISTERS))
    named = (m.H_BOOT_ID, u32_words(rig.plc.boot_id))
    assert order.index(cleared) < order.index(named) < order.index((m.H_MAGIC, (m.MAGIC,)))
    assert not any(rig.memory[m.D_ADDRESS : m.D_ADDRESS + m.D_SLOTS * m.D_SLOT_REGISTERS])
    assert rig.memory[m.H_MAGIC] == m.MAGIC
    assert rig.memory[m.H_SLOTS : m.H_SLOTS + 2] == [m.R_SLOTS, m.R_SLOT_REGISTERS]
    probe = [m.LAYOUT_VERSION, *u32_words(m.PROBE_U32), *m.PROBE_FLOAT_WORDS]
    assert rig.memory[m.P_ADDRESS : m.P_ADDRESS + 5] == probe


def test_boot_id_is_new_each_start_and_never_zero() -> None:
    rig = Rig()
    ids = set()
    for _ in range(20):
        rig.boot()
        rig.scan()
        ids.add(u32_at(rig.memory, m.H_BOOT_ID))
    assert len(ids) == 20
    assert 0 not in ids


def test_heartbeat_moves_every_scan() -> None:
    rig = Rig()
    beats = []
    for _ in range(5):
        rig.scan()
        beats.append(rig.memory[m.H_HEARTBEAT])
    assert beats == [1, 2, 3, 4, 5]


def test_infeed_stops_at_half_fill_and_the_belt_before_the_ring_is_full() -> None:
    rig = Rig(parcels(60))
    rig.run_ms(3_000)
    rig.host.acknowledges = False
    rig.run_until(lambda: rig.plc.plant.ring.fill >= m.RING_INFEED_STOP_FILL)
    rig.run_ms(20)
    assert not rig.bits() & PlcStateBit.INFEED_RUNNING
    assert rig.bits() & PlcStateBit.BELT_RUNNING
    rig.run_ms(20_000)
    assert rig.plc.plant.ring.overflow_count == 0
    assert rig.plc.plant.ring.fill <= m.R_SLOTS
    rig.host.acknowledges = True
    rig.host.ack = rig.host.next_seq - 1
    rig.finish()
    assert len(rig.lanes()) == 60


def test_belt_stops_with_sixteen_slots_free() -> None:
    rig = Rig(parcels(60))
    rig.run_ms(8_000)
    rig.host.acknowledges = False
    for _ in range(70):
        rig.plc.plant.record(events.DeviceChanged, 9, 0, True, True, False)
    rig.run_until(lambda: not rig.bits() & PlcStateBit.BELT_RUNNING)
    assert rig.plc.plant.ring.fill <= m.R_SLOTS - m.RING_BELT_STOP_FREE + 8
    stop = rig.of(events.BeltChanged)[-1]
    assert stop.cause is BeltCause.RING_FULL
    where = rig.world.belt.counts
    rig.run_ms(1_000)
    assert rig.world.belt.counts == where
    assert rig.plc.plant.ring.overflow_count == 0
    rig.host.acknowledges = True
    rig.host.ack = rig.host.next_seq - 1
    rig.run_ms(100)
    assert rig.bits() & PlcStateBit.BELT_RUNNING


# --- life sign and session ------------------------------------------------------------------------


def test_one_session_is_latched_until_its_life_sign_ends() -> None:
    rig = Rig(parcels(10))
    rig.run_ms(100)
    first = rig.host
    assert rig.plc.host.session == first.session
    assert rig.memory[m.P_ADDRESS + m.P_LATCHED_SESSION_LOW] == first.session & 0xFFFF
    second = Host(session=0x2222_2222, next_seq=first.next_seq, ack=first.ack)
    for turn in range(100):
        rig.host = second if turn % 2 else first
        rig.scan()
        assert rig.plc.host.session == first.session
    rig.host = second
    rig.run_ms(390)
    assert rig.plc.host.session == first.session
    rig.run_ms(40)
    assert rig.plc.host.session == second.session


def test_a_standing_heartbeat_is_no_life_sign() -> None:
    rig = Rig(parcels(10))
    rig.run_ms(3_500)
    rig.host.alive = False
    rig.run_ms(390)
    assert rig.bits() & PlcStateBit.SESSION_LATCHED
    rig.run_ms(20)
    bits = rig.bits()
    assert bits & PlcStateBit.WATCHDOG_TRIPPED
    assert not bits & PlcStateBit.SESSION_LATCHED
    assert not bits & PlcStateBit.INFEED_RUNNING
    assert bits & PlcStateBit.BELT_RUNNING
    rig.host.alive = True
    rig.run_ms(50)
    assert not rig.bits() & PlcStateBit.WATCHDOG_TRIPPED


def test_nothing_runs_before_a_session_permits_it() -> None:
    rig = Rig(parcels(3))
    rig.host.infeed = rig.host.belt = False
    rig.run_ms(1_000)
    assert rig.world.belt.counts == 0
    rig.host.belt = True
    rig.run_ms(4_000)
    assert rig.world.belt.counts > 3_000
    assert rig.world.inducted == []


def test_a_foreign_session_permits_and_acknowledges_nothing() -> None:
    rig = Rig(parcels(10))
    rig.run_ms(3_500)
    own, acked = rig.host, rig.plc.plant.ring.accepted_ack
    rig.host = Host(session=99, infeed=False, belt=False, next_seq=own.next_seq, ack=own.ack)
    rig.run_ms(200)
    assert rig.bits() & PlcStateBit.BELT_RUNNING
    assert rig.plc.plant.ring.accepted_ack == acked


def test_the_infeed_waits_until_new_parcels_find_the_gates_free() -> None:
    rig = Rig(parcels(5))
    rig.release_all()
    rig.run_until(lambda: bool(rig.world.inducted))
    assert rig.world.belt.counts >= 2_400
    rig.finish()
    assert set(rig.lanes().values()) == {1}


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (WorldSettings(encoder_start_counts=0xFFFF_E000), PlcSettings()),
        (WorldSettings(), PlcSettings(first_ring_seq=0xFFFF_FF80)),
        (WorldSettings(), PlcSettings(first_track_id=0xFFFF_FFFC)),
        (WorldSettings(), PlcSettings(first_trigger_no=0xFFFF_FFFC)),
    ],
    ids=["encoder", "ring", "track", "trigger"],
)
def test_every_counter_may_wrap(options: WorldSettings, numbers: PlcSettings) -> None:
    rig = Rig(parcels(30), options=options, numbers=numbers)
    rig.release_all()
    rig.finish()
    assert list(rig.lanes().values()) == [1] * 30
    assert rig.plc.plant.ring.overflow_count == 0
    triggers = [r.trigger_no for r in rig.of(events.Triggered)]
    first = numbers.first_trigger_no
    assert triggers == [(first + n) % (1 << 32) for n in range(30)]
