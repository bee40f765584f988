// The program: what a PLC does at its start (P4) and in every scan. It sees the plant only through its inputs
// and outputs.

import { randomBytes } from "node:crypto";

import { Decisions } from "./decisions.js";
import { Drive } from "./drive.js";
import { Gates } from "./gates.js";
import { BELT_END_MM, EYES, GATES, HOLD, LANES, inCounts } from "./geometry.js";
import { Host } from "./host.js";
import { C, H, Image, LAYOUT, MAGIC, P, R, STATE, ahead } from "./registers.js";
import { Parcels } from "./parcels.js";
import { Ring } from "./ring.js";
import { TestOrders } from "./test_orders.js";
import { Tracking } from "./tracking.js";

const byNumber = (things, value) => new Map(things.map(({ number }) => [number, value()]));

export class Program {
  image = new Image();
  inputs = {
    encoder: 0, // counts, wraps
    eyes: byNumber(EYES, () => ({ on: false, at: 0 })), // beam broken, encoder latched by the last edge
    laneEyes: byNumber(LANES, () => ({ on: false, at: 0 })),
    laneFull: byNumber(LANES, () => false), // full or jammed
    gates: byNumber(GATES, () => HOLD), // feedback, 0 while moving
    emergencyStop: false,
  };
  plant = null; // for test orders only
  outputs = { beltRun: false, infeedRun: false, gates: byNumber(GATES, () => HOLD) };

  #testKey;
  #bootIds = new Set();
  #nextTrackId = 1;
  #nowUs = 0;
  #restart = true;

  /** testKey: the key switch that allows test orders. */
  constructor({ testKey = false } = {}) {
    this.#testKey = testKey;
  }

  /** A call of SubmitDecision; the answer comes with the next scan. */
  submit(decision, answer) {
    this.decisions.submit(decision, answer);
  }

  /** Start anew, as after a power cut, with the next scan. */
  restart() {
    this.#restart = true;
  }

  scan(nowUs, realUs) {
    this.#nowUs = nowUs;
    if (this.#restart) this.#start();
    else this.host.listen(nowUs, realUs, () => this.parcels.revokeLeases());

    const { inputs } = this;
    if (this.locked && ahead(inputs.encoder, this.startEncoder) >= inCounts(BELT_END_MM)) this.locked = false;
    this.testOrders?.scan();
    if (this.#restart) return;
    this.tracking.scan();
    this.decisions.take();
    this.parcels.takeDefaults();
    this.parcels.checkGaps();
    this.gates.scan(nowUs, { locked: this.locked, alarmReset: this.host.alarmReset });
    this.ring.commit(nowUs);
    this.drive.scan(this.locked);
    this.parcels.show();
    this.#showState();
  }

  #start() {
    this.#restart = false;
    const { image, inputs, outputs } = this;
    const order = image.words.slice(C.ORDER, C.ORDER + 4);
    image.words.fill(0);
    image.words.set(order, C.ORDER);

    const report = (...record) => this.ring.record(this.#nowUs, ...record);
    const bootId = this.#drawBootId();
    if (this.parcels) this.#nextTrackId = this.parcels.nextId;
    this.ring = new Ring(image);
    this.host = new Host(image, this.ring);
    this.parcels = new Parcels({ image, inputs, report, firstId: this.#nextTrackId });
    this.tracking = new Tracking({ inputs, parcels: this.parcels, report });
    this.decisions = new Decisions({ image, inputs, bootId, host: this.host, parcels: this.parcels });
    this.gates = new Gates({ inputs, outputs, parcels: this.parcels, report });
    this.drive = new Drive({ ...this, report });
    this.testOrders = this.#testKey ? new TestOrders(this, report) : null;
    this.startEncoder = inputs.encoder;
    this.locked = true; // every parcel on the belt is unknown: gates stay at hold

    image.words[H.SLOTS] = R.ROWS;
    image.words[H.SLOT_REGISTERS] = R.ROW;
    image.words[P.LAYOUT] = LAYOUT;
    image.put32(P.U32, 0x01020304);
    image.words[P.FLOAT] = 0x3fc0; // 1.5
    image.put32(H.BOOT_ID, bootId);
    image.words[H.MAGIC] = MAGIC;
  }

  #drawBootId() {
    let bootId = 0;
    while (bootId === 0 || this.#bootIds.has(bootId)) bootId = randomBytes(4).readUInt32BE();
    this.#bootIds.add(bootId);
    return bootId;
  }

  #showState() {
    const { words } = this.image;
    let bits = 0;
    if (this.outputs.beltRun) bits |= STATE.BELT;
    if (this.outputs.infeedRun) bits |= STATE.INFEED;
    if (this.host.tripped) bits |= STATE.WATCHDOG;
    if (this.drive.emergency) bits |= STATE.EMERGENCY_STOP;
    if (this.gates.stuck) bits |= STATE.GATE_FAULT;
    if (this.host.session !== 0) bits |= STATE.LATCHED;
    if (this.testOrders) bits |= STATE.TEST_MODE | (this.testOrders.carriedOut & 1 ? STATE.TEST_ORDER : 0);
    words[H.STATE] = bits;
    words[H.LIFE_SIGN] += 1;
  }
}
