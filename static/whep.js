// A WHEP client: keeps the clean grid coming into one MediaStream, whatever happens on the way. No UI in here.

import { ApiError, request } from "./api.js";
import { Backoff, pause } from "./backoff.js";

/** Candidates gathered until then go into the offer; there is no trickle ICE. Host candidates take a few ms. */
const GATHERING_MS = 1000;
/** For ICE, DTLS and the first key frame. */
const FIRST_FRAME_MS = 8000;
/** A running picture that stops for this long is lost. */
const FRAME_GAP_MS = 4000;
/** "disconnected" often heals by itself; after this long it has not. */
const DISCONNECTED_MS = 3000;
/** How often the connection is looked at: before the first frame, and after it. */
const STARTING_TICK_MS = 200;
const RUNNING_TICK_MS = 500;

/**
 * Where the player stands: `connecting` -> `live` <-> `reconnecting`; any of them -> `ended`, for good.
 *
 * @typedef {"connecting" | "live" | "reconnecting" | "ended"} WhepState
 */

/**
 * @typedef {object} WhepStats What arrives now.
 * @property {number} width Pixels.
 * @property {number} height Pixels.
 * @property {number} fps Frames decoded per second.
 * @property {number} kbps Kilobits received per second.
 */

/**
 * @typedef {object} WhepOptions
 * @property {string} url Where to post the offer: `/whep/{room}`.
 * @property {string} token Goes into the Authorization header.
 * @property {(stream: MediaStream) => void} onStream Each connection brings a new stream; show it in place of the last.
 * @property {(state: WhepState, problem: unknown) => void} onState At every change, and at every failed try;
 *   `problem` is what was thrown, or null where nothing was.
 * @property {(stats: WhepStats) => void} [onStats] About twice a second while live.
 */

/** Keeps one WHEP session alive: opens it, watches over it, opens the next one when it is lost. */
export class WhepPlayer {
  #options;
  /** @type {WhepState} */
  #state = "connecting";
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
      this.#become("reconnecting", problem);
      await pause(this.#backoff.next(), signal);
    }
  }

  /**
   * @param {WhepState} state
   * @param {unknown} problem
   */
  #become(state, problem) {
    const news = state !== this.#state || problem !== null || state === "connecting";
    this.#state = state;
    if (news) this.#options.onState(state, problem);
  }
}

/** One exchange of offer and answer, and the connection that came of it. */
class Session {
  #options;
  #onLive;
  #connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  /** @type {string | null} Where to DELETE. */
  #resource = null;

  /**
   * @param {WhepOptions} options
   * @param {() => void} onLive The first frame was decoded.
   */
  constructor(options, onLive) {
    this.#options = options;
    this.#onLive = onLive;
  }

  /**
   * Open the session; resolves when it is lost.
   *
   * @param {AbortSignal} signal
   * @throws {ApiError | TypeError} It could not be opened.
   */
  async watch(signal) {
    await this.#open(signal);
    await this.#untilLost(signal);
  }

  /** Tell the server, and close the connection. Safe to call twice. */
  close() {
    const connection = this.#connection;
    if (this.#resource === null) {
      connection.close();
      return;
    }
    const resource = this.#resource;
    this.#resource = null;
    // `keepalive` lets the request outlive the page. The connection is closed after it: closing ends the session too,
    // and then there would be nothing to DELETE. Whatever the answer is, it is fine.
    request(resource, this.#options.token, { method: "DELETE", keepalive: true })
      .catch(() => {})
      .finally(() => connection.close());
  }

  /** @param {AbortSignal} signal */
  async #open(signal) {
    const { url, token, onStream } = this.#options;
    const connection = this.#connection;
    connection.addEventListener("track", ({ track }) => onStream(new MediaStream([track])));
    connection.addTransceiver("video", { direction: "recvonly" });
    await connection.setLocalDescription();
    await gathered(connection);
    const answer = await request(url, token, {
      method: "POST",
      headers: { "Content-Type": "application/sdp" },
      body: connection.localDescription?.sdp ?? "",
      signal,
    });
    const location = answer.headers.get("Location");
    if (location !== null) this.#resource = new URL(location, answer.url).href;
    if (signal.aborted) return;
    await connection.setRemoteDescription({ type: "answer", sdp: answer.text });
  }

