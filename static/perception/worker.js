// The worker: asks the page for a frame five times a second, looks at it, and says what it sees. The same loop as in
// peer/perception/worker.py; being asked, the page never sends a frame too many, and a worker's clock goes on in tabs
// that nobody sees.

import { SteadyReader } from "./attention.js";
import { Eye } from "./eye.js";
import { FrameReader, Inbox, toFrame } from "./frames.js";
import { PerceptionUnavailable } from "./unavailable.js";
import { NO_MODEL, NO_PICTURE } from "./verdict.js";

/** @typedef {import("./crop.js").Box} Box */
/** @typedef {import("./frames.js").Frame} Frame */
/** @typedef {import("./verdict.js").Verdict} Verdict */

/**
 * What the worker says. `want`: a new frame, please; said again while none comes. `decision`: what one frame showed,
 * or null while too little was seen, and how long that took. `blind`: there is no frame to judge. `trouble`: looking
 * failed, and is tried again.
 *
 * @typedef {{t: "ready"} | {t: "want"} | {t: "failed", why: string}
 *   | {t: "decision", verdict: Verdict | null, box: Box | null, workMs: number}
 *   | {t: "blind", verdict: Verdict} | {t: "trouble", verdict: Verdict, why: string}} Message
 */

/** Five decisions a second: a label follows the person within a second. */
const PERIOD_MS = 200;
/** Without a new frame for this long there is nothing to judge. */
const BLIND_AFTER_MS = 1000;

const say = /** @type {(message: Message) => void} */ (postMessage);

/** Looks and says what it sees, for good: the page ends the worker. */
class Watch {
  #inbox;
  #eye;
  #frames = new FrameReader();
  #steady;
  #failed = false;

  /**
   * @param {Inbox} inbox
   * @param {Eye} eye
   */
  constructor(inbox, eye) {
    this.#inbox = inbox;
    this.#eye = eye;
    this.#steady = new SteadyReader(eye.threshold);
  }

  /** @returns {Promise<never>} */
  async run() {
    let dueMs = performance.now();
    let seenMs = dueMs;
    for (;;) {
      await until(dueMs);
      say({ t: "want" });
      const frame = await this.#inbox.take(PERIOD_MS);
      const nowMs = performance.now();
      if (frame !== null) {
        seenMs = nowMs;
        await this.#look(frame);
      } else if (nowMs - seenMs > BLIND_AFTER_MS) {
        this.#forget();
        say({ t: "blind", verdict: NO_PICTURE });
      }
      // A machine too slow for this decides less often, instead of never pausing.
      dueMs = Math.max(dueMs + PERIOD_MS, performance.now() + PERIOD_MS / 2);
    }
  }

  /** @param {Frame} frame */
  async #look({ image, timeS }) {
    const startMs = performance.now();
    try {
      const { picture, scale } = this.#frames.read(image);
      const { box, reading } = await this.#eye.look(picture);
      const verdict = this.#steady.push(timeS, reading);
      this.#failed = false;
      say({ t: "decision", verdict, box: toFrame(box, scale), workMs: performance.now() - startMs });
    } catch (error) {
      // Whatever it is, the meeting is worth more than the label.
      this.#forget();
      say({ t: "trouble", verdict: NO_MODEL, why: this.#failed ? "" : String(error) });
      this.#failed = true;
    }
  }

  #forget() {
    this.#eye.reset();
    this.#steady.clear();
  }
}

/**
 * @param {number} dueMs
 * @returns {Promise<void>}
 */
function until(dueMs) {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())));
}

/** Load everything, and look at what comes. */
async function main() {
  const inbox = new Inbox();
  addEventListener("message", ({ data }) => inbox.put(data));
  if (typeof OffscreenCanvas === "undefined") {
    throw new PerceptionUnavailable("This browser cannot read your picture", "OffscreenCanvas", "an older browser");
  }
  const eye = await Eye.load();
  say({ t: "ready" });
  await new Watch(inbox, eye).run();
}

main().catch((error) => say({ t: "failed", why: error instanceof Error ? error.message : String(error) }));
