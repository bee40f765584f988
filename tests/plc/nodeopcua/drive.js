// Belt and infeed: permits (P12), back-pressure (P7) and everything else that stops them.

import { LANE_OF_DESTINATION, BELT_SPEED_MM_PER_S, PARCELS_ON_BELT_MAX } from "./geometry.js";
import { BELT_CAUSE, CAUSE, KIND } from "./registers.js";

const INFEED_STOPS_AT = 55; // records that wait
const BELT_STOPS_AT = 16; // slots that are free
const RUNNING = 1;
const STOPPED = 2;
const RELEASE = 2;

export class Drive {
  emergency = false;

  #inputs;
  #outputs;
  #ring;
  #host;
  #parcels;
  #gates;
  #report;
  #ringFull = false;
  #told = null;

  constructor({ inputs, outputs, ring, host, parcels, gates, report }) {
    this.#inputs = inputs;
    this.#outputs = outputs;
    this.#ring = ring;
    this.#host = host;
    this.#parcels = parcels;
    this.#gates = gates;
    this.#report = report;
    outputs.beltRun = false;
    outputs.infeedRun = false;
  }

  scan(locked) {
    const inputs = this.#inputs;
    const host = this.#host;
    if (inputs.emergencyStop) {
      for (const parcel of this.#parcels.all()) this.#parcels.takeDefault(parcel, CAUSE.UNKNOWN_PARCEL);
    }
    this.emergency = inputs.emergencyStop || (this.emergency && !host.alarmReset);
    const waiting = this.#ring.waiting();
    this.#ringFull = this.#ring.free() <= BELT_STOPS_AT || (this.#ringFull && waiting >= INFEED_STOPS_AT);

    const cause = this.#stopCause();
    const beltRun = cause === 0;
    this.#outputs.beltRun = beltRun;
    this.#outputs.infeedRun = beltRun
      && host.session !== 0
      && host.infeedPermit
      && waiting < INFEED_STOPS_AT
      && this.#parcels.all().length < PARCELS_ON_BELT_MAX
      && !inputs.laneFull.get(LANE_OF_DESTINATION[RELEASE])
      && !this.#gates.stuck
      && !locked;
    if (beltRun !== this.#told) {
      this.#told = beltRun;
      const payload = beltRun ? [RUNNING, BELT_SPEED_MM_PER_S, BELT_CAUSE.STARTED] : [STOPPED, 0, cause];
      this.#report(KIND.BELT, 0, 0, inputs.encoder, payload);
    }
  }

  #stopCause() {
    if (this.emergency) return BELT_CAUSE.EMERGENCY_STOP;
    if (this.#gates.waiting) return BELT_CAUSE.GAP_INTERLOCK;
    if (this.#ringFull) return BELT_CAUSE.RING_FULL;
    if (!this.#host.beltPermit) return BELT_CAUSE.HOST_PERMIT;
    return 0;
  }
}
