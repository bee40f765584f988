// What the photo-eyes say about the parcels (P22): induct, lengths, extra and lost ones, arrivals in lanes.

import { BELT_END_MM, EDGE_WINDOW_MM, EYES, LANES, XRAY, inCounts } from "./geometry.js";
import { CAUSE, KIND, UNKNOWN_COUNTS, ahead, u32Words } from "./registers.js";

const LANE_ROOM = 99; // shown for a lane that is not full: 48 or more means plenty

export class Tracking {
  #inputs;
  #parcels;
  #report;
  #eyes;
  #lanes;
  #nextTrigger = 1;

  constructor({ inputs, parcels, report }) {
    this.#inputs = inputs;
    this.#parcels = parcels;
    this.#report = report;
    this.#eyes = EYES.map((eye, index) => ({
      ...eye,
      index,
      wasOn: inputs.eyes.get(eye.number).on,
      parcel: null,
      roseAt: 0,
      fellAt: null, // encoder of the last trailing edge, for the clear belt before the next parcel
      clearBefore: UNKNOWN_COUNTS,
    }));
    this.#lanes = LANES.map((lane) => ({
      ...lane, wasOn: inputs.laneEyes.get(lane.number).on, parcel: null, wasFull: false,
    }));
  }

  scan() {
    for (const eye of this.#eyes) {
      const { on, at } = this.#inputs.eyes.get(eye.number);
      if (on && !eye.wasOn) this.#eyeRises(eye, at);
      if (!on && eye.wasOn) this.#eyeFalls(eye, at);
      eye.wasOn = on;
    }
    for (const lane of this.#lanes) this.#scanLane(lane);
    for (const parcel of this.#parcels.all()) this.#loseIfUnseen(parcel);
  }

  #eyeRises(eye, at) {
    eye.roseAt = at;
    eye.clearBefore = eye.fellAt === null ? UNKNOWN_COUNTS : (at - eye.fellAt) >>> 0;
    const inductAt = (at - inCounts(eye.positionMm)) >>> 0;
    if (eye.index === 0) {
      eye.parcel = this.#parcels.add(inductAt, 1);
      if (eye.parcel) this.#report(KIND.INDUCT, eye.number, eye.parcel.id, at, u32Words(eye.clearBefore));
    } else {
      eye.parcel = this.#expected(inductAt, (parcel) => parcel.eyesPassed === eye.index);
      if (eye.parcel) eye.parcel.eyesPassed = eye.index + 1;
      else eye.parcel = this.#parcels.add(inductAt, eye.index + 1, { extra: true });
    }
    if (eye.number === XRAY.eye && eye.parcel && !eye.parcel.extra) {
      this.#report(KIND.TRIGGER, XRAY.source, eye.parcel.id, at, u32Words(this.#nextTrigger));
      this.#nextTrigger += 1;
    }
  }

  #eyeFalls(eye, at) {
    eye.fellAt = at;
    const { parcel } = eye;
    eye.parcel = null;
    if (!parcel) return;
    parcel.length = (at - eye.roseAt) >>> 0;
    if (parcel.extra && !parcel.defaulted) {
      this.#report(KIND.EXTRA, eye.number, parcel.id, eye.roseAt, u32Words(parcel.length));
      this.#parcels.takeDefault(parcel, CAUSE.UNKNOWN_PARCEL);
    } else {
      const payload = [...u32Words(parcel.length), ...u32Words(eye.clearBefore)];
      this.#report(KIND.EYE, eye.number, parcel.id, eye.roseAt, payload);
    }
  }

  #scanLane(lane) {
    const { on, at } = this.#inputs.laneEyes.get(lane.number);
    if (on && !lane.wasOn) {
      lane.parcel = this.#expected((at - inCounts(lane.eyeMm)) >>> 0, () => true);
      if (lane.parcel) lane.parcel.seen = true;
      this.#report(KIND.LANE_EYE, lane.number, lane.parcel ? lane.parcel.id : 0, at);
    }
    if (!on && lane.wasOn && lane.parcel) {
      this.#parcels.remove(lane.parcel); // its tail is out of the gate now
      lane.parcel = null;
    }
    lane.wasOn = on;
    const full = this.#inputs.laneFull.get(lane.number);
    if (full !== lane.wasFull) {
      lane.wasFull = full;
      this.#report(KIND.LANE, lane.number, 0, this.#inputs.encoder, full ? [1, 0, 0] : [0, 0, LANE_ROOM]);
    }
  }

  /** The parcel whose leading edge was at induct nearest to this count, within the window. */
  #expected(inductAt, fits) {
    let best = inCounts(EDGE_WINDOW_MM) + 1;
    let found = null;
    for (const parcel of this.#parcels.all()) {
      const off = Math.abs(ahead(inductAt, parcel.inductAt));
      if (!parcel.seen && fits(parcel) && off < best) {
        best = off;
        found = parcel;
      }
    }
    return found;
  }

  #loseIfUnseen(parcel) {
    if (parcel.seen) return;
    const { encoder } = this.#inputs;
    const next = EYES[parcel.eyesPassed]; // undefined behind the last eye: then the end of the belt
    const positionMm = next ? next.positionMm : BELT_END_MM;
    if (parcel.leading(encoder) > inCounts(positionMm + EDGE_WINDOW_MM)) {
      this.#report(KIND.LOST, next ? next.number : 0, parcel.id, encoder);
      this.#parcels.remove(parcel);
    }
  }
}
