// The gates (P25): when each begins to move, for whom, and what happens if it does not arrive.

import {
  GATES, GATE_LEAD, GATE_MARGIN_MS, GATE_STUCK_MS, GATE_TRAVEL_MS, HOLD, SCAN_MS, countsIn, inCounts,
} from "./geometry.js";
import { CAUSE, GATE_PHASE, KIND } from "./registers.js";

export class Gates {
  /** A gate is not where the parcel in front of it needs it: the belt must wait. */
  waiting = false;

  #inputs;
  #outputs;
  #parcels;
  #report;
  #gates;

  constructor({ inputs, outputs, parcels, report }) {
    this.#inputs = inputs;
    this.#outputs = outputs;
    this.#parcels = parcels;
    this.#report = report;
    this.#gates = GATES.map((gate) => {
      outputs.gates.set(gate.number, HOLD);
      const at = inCounts(gate.positionMm);
      return { ...gate, at, trackId: 0, orderedUs: 0, arrivalTold: true, stuck: false };
    });
  }

  get stuck() {
    return this.#gates.some((gate) => gate.stuck);
  }

  /** locked: since the start the belt has not yet moved its whole length (P4). */
  scan(nowUs, { locked, alarmReset }) {
    this.waiting = false;
    for (const gate of this.#gates) {
      this.#watchFeedback(gate, nowUs, alarmReset);
      this.#rule(gate, nowUs, locked);
    }
  }

  #watchFeedback(gate, nowUs, alarmReset) {
    if (this.#stands(gate) === this.#ordered(gate)) {
      if (!gate.arrivalTold) {
        gate.arrivalTold = true;
        this.#tell(gate, GATE_PHASE.ARRIVED, nowUs);
      }
      if (alarmReset) gate.stuck = false;
    } else if (!gate.stuck && nowUs - gate.orderedUs > GATE_STUCK_MS * 1000) {
      gate.stuck = true;
      this.#tell(gate, GATE_PHASE.STUCK, nowUs);
      for (const parcel of this.#parcels.all()) {
        if (parcel.lane?.gate === gate.number) this.#parcels.takeDefault(parcel, CAUSE.GATE_FAULT);
      }
      this.#order(gate, HOLD, 0, nowUs);
    }
  }

  #rule(gate, nowUs, locked) {
    const { encoder } = this.#inputs;
    const parcel = this.#nearest(gate);
    if (!parcel) {
      this.#order(gate, HOLD, 0, nowUs);
      return;
    }
    const distance = gate.at - parcel.leading(encoder);
    if (distance <= 0) return; // while a parcel is in the gate nothing moves
    const side = parcel.lane?.gate === gate.number ? parcel.lane.side : HOLD;
    if (side === HOLD) {
      this.#order(gate, HOLD, 0, nowUs);
    } else if (!parcel.began) {
      this.#ruleLease(gate, parcel, side, distance, nowUs, locked);
    }
    const wanted = parcel.began ? side : HOLD;
    if (distance < countsIn(SCAN_MS + GATE_MARGIN_MS) && this.#stands(gate) !== wanted) this.waiting = true;
  }

  #ruleLease(gate, parcel, side, distance, nowUs, locked) {
    if (gate.stuck) {
      this.#refuse(gate, parcel, CAUSE.GATE_FAULT, nowUs);
    } else if (distance > GATE_LEAD) {
      // Not yet. Stay for the next parcel to the same side only if there is no time to close and open again.
      if (this.#ordered(gate) !== side || distance > 2 * GATE_LEAD) this.#order(gate, HOLD, 0, nowUs);
    } else if (locked) {
      this.#refuse(gate, parcel, CAUSE.UNKNOWN_PARCEL, nowUs);
    } else if (distance < countsIn(this.#neededMs(gate, side, nowUs))) {
      this.#refuse(gate, parcel, CAUSE.GATE_BUSY, nowUs);
    } else {
      parcel.began = true; // from here on this lease is final
      if (this.#ordered(gate) === side) {
        gate.trackId = parcel.id;
        gate.orderedUs = nowUs;
        this.#tell(gate, GATE_PHASE.BEGAN, nowUs);
      } else {
        this.#order(gate, side, parcel.id, nowUs);
      }
    }
  }

  #refuse(gate, parcel, cause, nowUs) {
    this.#parcels.takeDefault(parcel, cause);
    this.#order(gate, HOLD, 0, nowUs);
  }

  #stands(gate) {
    return this.#inputs.gates.get(gate.number);
  }

  #ordered(gate) {
    return this.#outputs.gates.get(gate.number);
  }

  #order(gate, side, trackId, nowUs) {
    if (side === this.#ordered(gate)) return;
    this.#outputs.gates.set(gate.number, side);
    gate.trackId = trackId;
    gate.orderedUs = nowUs;
    gate.arrivalTold = false;
    this.#tell(gate, GATE_PHASE.BEGAN, nowUs);
  }

  #tell(gate, phase, nowUs) {
    const travelMs = Math.floor((nowUs - gate.orderedUs) / 1000) & 0xffff;
    const payload = [phase, this.#ordered(gate), travelMs];
    this.#report(KIND.GATE, gate.number, gate.trackId, this.#inputs.encoder, payload);
  }

  /** How long until the gate could stand there. */
  #neededMs(gate, side, nowUs) {
    const ordered = this.#ordered(gate);
    const movingMs = Math.floor((nowUs - gate.orderedUs) / 1000);
    const leftMs = this.#stands(gate) === ordered ? 0 : Math.max(0, GATE_TRAVEL_MS - movingMs);
    if (side === ordered) return leftMs;
    return ordered === HOLD ? GATE_TRAVEL_MS + leftMs : 2 * GATE_TRAVEL_MS;
  }

  /** The parcel furthest down the belt that has not wholly passed this gate. */
  #nearest(gate) {
    const { encoder } = this.#inputs;
    let nearest = null;
    for (const parcel of this.#parcels.all()) {
      const leftBefore = parcel.began && parcel.lane && parcel.lane.gate < gate.number;
      if (leftBefore || parcel.trailing(encoder) >= gate.at) continue;
      if (!nearest || parcel.leading(encoder) > nearest.leading(encoder)) nearest = parcel;
    }
    return nearest;
  }
}
