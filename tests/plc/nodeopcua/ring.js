// The ring of records (P5, P6) and what it knows for back-pressure (P7).
// Records wait in a queue and are written in the seven steps of P5; a record that finds no free slot is
// counted and takes no sequence.

import { H, R, crc16, nextSequence, sequencesAhead, u32Words } from "./registers.js";

const QUEUE_MAX = 256;

export class Ring {
  head = 0;
  acknowledged = 0;
  stepPauseUs = 0; // test order SLOW_COMMIT

  #image;
  #queue = [];
  #held = new Array(R.ROWS).fill(0); // the sequence that each slot holds
  #step = 0;
  #lastStepUs = 0;

  constructor(image) {
    this.#image = image;
  }

  /** Queue a record; the payload is a list of registers from offset 12 on. */
  record(nowUs, kind, source, trackId, encoder, payload = []) {
    if (this.#queue.length >= QUEUE_MAX) {
      this.#overflow();
      return;
    }
    const time = BigInt(nowUs);
    const timeWords = [48n, 32n, 16n, 0n].map((shift) => Number((time >> shift) & 0xffffn));
    const body = [kind, source, ...u32Words(trackId), ...u32Words(encoder), ...timeWords, ...payload];
    while (body.length < 26) body.push(0);
    this.#queue.push(body);
  }

  /** Records that wait for the host's acknowledgement. */
  waiting() {
    return sequencesAhead(this.head, this.acknowledged);
  }

  /** Slots that the next records will get in a row. */
  free() {
    let sequence = nextSequence(this.head);
    let count = 0;
    while (count < R.ROWS && this.#isFree(sequence % R.ROWS)) {
      count += 1;
      sequence = nextSequence(sequence);
    }
    return count;
  }

  acknowledge(sequence) {
    this.acknowledged = sequence;
    this.#image.put32(H.ACCEPTED_ACK, sequence);
  }

  /** Write queued records; with a pause ordered, one step at a time. */
  commit(nowUs) {
    while (this.#queue.length > 0) {
      if (this.#step === 0 && !this.#isFree(nextSequence(this.head) % R.ROWS)) {
        this.#overflow();
        this.#queue.shift();
        continue;
      }
      if (this.stepPauseUs > 0) {
        if (nowUs - this.#lastStepUs < this.stepPauseUs) return;
        this.#lastStepUs = nowUs;
        this.#writeStep();
        return;
      }
      this.#writeStep();
    }
  }

  #isFree(slot) {
    return this.#held[slot] === 0 || sequencesAhead(this.#held[slot], this.acknowledged) <= 0;
  }

  #overflow() {
    this.#image.words[H.OVERFLOW] += 1;
  }

  /** One step of writing the oldest queued record. The order of these steps is the duty. */
  #writeStep() {
    const image = this.#image;
    const sequence = nextSequence(this.head);
    const slot = sequence % R.ROWS;
    const at = R.AT + slot * R.ROW;
    const body = this.#queue[0];
    this.#step += 1;
    switch (this.#step) {
      case 1: image.put32(at, 0); break;
      case 2: image.words.set(body, at + 2); break;
      case 3: image.words[at + 28] = crc16([...u32Words(sequence), ...body]); break;
      case 4: image.put32(at + 29, sequence); break;
      case 5: image.put32(at, sequence); break;
      case 6: image.put32(H.HEAD, sequence); break;
      default:
        image.put32(H.HEAD_COPY, sequence);
        this.head = sequence;
        this.#held[slot] = sequence;
        this.#queue.shift();
        this.#step = 0;
    }
  }
}
