// Whether we share our label, and the label itself: from the camera's picture to the host, and to ourselves.

import { MoodSender } from "./moodsender.js";
import { ownReading } from "./ownmood.js";
import { Perception } from "./perception.js";

/** @typedef {import("./ownmood.js").Verdict} Verdict */
/** @typedef {import("./readings.js").Reading} Reading */

/**
 * `off` until the person chooses otherwise: nothing is worked out, and nothing about them is said.
 *
 * @typedef {"off" | "on" | "paused"} SharingState
 */

/** @type {Verdict} */
const PAUSED = { label: "unknown", score: 0, reason: "paused" };

/** @type {Reading} */
const STARTING = { text: "Getting ready", icon: "dots", tone: "calm", score: null, why: "loading what reads your face" };
/** @type {Reading} */
const LOOKING = { ...STARTING, text: "Looking", why: "for your face" };
/** @type {Reading} */
const NO_PICTURE = { text: "No picture", icon: "pause", tone: "calm", score: null, why: "your camera is off" };

/**
 * @typedef {object} SharingOptions
 * @property {HTMLVideoElement} video Our own picture.
 * @property {(text: string) => void} send To the host; dropped where there is none.
 * @property {(reading: Reading | null) => void} onReading What we are said to do; null while nothing is.
 * @property {(state: SharingState, trouble: string) => void} onState `trouble`: why no label can be worked out, or "".
 */

/** Everything that depends on the one choice. */
export class Sharing {
  /** @type {SharingState} */
  state = "off";
  #options;
  #sender;
  #perception;
  #hasPicture = false;
  #looking = false;
  #trouble = "";

  /** @param {SharingOptions} options */
  constructor(options) {
    this.#options = options;
    this.#sender = new MoodSender(options.send);
    this.#perception = new Perception({
      onVerdict: (verdict) => this.#say(verdict, ownReading(verdict)),
      onState: (state, why) => {
        this.#trouble = state === "failed" ? why : "";
        if (state === "loading") options.onReading(STARTING);
        if (state === "ready") options.onReading(LOOKING);
        options.onState(this.state, this.#trouble);
      },
    });
  }

  /** @param {SharingState} state */
  set(state) {
    if (state === this.state) return;
    this.state = state;
    this.#update();
    this.#options.onState(state, this.#trouble);
  }

  /** @param {boolean} there Whether the camera gives a picture. */
  picture(there) {
    if (there === this.#hasPicture) return;
    this.#hasPicture = there;
    this.#update();
  }

  /** A new session has begun: the host knows nothing of us. */
  repeat() {
    this.#sender.say();
  }

  #update() {
    this.#look(this.state === "on" && this.#hasPicture);
    if (this.state === "off") {
      this.#sender.stop();
      this.#trouble = "";
      this.#options.onReading(null);
    } else if (this.state === "paused") {
      this.#say(PAUSED, ownReading(PAUSED));
    } else if (!this.#hasPicture) {
      this.#say(PAUSED, NO_PICTURE);
    }
  }

  /** @param {boolean} wanted */
  #look(wanted) {
    if (wanted === this.#looking) return;
    this.#looking = wanted;
    if (wanted) this.#perception.start(this.#options.video);
    else this.#perception.stop();
  }

  /**
   * @param {Verdict} verdict
   * @param {Reading} reading
   */
  #say(verdict, reading) {
    this.#sender.put(verdict);
    this.#options.onReading(reading);
  }
}
