// Test orders: what the conformance suite does to the plant, from the spare registers of C.

import { C, KIND, u32Words } from "./registers.js";

const INDUCT = 1;
const BURST = 2;
const SLOW_COMMIT = 3;
const LANE = 4;
const RESTART = 5;
const BURST_RECORDS_A_SCAN = 16;

export class TestOrders {
  /** Number of the last order; after a start the number that stands there counts as carried out. */
  carriedOut;

  #program;
  #report;
  #burst = { left: 0, trigger: 0 };

  constructor(program, report) {
    this.#program = program;
    this.#report = report;
    this.carriedOut = program.image.words[C.ORDER_NUMBER];
  }

  scan() {
    const { image } = this.#program;
    const number = image.words[C.ORDER_NUMBER];
    if (number !== this.carriedOut) {
      this.carriedOut = number;
      this.#carryOut(image.words[C.ORDER], image.get32(C.ORDER_ARGUMENT));
    }
    for (let count = 0; count < BURST_RECORDS_A_SCAN && this.#burst.left > 0; count += 1) {
      this.#burst.left -= 1;
      this.#burst.trigger += 1;
      this.#report(KIND.TRIGGER, 0, 0, this.#program.inputs.encoder, u32Words(this.#burst.trigger));
    }
  }

  #carryOut(order, argument) {
    const program = this.#program;
    switch (order) {
      case INDUCT: program.plant.induct(argument); break;
      case BURST: this.#burst = { left: argument, trigger: 0 }; break;
      case SLOW_COMMIT: program.ring.stepPauseUs = argument * 1000; break;
      case LANE: program.plant.setLaneFull(argument & 0xffff, argument >>> 16 === 1); break;
      case RESTART: program.restart(); break;
      default: break;
    }
  }
}
