// Stays in the meeting: opens a session, and another one whenever it is lost, until somebody leaves. No UI in here.

import { ApiError } from "./api.js";
import { Backoff } from "./backoff.js";
import { MeetingSession } from "./session.js";

/** Coming back after one of these would be against somebody's will. */
const FINAL_BYES = new Set(["removed", "misbehaved", "replaced"]);
/** The same, as an answer; or the meeting is not any more what the person agreed to. */
const FINAL_CODES = new Set(["removed", "mode_changed", "mode_fixed"]);

/** @typedef {import("./connection.js").ConnectionState} ConnectionState */
/** @typedef {import("./session.js").SessionEvents} SessionEvents */

/** @typedef {{reason: string}} Ended The host ended it for good, with this `bye`. */

/**
 * @typedef {object} ClientOptions
 * @property {string} url `/whip/{room}`
 * @property {boolean} ice Whether the server has ICE servers to tell of.
 * @property {string} invite The link's token: for who is new.
 * @property {string} name
 * @property {string} mode What the person was told of who sees labels: the server refuses if it is another one by now.
 * @property {{load: () => string, save: (token: string) => void, clear: () => void}} resume Keeps the personal token,
 *   which takes our tile back.
 * @property {(state: ConnectionState, problem: unknown) => void} onState At every change, and at every failed try;
 *   `problem` is what was thrown, an `Ended`, or null where nothing was.
 * @property {() => void} onSession A new session can be talked to.
 * @property {SessionEvents["onStream"]} onStream
 * @property {SessionEvents["onRoster"]} onRoster
 * @property {SessionEvents["onStats"]} onStats
 */

/** Runs sessions one after the other; a personal token keeps identity and tile across them. */
export class MeetingClient {
  #options;
  #backoff = new Backoff();
  #stop = new AbortController();
  /** @type {MeetingSession | null} */
  #session = null;
  /** @type {MediaStreamTrack | null} */
  #track = null;
  #everLive = false;

  /** @param {ClientOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /** Begin, or begin again after `close`. */
  start() {
    this.#stop.abort();
    this.#stop = new AbortController();
    this.#options.onState("connecting", null);
    void this.#run(this.#stop.signal);
  }

  /** @param {MediaStreamTrack | null} track What everybody sees of us from now on; null for nothing. */
  show(track) {
    this.#track = track;
    void this.#session?.show(track);
  }

  /** @param {string} text */
  send(text) {
    this.#session?.send(text);
  }

  /** The page was hidden, or is seen again. */
  adapt() {
    this.#session?.adapt();
  }

  /** Leave: nothing is left open here or at the server. Works while the page is going away. */
  close() {
    this.#stop.abort();
    this.#session?.close({ leave: true });
    this.#session = null;
  }

  /** @param {AbortSignal} signal */
  async #run(signal) {
    while (!signal.aborted) {
      const problem = await this.#attend(signal);
      if (signal.aborted) return;
      if (this.#isFinal(problem)) {
        this.#options.onState("ended", problem);
        return;
      }
      this.#options.onState(this.#everLive ? "reconnecting" : "waiting", problem);
      await this.#backoff.wait(problem, signal);
    }
  }

  /**
   * One session, from its offer to its end.
   *
   * @param {AbortSignal} signal
   * @returns {Promise<unknown>} What went wrong, or the host's last word, or null.
   */
  async #attend(signal) {
    const { url, ice, invite, name, mode, resume, onState, onSession, onStream, onRoster, onStats } = this.#options;
    const personal = resume.load();
    const session = new MeetingSession(personal || invite, ice, {
      onStream,
      onRoster,
      onStats,
      onResume: (token) => resume.save(token),
      onLive: () => {
        this.#backoff.reset();
        this.#everLive = true;
        if (signal.aborted) return;
        onState("live", null);
        onSession();
      },
    });
    this.#session = session;
    let leave = true;
    try {
      await session.show(this.#track);
      const end = await session.run(`${url}?${new URLSearchParams({ name, mode })}`, signal);
      leave = signal.aborted; // else the tile shall wait for us, or there is none any more
      if (end.byHost && end.reason === "removed") resume.clear(); // it opens nothing any more
      return end.byHost ? { reason: end.reason } : null;
    } catch (problem) {
      if (!(problem instanceof ApiError) || personal === "") return problem;
      if (FINAL_CODES.has(problem.code) || [401, 403].includes(problem.status)) resume.clear();
      // The server may have a new secret: ask once more as a newcomer.
      return [401, 403].includes(problem.status) && !FINAL_CODES.has(problem.code) ? null : problem;
    } finally {
      if (this.#session === session) this.#session = null;
      session.close({ leave });
    }
  }

  /**
   * @param {unknown} problem
   * @returns {boolean} Whether trying again makes no sense.
   */
  #isFinal(problem) {
    if (problem instanceof ApiError) {
      return FINAL_CODES.has(problem.code) || (problem.final && (!this.#everLive || problem.status < 404));
    }
    const end = /** @type {Ended | null} */ (problem);
    return FINAL_BYES.has(end?.reason ?? "");
  }
}
