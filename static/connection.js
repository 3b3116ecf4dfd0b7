// What every WebRTC connection of ours needs: one exchange of offer and answer over HTTP, and a watch over what comes
// of it. WHIP (RFC 9725) and WHEP alike.

import { request } from "./api.js";
import { askIceServers, useIceServers } from "./ice.js";

/** Candidates gathered until then go into the offer; there is no trickle ICE. Host candidates take a few ms. */
const GATHERING_MS = 1000;
/** With ICE servers, which are farther away, or not there at all; what got lost is asked again twice by then. */
const SERVERS_GATHERING_MS = 2000;
/** For ICE, DTLS and the first key frame. */
const FIRST_FRAME_MS = 8000;
/** A running picture that stops for this long is lost. */
const FRAME_GAP_MS = 4000;
/** "disconnected" often heals by itself; after this long it has not. */
const DISCONNECTED_MS = 3000;
/** Of a running picture there is always something on its way: after this long without a byte the network is cut. */
const SILENT_MS = 2500;
/** For the answer to an offer: a new try is sooner than the fourth time that systems knock again. */
const ANSWER_MS = 4000;
/** How often a connection is looked at: before the first frame, and after it. */
export const STARTING_TICK_MS = 200;
export const RUNNING_TICK_MS = 500;

/**
 * Where a connection to a meeting stands: `connecting` -> `live` <-> `reconnecting`, or `waiting` where a try failed
 * before it was ever `live`; any of them -> `ended`, for good.
 *
 * @typedef {"connecting" | "waiting" | "live" | "reconnecting" | "ended"} ConnectionState
 */

/**
 * @typedef {object} GridStats What arrives now.
 * @property {number} width Pixels.
 * @property {number} height Pixels.
 * @property {number} fps Frames decoded per second.
 * @property {number} kbps Kilobits received per second.
 */

/** A connection, and the session at the server that it belongs to. */
export class Exchange {
  connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  #token;
  #ice;
  /** @type {string | null} Where to DELETE. */
  #resource = null;
  #closed = false;

  /**
   * @param {string} token What opens the session, and ends it.
   * @param {boolean} ice Whether the server has ICE servers to tell of.
   */
  constructor(token, ice) {
    this.#token = token;
    this.#ice = ice;
  }

  /**
   * Post the offer of the connection as it is now, and take the answer.
   *
   * @param {string} url
   * @param {AbortSignal} signal
   * @returns {Promise<Headers>} Of the answer.
   * @throws {import("./api.js").ApiError | TypeError | DOMException} It could not be opened.
   */
  async open(url, signal) {
    const { connection } = this;
    const servers = this.#ice ? await askIceServers(url, this.#token) : [];
    if (servers.length > 0) useIceServers(connection, servers);
    await connection.setLocalDescription();
    await gathered(connection, servers.length > 0 ? SERVERS_GATHERING_MS : GATHERING_MS);
    const answer = await request(url, this.#token, {
      method: "POST",
      headers: { "Content-Type": "application/sdp" },
      body: connection.localDescription?.sdp ?? "",
      signal,
      timeoutMs: ANSWER_MS,
    });
    const location = answer.headers.get("Location");
    if (location !== null) this.#resource = new URL(location, answer.url).href;
    if (!signal.aborted) await connection.setRemoteDescription({ type: "answer", sdp: answer.text });
    return answer.headers;
  }

  /** The server has ended the session, or is to keep its place: there is nothing to DELETE. */
  forget() {
    this.#resource = null;
  }

  /** Tell the server, and close the connection. Safe to call twice, and while the page goes away. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    const { connection } = this;
    const resource = this.#resource;
    if (resource === null) {
      connection.close();
      return;
    }
    this.#resource = null;
    // `keepalive` lets the request outlive the page. The connection is closed after it: closing ends the session too,
    // and then there would be nothing to DELETE. Whatever the answer is, it is fine.
    request(resource, this.#token, { method: "DELETE", keepalive: true })
      .catch(() => {})
      .finally(() => connection.close());
  }
}

/** Decides when a connection is lost, from what it is told at every tick. */
export class Watchdog {
  framesSeen = false;
  #frames = 0;
  #progressMs = performance.now();
  #bytes = 0;
  #bytesMs = performance.now();
  /** @type {number | null} Since when. */
  #disconnectedMs = null;
  /** @type {{ms: number, frames: number, bytes: number} | null} */
  #before = null;
  #fps = 0;
  #kbps = 0;

  /**
   * @param {RTCPeerConnectionState} state
   * @param {RTCStatsReport} report
   * @param {number} now
   * @returns {boolean}
   */
  lost(state, report, now) {
    const frames = inboundVideo(report)?.framesDecoded ?? 0;
    const bytes = receivedBytes(report);
    if (bytes !== this.#bytes) this.#bytesMs = now;
    this.#bytes = bytes;
    if (state === "failed" || state === "closed") return true;
    if (state !== "disconnected") this.#disconnectedMs = null;
    else if (now - (this.#disconnectedMs ??= now) > DISCONNECTED_MS) return true;
    // Browsers may stop decoding for a page that nobody sees.
    if (frames > this.#frames || document.hidden) this.#progressMs = now;
    this.#frames = frames;
    this.framesSeen ||= frames > 0;
    if (this.framesSeen && now - this.#bytesMs > SILENT_MS) return true;
    return now - this.#progressMs > (this.framesSeen ? FRAME_GAP_MS : FIRST_FRAME_MS);
  }

  /**
   * @param {RTCInboundRtpStreamStats} inbound
   * @param {number} now
   * @returns {GridStats} Rates over the last second or two.
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
 * Resolves when the connection has gathered its candidates, or after a while with what there is.
 *
 * A relay candidate is enough: it comes after the others, and gets through everywhere.
 *
 * @param {RTCPeerConnection} connection
 * @param {number} patienceMs
 * @returns {Promise<void>}
 */
function gathered(connection, patienceMs) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, patienceMs);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    const look = () => connection.iceGatheringState === "complete" && done();
    connection.addEventListener("icegatheringstatechange", look);
    connection.addEventListener("icecandidate", ({ candidate }) => candidate?.type === "relay" && done());
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
export function stateOf(connection) {
  const transport = connection.getReceivers()[0]?.transport ?? null;
  return transport?.state === "closed" ? "closed" : connection.connectionState;
}

/**
 * @param {RTCStatsReport} report
 * @returns {number} Everything that has come over the connection, the data channel's messages too.
 */
function receivedBytes(report) {
  for (const entry of report.values()) {
    if (entry.type === "transport") return entry.bytesReceived ?? 0;
  }
  return 0;
}

/**
 * @param {RTCStatsReport} report
 * @returns {RTCInboundRtpStreamStats | null} What came in on the video track; null before anything did.
 */
export function inboundVideo(report) {
  for (const entry of report.values()) {
    if (entry.type === "inbound-rtp" && entry.kind === "video") return entry;
  }
  return null;
}
