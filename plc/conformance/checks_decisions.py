"""Checks of decision rows that concern no parcel: what must be refused, and by which answer."""

from controller.core.units import U32_MAX
from controller.core.vocabulary import DecisionResult, Destination
from plc import register_map as m
from plc.conformance.bench import Bench
from plc.conformance.checks_session import latched, no_session
from plc.conformance.duties import Duty, DutyFailed
from plc.record_codec import crc16_modbus, u32_at, words_bytes

# Far from any tracking id in use; 0 is none.
UNKNOWN_TRACK_ID = 0xFFFF_FFF0
_ECHO_WATCHED_MS = 200


async def expect(
    bench: Bench, duty: Duty, row: list[int], allowed: tuple[DecisionResult, ...], what: str
) -> None:
    """DutyFailed unless the PLC answers `row` with one of `allowed`. `what` names the row."""
    result = await bench.submit(row)
    if result not in allowed:
        seq = u32_at(row, m.D_DECISION_SEQ)
        place = bench.at(m.E_ADDRESS + seq % m.E_SLOTS * m.E_SLOT_REGISTERS + m.E_RESULT)
        wanted = " or ".join(f"{each.value} ({_words(each)})" for each in allowed)
        raise DutyFailed(duty, f"{what} was answered {result} in {place}, not {wanted}.")


def _words(result: DecisionResult) -> str:
    return result.name.lower().replace("_", " ")


async def bad_crc(bench: Bench) -> None:
    row = bench.decision(UNKNOWN_TRACK_ID)
    row[m.D_CRC] ^= 0x0100
    bad = (DecisionResult.BAD_CRC,)
    await expect(bench, Duty.CRC, row, bad, "a decision row with a wrong CRC")


async def wrong_layout(bench: Bench) -> None:
    row = bench.decision(UNKNOWN_TRACK_ID)
    row[m.D_LAYOUT] += 1
    row[m.D_CRC] = crc16_modbus(words_bytes(row[: m.D_CRC]))
    bad = (DecisionResult.BAD_CRC,)
    await expect(bench, Duty.CRC, row, bad, "a decision row of another layout")


async def misplaced(bench: Bench) -> None:
    """A row that stands where its sequence does not belong is bad, and answered in its own row of E."""
    row = bench.decision(UNKNOWN_TRACK_ID)
    seq = u32_at(row, m.D_DECISION_SEQ)
    slot = (seq + 1) % m.D_SLOTS
    place = bench.at(m.E_ADDRESS + slot * m.E_SLOT_REGISTERS)
    answers: list[tuple[int, int, int]] = []

    def answered() -> bool:
        answers.append(bench.echo(slot))
        return answers[-1][0] == seq and answers[-2:] == [answers[-1]] * 2

    await bench.wire.write(m.D_ADDRESS + slot * m.D_SLOT_REGISTERS, row)
    if not await bench.until(answered, m.ECHO_LIMIT_MS):
        raise DutyFailed(
            Duty.CRC,
            f"decision {seq} stood in D row {slot}, where it does not belong, and was not answered in "
            f"{place} within {m.ECHO_LIMIT_MS} ms.",
        )
    if answers[-1][2] != DecisionResult.BAD_CRC:
        raise DutyFailed(
            Duty.CRC,
            f"decision {seq} stood in D row {slot}, where it does not belong, and was answered "
            f"{answers[-1][2]} in {place}, not 4 (bad crc).",
        )
    # the row it stood in is free again for the decision that belongs there
    await bench.submit(bench.decision(UNKNOWN_TRACK_ID))


async def foreign_boot(bench: Bench) -> None:
    row = bench.decision(UNKNOWN_TRACK_ID, boot_id=bench.whole.boot_id ^ 1)
    foreign = (DecisionResult.WRONG_BOOT_OR_SESSION,)
    await expect(bench, Duty.STRANGER, row, foreign, "a decision for another boot id")


async def foreign_session(bench: Bench) -> None:
    row = bench.decision(UNKNOWN_TRACK_ID, session=bench.session ^ 0x0001_0000)
    foreign = (DecisionResult.WRONG_BOOT_OR_SESSION,)
    what = "a decision of another session (same low word)"
    await expect(bench, Duty.STRANGER, row, foreign, what)


async def decision_without_session(bench: Bench) -> None:
    """While nothing is latched, nobody may decide, a row with session 0 least of all."""
    await no_session(bench)
    foreign = (DecisionResult.WRONG_BOOT_OR_SESSION,)
    for session in (bench.session, 0):
        row = bench.decision(UNKNOWN_TRACK_ID, session=session)
        what = f"a decision of session {session:#010x} while no session is latched"
        await expect(bench, Duty.STRANGER, row, foreign, what)
    await latched(bench)


