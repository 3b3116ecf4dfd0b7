// A WHEP client: keeps the clean grid coming into one MediaStream, whatever happens on the way. No UI in here.

import { ApiError } from "./api.js";
import { Backoff, pause } from "./backoff.js";
import { Exchange, RUNNING_TICK_MS, STARTING_TICK_MS, Watchdog, inboundVideo, stateOf } from "./connection.js";

/** @typedef {import("./connection.js").ConnectionState} ConnectionState */
/** @typedef {import("./connection.js").GridStats} GridStats */

/**
 * @typedef {object} WhepOptions
 * @property {string} url Where to post the offer: `/whep/{room}`.
 * @property {string} token Goes into the Authorization header.
 * @property {boolean} ice Whether the server has ICE servers to tell of.
 * @property {(stream: MediaStream) => void} onStream Each connection brings a new stream; show it in place of the last.
 * @property {(state: ConnectionState, problem: unknown) => void} onState At every change, and at every failed try;
 *   `problem` is what was thrown, or null where nothing was.
 * @property {(stats: GridStats) => void} [onStats] About twice a second while live.
 */

/** Keeps one WHEP session alive: opens it, watches over it, opens the next one when it is lost. */
export class WhepPlayer {
  #options;
  /** @type {ConnectionState} */
  #state = "connecting";
  #everLive = false;
  #backoff = new Backoff();
  /** @type {Session | null} */
  #session = null;
  #stop = new AbortController();

  /** @param {WhepOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /** Begin, or begin again after `close`. */
  start() {
    this.#stop.abort();
    this.#stop = new AbortController();
    this.#become("connecting", null);
    void this.#run(this.#stop.signal);
  }

  /** Leave: nothing is left open here or at the server. Works while the page is going away. */
  close() {
    this.#stop.abort();
    this.#session?.close();
    this.#session = null;
  }

  /** @param {AbortSignal} signal */
  async #run(signal) {
    while (!signal.aborted) {
      /** @type {unknown} */
      let problem = null;
      const session = new Session(this.#options, () => {
        this.#backoff.reset();
        this.#everLive = true;
        if (!signal.aborted) this.#become("live", null);
      });
      this.#session = session;
      try {
        await session.watch(signal);
      } catch (error) {
        problem = error;
      } finally {
        session.close();
      }
      if (signal.aborted) return;
      if (problem instanceof ApiError && problem.final) {
        this.#become("ended", problem);
        return;
      }
      this.#become(this.#everLive ? "reconnecting" : "waiting", problem);
      await this.#backoff.wait(problem, signal);
    }
  }

  /**
   * @param {ConnectionState} state
   * @param {unknown} problem
   */
  #become(state, problem) {
    const news = state !== this.#state || problem !== null || state === "connecting";
    this.#state = state;
    if (news) this.#options.onState(state, problem);
  }
}

/** One session, from its offer until it is lost. */
class Session {
  #options;
  #onLive;
  #exchange;

  /**
   * @param {WhepOptions} options
   * @param {() => void} onLive The first frame was decoded.
   */
  constructor(options, onLive) {
    this.#options = options;
    this.#onLive = onLive;
    this.#exchange = new Exchange(options.token, options.ice);
  }

  /**
   * Open the session; resolves when it is lost.
   *
   * @param {AbortSignal} signal
   * @throws {ApiError | TypeError} It could not be opened.
   */
  async watch(signal) {
    const { url, onStream } = this.#options;
    const { connection } = this.#exchange;
    connection.addEventListener("track", ({ track }) => onStream(new MediaStream([track])));
    connection.addTransceiver("video", { direction: "recvonly" });
    await this.#exchange.open(url, signal);
    await this.#untilLost(signal);
  }

  /** Tell the server, and close the connection. Safe to call twice. */
  close() {
    this.#exchange.close();
  }

  /** @param {AbortSignal} signal */
  async #untilLost(signal) {
    const { connection } = this.#exchange;
    const watchdog = new Watchdog();
    let live = false;
    while (!signal.aborted) {
      await pause(live ? RUNNING_TICK_MS : STARTING_TICK_MS, signal);
      const now = performance.now();
      const report = await connection.getStats();
      const inbound = inboundVideo(report);
      if (signal.aborted) return;
      const state = stateOf(connection);
      if (state === "closed") this.#exchange.forget();
      if (watchdog.lost(state, report, now)) return;
      if (!live && watchdog.framesSeen) {
        live = true;
        this.#onLive();
      }
      if (live && inbound !== null) this.#options.onStats?.(watchdog.rates(inbound, now));
    }
  }
}
