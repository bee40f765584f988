"""The register map of the exchange as data: docs/plc-interface.md is written from this file.

Addresses are register offsets from the line's base address. 32-bit values hold the high word first,
64-bit values the highest word first. Blocks H, P, E, T and R are written by the PLC, C and D by the
host. All blocks lie under 4,096 registers (a CODESYS limit).
"""

LAYOUT_VERSION = 1
MAGIC = 0xA5C1
PROBE_U32 = 0x0102_0304
PROBE_FLOAT_WORDS = (0x3FC0, 0x0000)  # IEEE 754 single 1.5, high word first

# --- H, PLC -> host -------------------------------------------------------------------------------
H_ADDRESS = 0
H_COUNT = 14
H_MAGIC = 0
H_HEARTBEAT = 1
H_BOOT_ID = 2  # u32, random per PLC start, never 0
H_HEAD_SEQ = 4  # u32, sequence of the newest record, 0 while there is none
H_SLOTS = 6  # N
H_SLOT_REGISTERS = 7  # R
H_ACCEPTED_ACK = 8  # u32
H_OVERFLOW_COUNT = 10
H_STATE_BITS = 11  # PlcStateBit
H_HEAD_COPY = 12  # u32, written after H_HEAD_SEQ; equal or the header is torn

# --- P, PLC -> host -------------------------------------------------------------------------------
P_ADDRESS = 14
P_COUNT = 6
P_LAYOUT = 0
P_U32 = 1
P_FLOAT = 3
P_LATCHED_SESSION_LOW = 5  # low word of the latched session, 0 = none; names a second host

# --- E, PLC -> host: answers to decisions, slot = decision_seq mod 16 ------------------------------
E_ADDRESS = 20
E_SLOTS = 16
E_SLOT_REGISTERS = 5
E_DECISION_SEQ = 0  # u32
E_TRACK_ID = 2  # u32
E_RESULT = 4  # DecisionResult

# --- C, host -> PLC -------------------------------------------------------------------------------
C_ADDRESS = 100
C_COUNT = 12
C_HEARTBEAT = 0
C_COMMAND_BITS = 1
C_ACK = 2  # u32
C_ACK_COMPLEMENT = 4  # u32, ~ack; taken only if complementary and accepted_ack <= ack <= head
C_SESSION = 6  # u32, random per host start, never 0
C_SPARE = 8  # 4 registers, 0; in test mode they carry test orders (plc/conformance/test_mode.py)

C_BIT_INFEED_PERMIT = 0x0001
C_BIT_BELT_PERMIT = 0x0002
C_BIT_ALARM_RESET = 0x0004

# --- D, host -> PLC: decisions, slot = decision_seq mod 16 -----------------------------------------
D_ADDRESS = 120
D_SLOTS = 16
D_SLOT_REGISTERS = 12
D_BOOT_ID = 0  # u32
D_SESSION = 2  # u32
D_TRACK_ID = 4  # u32
D_DESTINATION = 6  # Destination
D_REASON = 7  # Reason, 0 for a release
D_DECISION_SEQ = 8  # u32, 0 = empty row
D_LAYOUT = 10
D_CRC = 11  # CRC-16/MODBUS over the 11 registers before it, each high byte first

# --- T, PLC -> host: what is on the belt -----------------------------------------------------------
T_ADDRESS = 320
T_ROWS = 48
T_ROW_REGISTERS = 6
T_TRACK_ID = 0  # u32, 0 = free row
T_ENCODER = 2  # u32, encoder counts when the leading edge was at induct
T_LENGTH_MM = 4
T_STATE_DESTINATION = 5  # high byte BeltRowState, low byte Destination

T_STATE_TRACKED = 1
T_STATE_LEASED = 2
T_STATE_DIVERTING = 3
T_STATE_DEFAULTED = 4

# --- R, PLC -> host: the ring, slot = record seq mod N ---------------------------------------------
R_ADDRESS = 640
R_SLOTS = 110
R_SLOT_REGISTERS = 31
R_SEQ_BEGIN = 0  # u32
R_KIND = 2  # RecordKind
R_SOURCE = 3
R_TRACK_ID = 4  # u32
R_ENCODER = 6  # u32
R_PLC_TIME_US = 8  # u64
R_PAYLOAD = 12  # 16 words by kind
R_PAYLOAD_WORDS = 16
R_CRC = 28  # CRC-16/MODBUS over the 28 registers before it, each high byte first
R_SEQ_END = 29  # u32

MAP_REGISTERS = R_ADDRESS + R_SLOTS * R_SLOT_REGISTERS

# Back-pressure by the PLC: infeed stops at half, the belt when only this many slots are free.
RING_INFEED_STOP_FILL = R_SLOTS // 2
RING_BELT_STOP_FREE = 16

# --- timers ----------------------------------------------------------------------------------------
LIFE_SIGN_LIMIT_MS = 400  # both ways
REQUEST_TIMEOUT_MS = 200
POLL_PERIOD_MS = 8  # 5 to 10
SILENCE_RECONNECT_MS = 1_000  # a connection silent for this long is closed and built anew
RECONNECT_PERIOD_MS = 250  # between two attempts while there is no exchange
ECHO_LIMIT_MS = 1_000  # a decision written and not answered for this long: the exchange is broken
FC3_REGISTERS_MAX = 125
RECORDS_PER_READ = 4
FC16_REGISTERS_MAX = 123
