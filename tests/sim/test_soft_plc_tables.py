"""Rows of E and T have no CRC: while one is written it names nobody; and an answer stays what it was."""

from controller.core.vocabulary import DecisionResult
from plc import register_map as m
from sim.plc_io import RegisterWrite
from tests.sim.plc_rig import Rig, parcels


def writes_until_answered(rig: Rig, seq: int) -> list[RegisterWrite]:
    writes: list[RegisterWrite] = []
    while seq not in rig.echoes:
        rig.scan()
        writes += rig.outputs.commits
    return writes


def within(writes: list[RegisterWrite], address: int, count: int) -> list[tuple[int, bool]]:
    """Offset in the row, and whether only zeros were written."""
    inside = [w for w in writes if address <= w.address < address + count]
    return [(write.address - address, not any(write.words)) for write in inside]


def test_an_answer_has_no_number_while_it_is_written() -> None:
    rig = Rig(parcels(2))
    rig.to_mm(1, 2_000)
    seq = rig.decide(1)
    row = m.E_ADDRESS + seq % m.E_SLOTS * m.E_SLOT_REGISTERS
    written = within(writes_until_answered(rig, seq), row, m.E_SLOT_REGISTERS)
    assert written == [(m.E_DECISION_SEQ, True), (m.E_TRACK_ID, False), (m.E_DECISION_SEQ, False)]


def test_a_row_of_the_table_has_no_id_while_it_is_written() -> None:
    rig = Rig(parcels(1))
    rig.to_mm(1, 2_000)
    written = within(writes_until_answered(rig, rig.decide(1)), m.T_ADDRESS, m.T_ROW_REGISTERS)
    assert written == [(m.T_TRACK_ID, True), (m.T_ENCODER, False), (m.T_TRACK_ID, False)]


def test_a_decision_that_is_written_again_keeps_its_answer() -> None:
    rig = Rig(parcels(1))
    rig.to_mm(1, 2_000)
    seq = rig.decide(1)
    assert rig.answer(seq) is DecisionResult.ACCEPTED
    first = m.D_ADDRESS + seq % m.D_SLOTS * m.D_SLOT_REGISTERS
    row = slice(first, first + m.D_SLOT_REGISTERS)
    words = rig.memory[row]
    rig.memory[row] = [0] * m.D_SLOT_REGISTERS
    rig.run_ms(30)
    rig.memory[row] = words
    rig.run_ms(30)
    assert rig.echoes[seq] is DecisionResult.ACCEPTED
    rig.finish()
    assert rig.lanes() == {1: 1}
