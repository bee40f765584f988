// The simulated plant: the belt follows the program's belt output, gates follow its gate outputs, parcels go
// where the gates stand and break the beams they pass. It knows only inputs and outputs.

import {
  BELT_END_MM, BELT_SPEED_MM_PER_S, ENCODER_COUNTS_PER_M, EYES, GATES, GATE_TRAVEL_MS, HOLD, LANES, inCounts,
} from "./geometry.js";
import { ahead } from "./registers.js";

const COUNTS_PER_US = (BELT_SPEED_MM_PER_S * ENCODER_COUNTS_PER_M) / 1e9;
const GONE_BEHIND_MM = 600;
const FED_LENGTH_MM = 150;

export class Plant {
  #inputs;
  #outputs;
  #feedUs;
  #fedUs = 0;
  #parcels = []; // { start: encoder when the leading edge is at induct, length, lane: null on the line }
  #lastUs = null;
  #rest = 0;
  #gates = GATES.map((gate) => ({ ...gate, at: inCounts(gate.positionMm), target: HOLD, arrivesUs: 0 }));

  /** feedMs: how often a parcel comes by itself while the infeed runs; 0 for never. */
  constructor({ inputs, outputs }, { feedMs }) {
    this.#inputs = inputs;
    this.#outputs = outputs;
    this.#feedUs = feedMs * 1000;
  }

  /** A parcel reaches the induct eye with the belt's next move. */
  induct(lengthMm) {
    this.#parcels.push({ start: (this.#inputs.encoder + 1) >>> 0, length: inCounts(lengthMm), lane: null });
  }

  setLaneFull(number, full) {
    if (this.#inputs.laneFull.has(number)) this.#inputs.laneFull.set(number, full);
  }

  move(nowUs) {
    this.#feed(nowUs);
    this.#moveBelt(nowUs);
    for (const gate of this.#gates) this.#moveGate(gate, nowUs);
    this.#moveParcels();
    for (const eye of EYES) {
      this.#beam(this.#inputs.eyes.get(eye.number), inCounts(eye.positionMm), (parcel) => !parcel.lane);
    }
    for (const lane of LANES) {
      const enters = lane.gate === 0 ? (parcel) => !parcel.lane : (parcel) => parcel.lane === lane;
      this.#beam(this.#inputs.laneEyes.get(lane.number), inCounts(lane.eyeMm), enters);
    }
  }

  #feed(nowUs) {
    if (this.#feedUs === 0 || !this.#outputs.infeedRun || nowUs - this.#fedUs < this.#feedUs) return;
    this.#fedUs = nowUs;
    this.induct(FED_LENGTH_MM);
  }

  #moveBelt(nowUs) {
    if (this.#lastUs !== null && this.#outputs.beltRun) {
      this.#rest += (nowUs - this.#lastUs) * COUNTS_PER_US;
      const moved = Math.floor(this.#rest);
      this.#rest -= moved;
      this.#inputs.encoder = (this.#inputs.encoder + moved) >>> 0;
    }
    this.#lastUs = nowUs;
  }

  #moveGate(gate, nowUs) {
    const ordered = this.#outputs.gates.get(gate.number);
    if (ordered !== gate.target) {
      gate.target = ordered;
      gate.arrivesUs = nowUs + GATE_TRAVEL_MS * 1000;
      this.#inputs.gates.set(gate.number, 0);
    }
    if (nowUs >= gate.arrivesUs) this.#inputs.gates.set(gate.number, gate.target);
  }

  #moveParcels() {
    const { encoder } = this.#inputs;
    for (const parcel of this.#parcels) {
      const leading = ahead(encoder, parcel.start);
      for (const gate of this.#gates) {
        const side = this.#inputs.gates.get(gate.number);
        if (parcel.lane || side <= HOLD || leading < gate.at || leading >= gate.at + parcel.length) continue;
        parcel.lane = LANES.find((lane) => lane.gate === gate.number && lane.side === side) ?? null;
      }
    }
    const gone = inCounts(BELT_END_MM + GONE_BEHIND_MM);
    this.#parcels = this.#parcels.filter(({ start }) => ahead(encoder, start) <= gone);
  }

  /** Set a beam, and latch the encoder's counts at the edge itself, not at the scan that sees it. */
  #beam(beam, at, there) {
    const { encoder } = this.#inputs;
    const over = this.#parcels.find((parcel) => {
      const past = ahead(encoder, parcel.start) - at;
      return there(parcel) && past >= 0 && past < parcel.length;
    });
    if (over && over !== beam.parcel) beam.at = (over.start + at) >>> 0;
    if (!over && beam.parcel) beam.at = (beam.parcel.start + at + beam.parcel.length) >>> 0;
    beam.parcel = over;
    beam.on = over !== undefined;
  }
}
