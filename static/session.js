// A participant's session: our picture out, the grid in, and the channel `mood`, settled in one exchange. No UI in here.

import { pause } from "./backoff.js";
import { Exchange, RUNNING_TICK_MS, STARTING_TICK_MS, Watchdog, inboundVideo, stateOf } from "./connection.js";
import { CHANNEL_LABEL, RESUME_HEADER, SILENCE_MS, pong, readMessage } from "./protocol.js";
import { LinkMeter } from "./quality.js";
import { SizeGovernor } from "./sendsize.js";

/** From the answer to an open channel: ICE and DTLS take well under a second on a working network. */
const CONNECT_MS = 10_000;
/** With more than this waiting the channel is not draining, and whatever we say next will be newer anyway. */
const MAX_BUFFERED_BYTES = 4096;

/** @typedef {import("./connection.js").GridStats} GridStats */
/** @typedef {import("./protocol.js").RosterEntry} RosterEntry */
/** @typedef {import("./quality.js").LinkQuality} LinkQuality */

/**
 * @typedef {object} SessionEvents
 * @property {(stream: MediaStream) => void} onStream The grid.
 * @property {() => void} onLive The channel is open and the grid is there.
 * @property {(resume: string) => void} onResume The personal token that takes this tile back.
 * @property {(participants: RosterEntry[]) => void} onRoster
 * @property {(grid: GridStats, link: LinkQuality) => void} onStats About twice a second while live.
 */

/** @typedef {{reason: string, byHost: boolean}} SessionEnd `byHost`: the host said so itself, with `bye`. */

/** `run` until it ends, then `close`; each once. */
export class MeetingSession {
  #exchange;
  #events;
  #sender;
  #governor;
  #channel;
  #ended = new AbortController();
  /** @type {SessionEnd} */
  #end = { reason: "left", byHost: false };
  #heardMs = 0;

  /**
   * @param {string} token
   * @param {boolean} ice Whether the server has ICE servers to tell of.
   * @param {SessionEvents} events
   */
  constructor(token, ice, events) {
    this.#events = events;
    this.#exchange = new Exchange(token, ice);
    const { connection } = this.#exchange;
    // Our picture first, then the grid: the host answers the sections in this order.
    const ours = connection.addTransceiver("video", { direction: "sendonly", sendEncodings: [{}] });
    connection.addTransceiver("video", { direction: "recvonly" });
    connection.addEventListener("track", ({ track }) => events.onStream(new MediaStream([track])));
    this.#sender = ours.sender;
    this.#governor = new SizeGovernor(ours.sender);
    this.#channel = connection.createDataChannel(CHANNEL_LABEL, { ordered: false, maxRetransmits: 0 });
    this.#channel.addEventListener("message", ({ data }) => this.#hear(data));
    this.#channel.addEventListener("open", () => (this.#heardMs = performance.now()));
    this.#channel.addEventListener("close", () => this.#finish("channel closed"));
  }

  /**
   * Take part; resolves when the session has ended.
   *
   * @param {string} url `/whip/{room}?name=`
   * @param {AbortSignal} signal
   * @returns {Promise<SessionEnd>}
   * @throws {import("./api.js").ApiError | TypeError | DOMException} It could not be opened.
   */
  async run(url, signal) {
    const headers = await this.#exchange.open(url, signal);
    const resume = headers.get(RESUME_HEADER);
    if (resume !== null) this.#events.onResume(resume);
    await this.#watch(signal);
    return this.#end;
  }

  /**
   * Send this picture from now on.
   *
   * @param {MediaStreamTrack | null} track Null for none: the tile goes dark, everything else goes on.
   */
  async show(track) {
    try {
      await this.#sender.replaceTrack(track);
    } catch {
      return; // closed meanwhile: the next session begins with the track
    }
    const { width = 0, height = 0 } = track?.getSettings() ?? {};
    this.#governor.picture({ width, height });
  }

  /** @param {string} text Dropped where it cannot be sent now: what matters is said again. */
  send(text) {
    if (this.#channel.readyState !== "open" || this.#channel.bufferedAmount > MAX_BUFFERED_BYTES) return;
    this.#channel.send(text);
  }

  /** The page was hidden, or is seen again. */
  adapt() {
    void this.#governor.apply();
  }

  /** @param {{leave: boolean}} how Whether the host is told that we do not come back. */
  close({ leave }) {
    this.#finish("left");
    if (!leave) this.#exchange.forget();
    this.#exchange.close();
  }

  /** @param {unknown} data */
  #hear(data) {
    if (this.#ended.signal.aborted) return; // an old session goes on speaking while it is closed
    this.#heardMs = performance.now();
    const message = readMessage(data);
    switch (message?.t) {
      case "ping":
        this.send(pong(message.id));
        break;
      case "send":
        this.#governor.ask(message);
        break;
      case "welcome":
        this.#events.onResume(message.resume);
        break;
      case "roster":
        this.#events.onRoster(message.participants);
        break;
      case "bye":
        this.#finish(message.reason, true);
        break;
      default: // a later host's word, or nonsense: none of our business
    }
  }

  /** @param {AbortSignal} signal */
  async #watch(signal) {
    const { connection } = this.#exchange;
    const watchdog = new Watchdog();
    const link = new LinkMeter();
    const openedMs = performance.now();
    let live = false;
    while (!signal.aborted && !this.#ended.signal.aborted) {
      await pause(live ? RUNNING_TICK_MS : STARTING_TICK_MS, signal, this.#ended.signal);
      const report = await connection.getStats();
      if (signal.aborted || this.#ended.signal.aborted) return;
      const now = performance.now();
      const inbound = inboundVideo(report);
      const open = this.#channel.readyState === "open";
      if (watchdog.lost(stateOf(connection), report, now)) this.#finish("connection lost");
      else if (open ? now - this.#heardMs > SILENCE_MS : now - openedMs > CONNECT_MS) this.#finish("host silent");
      // Browsers may decode nothing for a page that nobody sees.
      if (!live && open && (watchdog.framesSeen || document.hidden)) {
        live = true;
        this.#events.onLive();
      }
      if (live && inbound !== null) this.#events.onStats(watchdog.rates(inbound, now), link.read(report));
    }
  }

  /**
   * @param {string} reason
   * @param {boolean} [byHost]
   */
  #finish(reason, byHost = false) {
    if (this.#ended.signal.aborted) return;
    this.#end = { reason, byHost };
    this.#ended.abort();
  }
}
