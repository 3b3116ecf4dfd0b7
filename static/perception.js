// Perception of the person in front of this camera: a worker finds the face and reads it, and no picture leaves this
// device. No UI in here.

import { median } from "./perception/median.js";
import { NO_MODEL } from "./perception/verdict.js";
import { VideoFrames } from "./perception/video.js";

/** @typedef {import("./perception/crop.js").Box} Box */
/** @typedef {import("./perception/verdict.js").Verdict} Verdict */
/** @typedef {import("./perception/worker.js").Message} Message */

/**
 * Where perception stands: `loading` -> `ready`, and either -> `failed`, for good.
 *
 * @typedef {"loading" | "ready" | "failed"} PerceptionState
 */

/**
 * @typedef {object} PerceptionOptions
 * @property {(verdict: Verdict, box: Box | null) => void} onVerdict At every decision, five a second, with the face in
 *   pixels of the video; `unknown` while nothing can be read, and once where nothing ever will.
 * @property {(state: PerceptionState, why: string) => void} onState At every change; why it failed, for people, or "".
 */

/**
 * @typedef {object} PerceptionStats
 * @property {number} decisions Frames looked at since `start`.
 * @property {number} medianMs The worker's time for one, of the last minute; NaN before the first.
 * @property {number} firstDecisionMs From `start` to the first; NaN before it.
 * @property {number} mainMs The longest that we kept the page from other things.
 */

/** Decisions of which the times are kept: a minute. */
const TIMES_KEPT = 300;

/** Reads the person in one video at a time. */
export class Perception {
  #options;
  /** @type {Worker | null} Null while stopped. */
  #worker = null;
  /** @type {VideoFrames | null} */
  #frames = null;
  #startedMs = 0;
  #firstDecisionMs = NaN;
  #decisions = 0;
  /** @type {number[]} */
  #timesMs = [];

  /** @param {PerceptionOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /** @returns {PerceptionStats} */
  get stats() {
    return {
      decisions: this.#decisions,
      medianMs: median(this.#timesMs),
      firstDecisionMs: this.#firstDecisionMs,
      mainMs: this.#frames?.longestMs ?? 0,
    };
  }

  /**
   * Begin to read the person in `video`.
   *
   * @param {HTMLVideoElement} video Plays the camera.
   */
  start(video) {
    this.stop();
    this.#startedMs = performance.now();
    this.#firstDecisionMs = NaN;
    this.#decisions = 0;
    this.#timesMs = [];
    const worker = new Worker(new URL("./perception/worker.js", import.meta.url), { type: "module" });
    const frames = new VideoFrames(video, (frame) => worker.postMessage(frame, [frame.image]));
    worker.addEventListener("message", ({ data }) => {
      if (worker === this.#worker) this.#heard(data, worker, frames);
    });
    worker.addEventListener("error", (event) => {
      if (worker !== this.#worker) return;
      this.#fail(worker, `The reading of your picture broke off: expected a worker, got ${event.message || "none"}`);
    });
    this.#worker = worker;
    this.#frames = frames;
    this.#options.onState("loading", "");
  }

  /** End the worker; nothing is called any more. */
  stop() {
    this.#frames?.stop();
    this.#worker?.terminate();
    this.#worker = null;
  }

  /**
   * @param {Message} message
   * @param {Worker} worker
   * @param {VideoFrames} frames
   */
  #heard(message, worker, frames) {
    switch (message.t) {
      case "ready":
        return this.#options.onState("ready", "");
      case "want":
        return frames.want();
      case "decision":
        this.#count(message.workMs);
        if (message.verdict !== null) this.#options.onVerdict(message.verdict, message.box);
        return;
      case "trouble":
        if (message.why !== "") console.warn("perception failed; the label is unknown meanwhile:", message.why);
        return this.#options.onVerdict(message.verdict, null);
      case "blind":
        return this.#options.onVerdict(message.verdict, null);
      case "failed":
        return this.#fail(worker, message.why);
    }
  }

  /**
   * @param {Worker} worker
   * @param {string} why For people.
   */
  #fail(worker, why) {
    this.#options.onState("failed", why);
    if (worker !== this.#worker) return; // they stopped us
    this.#options.onVerdict(NO_MODEL, null);
    if (worker === this.#worker) this.stop();
  }

  /** @param {number} workMs */
  #count(workMs) {
    this.#decisions += 1;
    if (this.#decisions === 1) this.#firstDecisionMs = performance.now() - this.#startedMs;
    this.#timesMs.push(workMs);
    if (this.#timesMs.length > TIMES_KEPT) this.#timesMs.shift();
  }
}
