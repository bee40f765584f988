// The register map of the interface document, and the arithmetic that goes with it: 32-bit values with the
// highest word first, wrapping counters, sequences that skip 0, CRC-16/MODBUS.

const REGISTERS = 4050;

export const H = {
  MAGIC: 0, LIFE_SIGN: 1, BOOT_ID: 2, HEAD: 4, SLOTS: 6, SLOT_REGISTERS: 7,
  ACCEPTED_ACK: 8, OVERFLOW: 10, STATE: 11, HEAD_COPY: 12,
};
export const P = { LAYOUT: 14, U32: 15, FLOAT: 17, LATCHED_SESSION_LOW: 19 };
export const C = {
  LIFE_SIGN: 100, COMMAND: 101, ACK: 102, ACK_COMPLEMENT: 104, SESSION: 106,
  ORDER: 108, ORDER_NUMBER: 109, ORDER_ARGUMENT: 110,
};

// Blocks of rows: where they begin, how many rows, registers of a row.
export const E = { AT: 20, ROWS: 16, ROW: 5 };
export const D = { AT: 120, ROWS: 16, ROW: 12 };
export const T = { AT: 320, ROWS: 48, ROW: 6 };
export const R = { AT: 640, ROWS: 110, ROW: 31 };

export const MAGIC = 0xa5c1;
export const LAYOUT = 1;

export const STATE = {
  BELT: 0x0001, INFEED: 0x0002, WATCHDOG: 0x0004, EMERGENCY_STOP: 0x0008, GATE_FAULT: 0x0010,
  LATCHED: 0x0020, TEST_MODE: 0x0080, TEST_ORDER: 0x0100,
};
export const COMMAND = { INFEED: 0x0001, BELT: 0x0002, ALARM_RESET: 0x0004 };

export const RESULT = {
  ACCEPTED: 1, LATE: 2, UNKNOWN_PARCEL: 3, BAD: 4, LANE_FULL: 7, REVOKED: 8, FOREIGN: 9,
};
export const KIND = {
  INDUCT: 1, EYE: 2, TRIGGER: 6, GATE: 7, LANE_EYE: 8, DEFAULT: 9, LOST: 10, EXTRA: 11, BELT: 13, LANE: 14,
};
export const CAUSE = {
  UNDECIDED: 1, GAP: 2, LANE_FULL: 3, LEASE_ENDED: 4, UNKNOWN_PARCEL: 5, GATE_FAULT: 6, GATE_BUSY: 7,
};
export const BELT_CAUSE = { STARTED: 1, HOST_PERMIT: 2, EMERGENCY_STOP: 3, RING_FULL: 5, GAP_INTERLOCK: 6 };
export const GATE_PHASE = { BEGAN: 1, ARRIVED: 2, STUCK: 3 };

export const UNKNOWN_COUNTS = 0xffffffff;

/** The registers, from the line's base on. */
export class Image {
  words = new Uint16Array(REGISTERS);

  get32(at) {
    return u32At(this.words, at);
  }

  put32(at, value) {
    this.words[at] = value >>> 16;
    this.words[at + 1] = value & 0xffff;
  }
}

export const u32At = (words, at) => words[at] * 65536 + words[at + 1];
export const u32Words = (value) => [value >>> 16, value & 0xffff];

/** Signed distance on a wrapping 32-bit counter. */
export const ahead = (later, earlier) => (later - earlier) | 0;

/** Sequences from one to the other; 0 is no sequence, so a distance across the wrap is one less. */
export function sequencesAhead(later, earlier) {
  const distance = ahead(later, earlier);
  if (distance > 0 && later < earlier) return distance - 1;
  if (distance < 0 && later > earlier) return distance + 1;
  return distance;
}

export const nextSequence = (sequence) => (sequence + 1) >>> 0 || 1;

/** CRC-16/MODBUS over registers, each high byte first. */
export function crc16(words) {
  let crc = 0xffff;
  for (const word of words) {
    for (const byte of [word >> 8, word & 0xff]) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
    }
  }
  return crc;
}
