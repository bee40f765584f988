// The parcels on the belt: their tracking rows, their defaults (P23), the gap check (P24) and table T.

import { DECISION_POINT, EYES, GATE_LEAD, PARCEL_LENGTH_MAX_MM, inCounts } from "./geometry.js";
import { CAUSE, KIND, T, ahead, nextSequence } from "./registers.js";

const STATE_TRACKED = 1;
const STATE_LEASED = 2;
const STATE_DIVERTING = 3;
const STATE_DEFAULTED = 4;
const HOLD = 1;
const PRE_GATE_EYE = inCounts(EYES[EYES.length - 1].positionMm);

class Parcel {
  length = 0; // counts, 0 until measured
  lane = null; // of its lease
  destination = 0; // accepted, 0 while undecided
  sequence = 0; // of the decision accepted last
  defaultCause = CAUSE.UNDECIDED;
  closed = false; // it goes to hold, and no lease changes that any more
  began = false; // its gate began to move for it: from here on its lease is final
  defaulted = false; // held by our own decision, and reported
  seen = false; // by a lane's eye

  constructor(id, inductAt, eyesPassed, extra) {
    this.id = id;
    this.inductAt = inductAt; // encoder when the leading edge was at induct
    this.eyesPassed = eyesPassed;
    this.extra = extra; // an edge of no tracked parcel: held, whatever the host says
    if (extra) {
      this.closed = true;
      this.destination = HOLD;
    }
  }

  leading(encoder) {
    return ahead(encoder, this.inductAt);
  }

  trailing(encoder) {
    return this.leading(encoder) - (this.length || inCounts(PARCEL_LENGTH_MAX_MM));
  }

  get state() {
    if (this.defaulted) return STATE_DEFAULTED;
    if (this.began) return STATE_DIVERTING;
    return this.lane ? STATE_LEASED : STATE_TRACKED;
  }
}

export class Parcels {
  #image;
  #inputs;
  #report;
  #rows = new Array(T.ROWS).fill(null);
  #nextId;

  constructor({ image, inputs, report, firstId }) {
    this.#image = image;
    this.#inputs = inputs;
    this.#report = report;
    this.#nextId = firstId;
  }

  get nextId() {
    return this.#nextId;
  }

  all() {
    return this.#rows.filter((parcel) => parcel !== null);
  }

  byId(id) {
    return id === 0 ? undefined : this.all().find((parcel) => parcel.id === id);
  }

  /** A new parcel, or null if T has no row left. */
  add(inductAt, eyesPassed, { extra = false } = {}) {
    const row = this.#rows.indexOf(null);
    if (row < 0) return null;
    const parcel = new Parcel(this.#nextId, inductAt, eyesPassed, extra);
    this.#nextId = nextSequence(this.#nextId);
    this.#rows[row] = parcel;
    return parcel;
  }

  remove(parcel) {
    const row = this.#rows.indexOf(parcel);
    if (row >= 0) this.#rows[row] = null;
  }

  /** Hold by our own decision: the lease ends, and one record says why. */
  takeDefault(parcel, cause) {
    if (parcel.began || parcel.seen) return;
    parcel.lane = null;
    parcel.closed = true;
    parcel.destination = HOLD;
    if (parcel.defaulted) return;
    parcel.defaulted = true;
    this.#report(KIND.DEFAULT, 0, parcel.id, this.#inputs.encoder, [cause]);
  }

  /** P11: the host is gone. */
  revokeLeases() {
    for (const parcel of this.all()) if (parcel.lane) this.takeDefault(parcel, CAUSE.LEASE_ENDED);
  }

  /** P20, P23: leases whose lane filled up, and parcels that pass the decision point undecided. */
  takeDefaults() {
    const { encoder, laneFull } = this.#inputs;
    for (const parcel of this.all()) {
      if (parcel.lane && laneFull.get(parcel.lane.number)) this.takeDefault(parcel, CAUSE.LANE_FULL);
      if (parcel.destination === 0 && parcel.leading(encoder) >= DECISION_POINT) {
        this.takeDefault(parcel, parcel.defaultCause);
      }
    }
  }

  /** P24: the gate must be able to return behind a leased parcel. */
  checkGaps() {
    const { encoder } = this.#inputs;
    for (const parcel of this.all()) {
      if (!parcel.lane || parcel.began || parcel.leading(encoder) < PRE_GATE_EYE) continue;
      const next = this.#behind(parcel);
      if (next && parcel.trailing(encoder) - next.leading(encoder) < GATE_LEAD) {
        this.takeDefault(parcel, CAUSE.GAP);
        this.takeDefault(next, CAUSE.GAP);
      }
    }
  }

  #behind(parcel) {
    const { encoder } = this.#inputs;
    let nearest = null;
    for (const other of this.all()) {
      if (other === parcel || other.leading(encoder) >= parcel.leading(encoder)) continue;
      if (!nearest || other.leading(encoder) > nearest.leading(encoder)) nearest = other;
    }
    return nearest;
  }

  /** Table T; a row shows no id while it changes. */
  show() {
    const image = this.#image;
    this.#rows.forEach((parcel, row) => {
      const at = T.AT + row * T.ROW;
      if (!parcel) {
        image.words.fill(0, at, at + T.ROW);
        return;
      }
      image.put32(at, 0);
      image.put32(at + 2, parcel.inductAt);
      image.words[at + 4] = Math.floor((parcel.length * 1000) / inCounts(1000));
      image.words[at + 5] = parcel.state * 256 + parcel.destination;
      image.put32(at, parcel.id);
    });
  }
}
