// How long to wait before the next try: longer after each failure, never in step with other browsers.

import { ApiError } from "./api.js";

const FIRST_MS = 500;
/** Everybody shall be back 5 s after a cut: this, a try that just missed its end, and a second to connect. */
const LONGEST_MS = 2000;

/** Exponential back-off with jitter, from `FIRST_MS` to `LONGEST_MS`. */
export class Backoff {
  #failures = 0;

  /** @returns {number} Milliseconds to wait after one more failure. */
  next() {
    const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#failures);
    this.#failures += 1;
    return Math.max(FIRST_MS, ceiling * (0.5 + Math.random() / 2));
  }

  /**
   * Wait for the next try after one more failure. A server that said when to come is not asked sooner, also where the
   * network comes back meanwhile; and later by our own delay, since it told everybody the same.
   *
   * @param {unknown} problem What was thrown.
   * @param {...AbortSignal} signals
   * @returns {Promise<void>} Never rejects.
   */
  async wait(problem, ...signals) {
    const ms = this.next();
    if (problem instanceof ApiError && problem.waitMs > 0) await wait(problem.waitMs, signals, null);
    await pause(ms, ...signals);
  }

  /** It works again: the next failure is the first. */
  reset() {
    this.#failures = 0;
  }
}

/**
 * Wait `ms`, or until a signal is aborted or the network comes back, whichever is first.
 *
 * @param {number} ms
 * @param {...AbortSignal} signals
 * @returns {Promise<void>} Never rejects.
 */
export function pause(ms, ...signals) {
  return wait(ms, signals, window);
}

/**
 * @param {number} ms
 * @param {AbortSignal[]} signals
 * @param {Window | null} network Whose `online` ends it, too.
 * @returns {Promise<void>}
 */
function wait(ms, signals, network) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener("abort", done);
      network?.removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    for (const signal of signals) signal.addEventListener("abort", done);
    network?.addEventListener("online", done);
    if (signals.some(({ aborted }) => aborted)) done();
  });
}
