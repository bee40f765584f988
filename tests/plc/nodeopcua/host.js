// The host as block C shows it: which session is latched, its life sign and watchdog, its permits and
// acknowledgements (P8 to P12).

import { C, COMMAND, P, sequencesAhead } from "./registers.js";

const LIFE_SIGN_LIMIT_US = 400_000;

export class Host {
  session = 0; // latched, 0 for none
  tripped = false;
  infeedPermit = false;
  beltPermit = false;
  alarmReset = false; // for one scan, when the bit comes

  #image;
  #ring;
  #lifeSign = 0; // last one of the latched session, whatever another session writes meanwhile
  #aliveUs = 0;
  #candidate = { session: 0, lifeSign: 0 };
  #resetBit = false;

  constructor(image, ring) {
    this.#image = image;
    this.#ring = ring;
  }

  /** Read block C. realUs is the time on the wall: a scan that catches up must not shorten the watchdog. */
  listen(nowUs, realUs, onSilence) {
    const { words } = this.#image;
    const said = this.#image.get32(C.SESSION);
    const lifeSign = words[C.LIFE_SIGN];
    this.alarmReset = false;

    if (this.session === 0) this.#latch(said, lifeSign, realUs);
    if (this.session !== 0 && said === this.session && lifeSign !== this.#lifeSign) {
      this.#lifeSign = lifeSign;
      this.#aliveUs = realUs;
    }
    if (this.session !== 0 && nowUs - this.#aliveUs >= LIFE_SIGN_LIMIT_US) {
      this.session = 0;
      this.tripped = true;
      this.infeedPermit = false;
      this.#candidate = { session: said, lifeSign };
      onSilence();
    }
    if (this.session !== 0 && said === this.session) {
      this.#takePermits(words[C.COMMAND]);
      this.#takeAcknowledgement();
    }
    words[P.LATCHED_SESSION_LOW] = this.session & 0xffff;
  }

  #latch(said, lifeSign, realUs) {
    const candidate = this.#candidate;
    const latchable = (said & 0xffff) !== 0; // a low word of 0 would be shown as no session
    if (latchable && said === candidate.session && lifeSign !== candidate.lifeSign) {
      this.session = said;
      this.tripped = false;
      this.#lifeSign = lifeSign;
      this.#aliveUs = realUs;
    }
    this.#candidate = { session: said, lifeSign };
  }

  #takePermits(bits) {
    this.infeedPermit = (bits & COMMAND.INFEED) !== 0;
    this.beltPermit = (bits & COMMAND.BELT) !== 0;
    const resetBit = (bits & COMMAND.ALARM_RESET) !== 0;
    this.alarmReset = resetBit && !this.#resetBit;
    this.#resetBit = resetBit;
  }

  #takeAcknowledgement() {
    const ring = this.#ring;
    const acknowledgement = this.#image.get32(C.ACK);
    const complement = this.#image.get32(C.ACK_COMPLEMENT);
    if (acknowledgement === 0 || complement !== (~acknowledgement >>> 0)) return;
    if (sequencesAhead(acknowledgement, ring.acknowledged) <= 0) return;
    if (sequencesAhead(ring.head, acknowledgement) < 0) return;
    ring.acknowledge(acknowledgement);
  }
}
