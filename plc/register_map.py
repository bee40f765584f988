"""The register map of the exchange as data: docs/plc-interface.md is written from this file.

Addresses are register offsets from the line's base address. 32-bit values hold the high word first,
64-bit values the highest word first. Blocks H, P, E, T and R are written by the PLC, C and D by the
host. All blocks lie under 4,096 registers (a CODESYS limit).
"""

from typing import Final

LAYOUT_VERSION: Final = 1
MAGIC: Final = 0xA5C1
PROBE_U32: Final = 0x0102_0304
PROBE_FLOAT_WORDS: Final = (0x3FC0, 0x0000)  # IEEE 754 single 1.5, high word first

# --- H, PLC -> host -------------------------------------------------------------------------------
H_ADDRESS: Final = 0
H_COUNT: Final = 14
H_MAGIC: Final = 0
H_HEARTBEAT: Final = 1
H_BOOT_ID: Final = 2  # u32, random per PLC start, never 0
H_HEAD_SEQ: Final = 4  # u32, sequence of the newest record, 0 while there is none
H_SLOTS: Final = 6  # N
H_SLOT_REGISTERS: Final = 7  # R
H_ACCEPTED_ACK: Final = 8  # u32
H_OVERFLOW_COUNT: Final = 10
H_STATE_BITS: Final = 11  # PlcStateBit
H_HEAD_COPY: Final = 12  # u32, written after H_HEAD_SEQ; equal or the header is torn

# --- P, PLC -> host -------------------------------------------------------------------------------
P_ADDRESS: Final = 14
P_COUNT: Final = 6
P_LAYOUT: Final = 0
P_U32: Final = 1
P_FLOAT: Final = 3
P_LATCHED_SESSION_LOW: Final = 5  # low word of the latched session, 0 = none; names a second host

# --- E, PLC -> host: answers to decisions, slot = decision_seq mod 16 ------------------------------
E_ADDRESS: Final = 20
E_SLOTS: Final = 16
E_SLOT_REGISTERS: Final = 5
E_DECISION_SEQ: Final = 0  # u32
E_TRACK_ID: Final = 2  # u32
E_RESULT: Final = 4  # DecisionResult

# --- C, host -> PLC -------------------------------------------------------------------------------
C_ADDRESS: Final = 100
C_COUNT: Final = 12
C_HEARTBEAT: Final = 0
C_COMMAND_BITS: Final = 1
C_ACK: Final = 2  # u32
C_ACK_COMPLEMENT: Final = (
    4  # u32, ~ack; taken only if complementary and accepted_ack <= ack <= head
)
C_SESSION: Final = 6  # u32, random per host start, never 0
C_SPARE: Final = (
    8  # 4 registers, 0; in test mode they carry test orders (plc/conformance/test_mode.py)
)

C_BIT_INFEED_PERMIT: Final = 0x0001
C_BIT_BELT_PERMIT: Final = 0x0002
C_BIT_ALARM_RESET: Final = 0x0004

# --- D, host -> PLC: decisions, slot = decision_seq mod 16 -----------------------------------------
D_ADDRESS: Final = 120
D_SLOTS: Final = 16
D_SLOT_REGISTERS: Final = 12
D_BOOT_ID: Final = 0  # u32
D_SESSION: Final = 2  # u32
D_TRACK_ID: Final = 4  # u32
D_DESTINATION: Final = 6  # Destination
D_REASON: Final = 7  # Reason, 0 for a release
D_DECISION_SEQ: Final = 8  # u32, 0 = empty row
D_LAYOUT: Final = 10
D_CRC: Final = 11  # CRC-16/MODBUS over the 11 registers before it, each high byte first

# --- T, PLC -> host: what is on the belt -----------------------------------------------------------
T_ADDRESS: Final = 320
T_ROWS: Final = 48
T_ROW_REGISTERS: Final = 6
T_TRACK_ID: Final = 0  # u32, 0 = free row
T_ENCODER: Final = 2  # u32, encoder counts when the leading edge was at induct
T_LENGTH_MM: Final = 4
T_STATE_DESTINATION: Final = 5  # high byte BeltRowState, low byte Destination

T_STATE_TRACKED: Final = 1
T_STATE_LEASED: Final = 2
T_STATE_DIVERTING: Final = 3
T_STATE_DEFAULTED: Final = 4

# --- R, PLC -> host: the ring, slot = record seq mod N ---------------------------------------------
R_ADDRESS: Final = 640
R_SLOTS: Final = 110
R_SLOT_REGISTERS: Final = 31
R_SEQ_BEGIN: Final = 0  # u32
R_KIND: Final = 2  # RecordKind
R_SOURCE: Final = 3
R_TRACK_ID: Final = 4  # u32
R_ENCODER: Final = 6  # u32
R_PLC_TIME_US: Final = 8  # u64
R_PAYLOAD: Final = 12  # 16 words by kind
R_PAYLOAD_WORDS: Final = 16
R_CRC: Final = 28  # CRC-16/MODBUS over the 28 registers before it, each high byte first
R_SEQ_END: Final = 29  # u32

MAP_REGISTERS: Final = R_ADDRESS + R_SLOTS * R_SLOT_REGISTERS

# Back-pressure by the PLC: infeed stops at half, the belt when only this many slots are free.
RING_INFEED_STOP_FILL: Final = R_SLOTS // 2
RING_BELT_STOP_FREE: Final = 16

# --- timers ----------------------------------------------------------------------------------------
LIFE_SIGN_LIMIT_MS: Final = 400  # both ways
REQUEST_TIMEOUT_MS: Final = 200
POLL_PERIOD_MS: Final = 8  # 5 to 10
SILENCE_RECONNECT_MS: Final = 1_000  # a connection silent for this long is closed and built anew
RECONNECT_PERIOD_MS: Final = 250  # between two attempts while there is no exchange
ECHO_LIMIT_MS: Final = (
    1_000  # a decision written and not answered for this long: the exchange is broken
)
FC3_REGISTERS_MAX: Final = 125
RECORDS_PER_READ: Final = 4
FC16_REGISTERS_MAX: Final = 123