  /** @param {AbortSignal} signal */
  async #untilLost(signal) {
    const watchdog = new Watchdog();
    let live = false;
    while (!signal.aborted) {
      await pause(live ? RUNNING_TICK_MS : STARTING_TICK_MS, signal);
      const now = performance.now();
      const inbound = await readInbound(this.#connection);
      if (signal.aborted) return;
      const state = stateOf(this.#connection);
      if (state === "closed") this.#resource = null; // the server ended it: there is nothing left to DELETE
      if (watchdog.lost(state, inbound?.framesDecoded ?? 0, now)) return;
      if (!live && watchdog.framesSeen) {
        live = true;
        this.#onLive();
      }
      if (live && inbound !== null) this.#options.onStats?.(watchdog.rates(inbound, now));
    }
  }
}

/** Decides when a session is lost, from what it is told at every tick. */
class Watchdog {
  framesSeen = false;
  #frames = 0;
  #progressMs = performance.now();
  /** @type {number | null} Since when. */
  #disconnectedMs = null;
  /** @type {{ms: number, frames: number, bytes: number} | null} */
  #before = null;
  #fps = 0;
  #kbps = 0;

  /**
   * @param {RTCPeerConnectionState} state
   * @param {number} frames Decoded so far.
   * @param {number} now
   * @returns {boolean}
   */
  lost(state, frames, now) {
    if (state === "failed" || state === "closed") return true;
    if (state !== "disconnected") this.#disconnectedMs = null;
    else if (now - (this.#disconnectedMs ??= now) > DISCONNECTED_MS) return true;
    // Browsers may stop decoding for a page that nobody sees.
    if (frames > this.#frames || document.hidden) this.#progressMs = now;
    this.#frames = frames;
    this.framesSeen ||= frames > 0;
    return now - this.#progressMs > (this.framesSeen ? FRAME_GAP_MS : FIRST_FRAME_MS);
  }

  /**
   * @param {RTCInboundRtpStreamStats} inbound
   * @param {number} now
   * @returns {WhepStats} Rates over the last second or two.
   */
  rates(inbound, now) {
    const frames = inbound.framesDecoded ?? 0;
    const bytes = inbound.bytesReceived ?? 0;
    const before = (this.#before ??= { ms: now, frames, bytes });
    const seconds = (now - before.ms) / 1000;
    if (seconds >= 1) {
      this.#fps = (frames - before.frames) / seconds;
      this.#kbps = ((bytes - before.bytes) * 8) / 1000 / seconds;
      this.#before = { ms: now, frames, bytes };
    }
    return { width: inbound.frameWidth ?? 0, height: inbound.frameHeight ?? 0, fps: this.#fps, kbps: this.#kbps };
  }
}

/**
 * Resolves when the connection has gathered its candidates, or after `GATHERING_MS` with what there is.
 *
 * @param {RTCPeerConnection} connection
 * @returns {Promise<void>}
 */
function gathered(connection) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, GATHERING_MS);
    const look = () => {
      if (connection.iceGatheringState !== "complete") return;
      clearTimeout(timer);
      resolve();
    };
    connection.addEventListener("icegatheringstatechange", look);
    look();
  });
}

/**
 * The connection's state, and "closed" also when the other side said good-bye (a DTLS alert), which browsers show
 * nowhere but at the transport.
 *
 * @param {RTCPeerConnection} connection
 * @returns {RTCPeerConnectionState}
 */
function stateOf(connection) {
  const transport = connection.getReceivers()[0]?.transport ?? null;
  return transport?.state === "closed" ? "closed" : connection.connectionState;
}

/**
 * @param {RTCPeerConnection} connection
 * @returns {Promise<RTCInboundRtpStreamStats | null>} What came in on the video track; null before anything did.
 */
async function readInbound(connection) {
  for (const report of (await connection.getStats()).values()) {
    if (report.type === "inbound-rtp" && report.kind === "video") return report;
  }
  return null;
}