async def unknown_parcel(bench: Bench) -> None:
    for track_id in (UNKNOWN_TRACK_ID, 0):
        row = bench.decision(track_id)
        unknown = (DecisionResult.UNKNOWN_ID,)
        what = f"a decision for tracking id {track_id:#x}, which is not on the belt,"
        await expect(bench, Duty.UNKNOWN, row, unknown, what)


async def one_answer(bench: Bench) -> None:
    """The answer names its decision and stays; the same sequence again is done already."""
    row = bench.decision(UNKNOWN_TRACK_ID)
    await bench.submit(row)
    await bench.poll()
    seq = u32_at(row, m.D_DECISION_SEQ)
    answer = bench.echo(seq)
    place = bench.at(m.E_ADDRESS + seq % m.E_SLOTS * m.E_SLOT_REGISTERS)
    if answer[:2] != (seq, UNKNOWN_TRACK_ID):
        raise DutyFailed(
            Duty.ANSWER,
            f"the answer in {place} names decision {answer[0]} and parcel {answer[1]:#x}, not {seq} and "
            f"{UNKNOWN_TRACK_ID:#x}.",
        )
    if not bench.wire.has_rows:
        return  # a call is answered once by its nature
    again = bench.decision(UNKNOWN_TRACK_ID, seq=seq, boot_id=bench.whole.boot_id ^ 1)
    await bench.wire.write(m.D_ADDRESS + seq % m.D_SLOTS * m.D_SLOT_REGISTERS, again)
    if await bench.until(lambda: bench.echo(seq) != answer, _ECHO_WATCHED_MS):
        raise DutyFailed(
            Duty.ANSWER,
            f"decision {seq} was answered in {place}, and when its row came again it was judged again.",
        )


async def zero_row(bench: Bench) -> None:
    """A row of zeros, and one with everything but a sequence, are no decision."""
    rows = ([0] * m.D_SLOT_REGISTERS, bench.decision(UNKNOWN_TRACK_ID, Destination.HOLD, seq=0))
    for row in rows:
        await bench.wire.write(m.D_ADDRESS, row)
        before = bench.echo(0)
        if await bench.until(lambda before=before: bench.echo(0) != before, _ECHO_WATCHED_MS):  # type: ignore[misc]
            raise DutyFailed(
                Duty.EMPTY,
                f"an empty row in {bench.at(m.D_ADDRESS)} (decision sequence 0) was answered in "
                f"{bench.at(m.E_ADDRESS)}.",
            )


async def acknowledgement(bench: Bench) -> None:
    """Only complementary, not before the accepted one, not beyond the head."""
    await bench.run_ms(50)
    head, accepted = bench.whole.head_seq, bench.whole.accepted_ack
    beyond = head % U32_MAX + 1
    wrong: list[tuple[int, int | None, str]] = [(beyond, None, f"beyond the head {head}")]
    if accepted > 1:
        wrong.append((accepted - 1, None, f"older than the accepted {accepted}"))
    broken = "whose complement does not fit"
    wrong += [(head, ~head & U32_MAX ^ 0x0001_0000, broken), (head, 0, broken), (beyond, 0, broken)]
    bench.acknowledges = False
    for ack, complement, why in wrong:
        await _not_taken(bench, accepted, ack, complement, why)
    if not bench.in_test_mode:
        return  # these records are for the line's journal
    bench.acknowledges, bench.ack = True, bench.next_seq - 1
    if not await bench.until(lambda: bench.whole.accepted_ack == bench.ack):
        raise DutyFailed(
            Duty.ACK,
            f"the acknowledgement {bench.ack} in {bench.at(m.C_ADDRESS + m.C_ACK)} is right, but "
            f"{bench.at(m.H_ACCEPTED_ACK)} stays {bench.whole.accepted_ack}.",
        )


async def _not_taken(
    bench: Bench, accepted: int, ack: int, complement: int | None, why: str
) -> None:
    for beat in range(10):
        await bench.write_c(bench.c_words(ack=ack, complement=complement, heartbeat=beat))
        await bench.wire.pause(2 * m.POLL_PERIOD_MS)
        await bench.look()
        if bench.whole.accepted_ack != accepted:
            raise DutyFailed(
                Duty.ACK,
                f"the PLC took acknowledgement {ack} in {bench.at(m.C_ADDRESS + m.C_ACK)}, {why}: "
                f"{bench.at(m.H_ACCEPTED_ACK)} must stay {accepted}.",
            )
