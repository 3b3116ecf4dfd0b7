// Says our mood to the host: at once when it changes, and once a second, for as long as somebody wants it shared.

import { MOOD_EVERY_MS, mood } from "./protocol.js";

/** @typedef {import("./protocol.js").Label} Label */
/** @typedef {{label: Label, score: number, reason: string}} Said */

/** Holds the one mood that counts: the newest. Nothing is said before there is one, and nothing after `stop`. */
export class MoodSender {
  #send;
  /** @type {Said | null} */
  #now = null;
  #seq = 0;
  #timer = 0;

  /** @param {(text: string) => void} send Drops what cannot be sent now. */
  constructor(send) {
    this.#send = send;
  }

  /** @param {Said} verdict What holds from now on. */
  put(verdict) {
    const before = this.#now;
    this.#now = verdict;
    if (before?.label !== verdict.label || before.reason !== verdict.reason) this.say();
  }

  /** Say it now, and again within a second; after a new session began, too. */
  say() {
    clearTimeout(this.#timer);
    if (this.#now === null) return;
    this.#seq += 1;
    this.#send(mood(this.#now, this.#seq));
    this.#timer = setTimeout(() => this.say(), MOOD_EVERY_MS);
  }

  /** Share no more: the host forgets what was said within seconds. */
  stop() {
    clearTimeout(this.#timer);
    this.#now = null;
  }
}
