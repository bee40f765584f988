// Decisions of the host (P13 to P21), from rows of D or calls of SubmitDecision: each is answered once in E.

import { DECISION_POINT, LANE_OF_DESTINATION, laneByNumber } from "./geometry.js";
import { CAUSE, D, E, LAYOUT, RESULT, crc16, sequencesAhead, u32At } from "./registers.js";

const HOLD = 1;
const RELEASE = 2;
const DESTINATIONS = 7;

export class Decisions {
  #image;
  #inputs;
  #bootId;
  #host;
  #parcels;
  #judged = new Array(D.ROWS).fill(0); // the sequence last judged from each row of D
  #doubtful = new Array(D.ROWS).fill(null); // a row that was wrong in the scan before
  #calls = [];

  constructor({ image, inputs, bootId, host, parcels }) {
    this.#image = image;
    this.#inputs = inputs;
    this.#bootId = bootId;
    this.#host = host;
    this.#parcels = parcels;
  }

  /** A call of SubmitDecision; answered in the next scan. */
  submit(decision, answer) {
    this.#calls.push({ decision, answer });
  }

  take() {
    for (let row = 0; row < D.ROWS; row += 1) this.#takeRow(row);
    for (const { decision, answer } of this.#calls.splice(0)) answer(this.#takeCall(decision));
  }

  #takeRow(row) {
    const at = D.AT + row * D.ROW;
    const words = this.#image.words.slice(at, at + D.ROW); // a copy: the host may write meanwhile
    const decision = {
      bootId: u32At(words, 0),
      session: u32At(words, 2),
      trackId: u32At(words, 4),
      destination: words[6],
      sequence: u32At(words, 8),
    };
    const { sequence } = decision;
    if (sequence === 0) {
      this.#judged[row] = 0;
      return;
    }
    if (sequence === this.#judged[row] || sequence === this.#answered(row)) return;

    const whole = crc16(words.subarray(0, 11)) === words[11]
      && words[10] === LAYOUT
      && sequence % D.ROWS === row;
    if (!whole) {
      const before = this.#doubtful[row];
      this.#doubtful[row] = words;
      if (!before || before.some((word, offset) => word !== words[offset])) return; // perhaps half written
    }
    this.#doubtful[row] = null;
    this.#judged[row] = sequence;
    this.#answer(row, decision, whole ? this.#judge(decision) : RESULT.BAD);
  }

  #takeCall(decision) {
    const row = decision.sequence % E.ROWS;
    if (decision.sequence === this.#answered(row)) return this.#image.words[E.AT + row * E.ROW + 4];
    const result = this.#judge(decision);
    this.#answer(row, decision, result);
    return result;
  }

  #answered(row) {
    return this.#image.get32(E.AT + row * E.ROW);
  }

  #answer(row, { sequence, trackId }, result) {
    const at = E.AT + row * E.ROW;
    this.#image.put32(at, 0);
    this.#image.put32(at + 2, trackId);
    this.#image.words[at + 4] = result;
    this.#image.put32(at, sequence);
  }

  /** In the order of P15 to P21. */
  #judge({ bootId, session, trackId, destination, sequence }) {
    if (destination < 1 || destination > DESTINATIONS) return RESULT.BAD;
    const latched = this.#host.session;
    if (bootId !== this.#bootId || latched === 0 || session !== latched) return RESULT.FOREIGN;
    const parcel = this.#parcels.byId(trackId);
    if (!parcel) return RESULT.UNKNOWN_PARCEL;
    if (parcel.sequence !== 0 && sequencesAhead(sequence, parcel.sequence) <= 0) return RESULT.REVOKED;
    if (destination === HOLD) return this.#judgeHold(parcel, sequence);
    return this.#judgeLease(parcel, destination, sequence);
  }

  #judgeHold(parcel, sequence) {
    if (parcel.began || parcel.defaulted) return RESULT.LATE;
    parcel.lane = null;
    parcel.closed = true;
    parcel.destination = HOLD;
    parcel.sequence = sequence;
    return RESULT.ACCEPTED;
  }

  #judgeLease(parcel, destination, sequence) {
    if (parcel.began || parcel.leading(this.#inputs.encoder) >= DECISION_POINT) return RESULT.LATE;
    if (parcel.closed) return RESULT.REVOKED;
    const standing = parcel.lane ? parcel.destination : 0;
    if (standing !== 0 && (destination === RELEASE || standing !== RELEASE)) return RESULT.REVOKED;
    const lane = laneByNumber(LANE_OF_DESTINATION[destination]);
    if (!lane || lane.gate === 0 || this.#inputs.laneFull.get(lane.number)) {
      parcel.lane = null;
      parcel.destination = 0;
      parcel.defaultCause = CAUSE.LANE_FULL;
      return RESULT.LANE_FULL;
    }
    parcel.lane = lane;
    parcel.destination = destination;
    parcel.sequence = sequence;
    return RESULT.ACCEPTED;
  }
}
