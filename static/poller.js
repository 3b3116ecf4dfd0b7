// Asks the server for the same thing again and again, and says when it cannot be reached and when it is back.

import { ApiError, request } from "./api.js";
import { Backoff, pause } from "./backoff.js";

/**
 * @template T
 * @typedef {object} PollerOptions
 * @property {string} url
 * @property {string} token
 * @property {number} everyMs
 * @property {(answer: T) => void} onAnswer At every answer.
 * @property {(problem: unknown, final: boolean) => void} [onProblem] At every failed try; after a `final` one no more.
 */

/**
 * Asks until told to stop; after a failure ever more slowly.
 *
 * @template T What the server answers, as JSON.
 */
export class Poller {
  #options;
  #stop = new AbortController();

  /** @param {PollerOptions<T>} options */
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
    const { url, token, everyMs, onAnswer, onProblem } = this.#options;
    const backoff = new Backoff();
    while (!signal.aborted) {
      try {
        const { text } = await request(url, token, { signal });
        if (signal.aborted) return;
        backoff.reset();
        onAnswer(JSON.parse(text));
        await pause(everyMs, signal);
      } catch (problem) {
        if (signal.aborted) return;
        const final = problem instanceof ApiError && problem.final;
        onProblem?.(problem, final);
        if (final) return;
        await backoff.wait(problem, signal);
      }
    }
  }
}
