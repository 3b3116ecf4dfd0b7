// Polls `/r/{room}/status`, and says when the server cannot be reached and when it is back. No UI in here.

import { ApiError, request } from "./api.js";
import { Backoff, pause } from "./backoff.js";

const EVERY_MS = 1000;

/**
 * @typedef {object} Mood What a participant's device says of them; only a host is told.
 * @property {"attentive" | "not_attentive" | "unknown"} label
 * @property {number} score 0 to 1.
 * @property {"face" | "no_face" | "paused" | "no_model" | "away" | "turned" | "down" | "eyes_closed" | "looking_off"} reason
 * @property {number} age_s
 */

/**
 * @typedef {object} Participant
 * @property {string} id
 * @property {string} name As they typed it: show it as text, never as markup.
 * @property {"connecting" | "live" | "stale" | "gone"} state
 * @property {number} joined_s Seconds since they joined.
 * @property {{width: number, height: number, fps: number} | null} video What they send; null for nothing.
 * @property {Mood | null} [mood] Null for somebody who shares none.
 */

/**
 * @typedef {object} RoomStatus
 * @property {string} room
 * @property {number} uptime_s
 * @property {{width: number, height: number, fps: number, viewers: number}} grid
 * @property {Participant[]} participants In the order of their tiles.
 */

/**
 * @typedef {object} StatusOptions
 * @property {string} url `/r/{room}/status`.
 * @property {string} token
 * @property {(status: RoomStatus) => void} onStatus Once a second.
 * @property {(problem: unknown, final: boolean) => void} onProblem At every failed try; after a `final` one no more.
 */

/** Asks for the status until told to stop. */
export class StatusPoller {
  #options;
  #stop = new AbortController();

  /** @param {StatusOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /** Begin, or begin again after `stop`. */
  start() {
    this.#stop.abort();
    this.#stop = new AbortController();
    void this.#run(this.#stop.signal);
  }

  stop() {
    this.#stop.abort();
  }

  /** @param {AbortSignal} signal */
  async #run(signal) {
    const { url, token, onStatus, onProblem } = this.#options;
    const backoff = new Backoff();
    while (!signal.aborted) {
      let wait = EVERY_MS;
      try {
        const { text } = await request(url, token, { signal });
        if (signal.aborted) return;
        backoff.reset();
        onStatus(JSON.parse(text));
      } catch (problem) {
        if (signal.aborted) return;
        const final = problem instanceof ApiError && problem.final;
        onProblem(problem, final);
        if (final) return;
        wait = backoff.next();
      }
      await pause(wait, signal);
    }
  }
}
