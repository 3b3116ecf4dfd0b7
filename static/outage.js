// While the meeting's server is away: what people are told, which after a while is that the meeting seems to have ended.

import { ApiError, explain } from "./api.js";

/** A server that was restarted is back by then; one that is not has most likely ended with its meeting. */
const ENDED_AFTER_MS = 15_000;

const ENDED = "The meeting seems to have ended. Trying again, in case it comes back.";
const SHUT_DOWN = "The host's server has shut down. Trying again, in case it comes back.";

/** From the first sign that the server is gone until it answers again. */
export class Outage {
  #onLong;
  #timer = 0;
  #long = false;
  #saidSo = false;

  /** @param {(words: string) => void} onLong It lasts so long that the meeting seems to have ended; once an outage. */
  constructor(onLong) {
    this.#onLong = onLong;
  }

  /** @param {unknown} problem Of a try that failed just now: what was thrown, or the host's last word, or null. */
  note(problem) {
    if (!isAway(problem)) {
      this.over();
      return;
    }
    this.#saidSo ||= isShutdown(problem);
    if (this.#timer !== 0) return;
    this.#timer = setTimeout(() => {
      this.#long = true;
      this.#onLong(ENDED);
    }, ENDED_AFTER_MS);
  }

  /** The server answers, or nobody waits for it any more. */
  over() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#long = false;
    this.#saidSo = false;
  }

  /**
   * @param {unknown} problem As in `note`.
   * @returns {string} A sentence for people, "" where there is nothing to say.
   */
  explain(problem) {
    if (this.#long) return ENDED;
    if (this.#saidSo) return SHUT_DOWN;
    return problem instanceof Error ? explain(problem) : "";
  }
}

/**
 * @param {unknown} problem
 * @returns {boolean} Whether there was no answer in time, or a proxy's in the server's place, or the server's last one.
 */
function isAway(problem) {
  if (problem instanceof ApiError) return problem.status >= 500 && ["", "draining"].includes(problem.code);
  if (isShutdown(problem)) return true;
  const unanswered = problem instanceof TypeError || (problem instanceof DOMException && problem.name === "AbortError");
  return unanswered && navigator.onLine; // else it is our own network that is away
}

/**
 * @param {unknown} problem
 * @returns {boolean}
 */
function isShutdown(problem) {
  return /** @type {import("./client.js").Ended | null} */ (problem)?.reason === "shutdown";
}
