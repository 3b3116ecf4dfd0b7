// The data channel `mood` in the browser's words: what the host may say, checked, and what we say. docs/protocol.md.

export const CHANNEL_LABEL = "mood";
export const RESUME_HEADER = "X-EdgeAttend-Resume";
/** A mood is said again at least this often, or the host forgets it. */
export const MOOD_EVERY_MS = 1000;
/** The host pings once a second; after this long without one it is not there any more. */
export const SILENCE_MS = 5000;

const MAX_MESSAGE_CHARS = 65_536;
const MAX_ROSTER = 1000;

/** @typedef {"attentive" | "not_attentive" | "unknown"} Label */

/**
 * @typedef {object} RosterEntry
 * @property {string} id
 * @property {string} name As they typed it: show it as text, never as markup.
 * @property {"connecting" | "live" | "stale" | "gone"} state
 */

/**
 * @typedef {object} SendSize What our tile can show: pixels, frames per second, kilobits per second.
 * @property {number} width
 * @property {number} height
 * @property {number} fps
 * @property {number} kbps
 */

/**
 * @typedef {{t: "welcome", participant: string, room: string, resume: string}
 *   | {t: "send"} & SendSize
 *   | {t: "roster", participants: RosterEntry[]}
 *   | {t: "ping", id: number}
 *   | {t: "bye", reason: string}} HostMessage
 */

/** Bounds as in signaling/protocol.py. @type {Record<keyof SendSize, [least: number, most: number]>} */
const SEND_BOUNDS = { width: [16, 4096], height: [16, 4096], fps: [1, 60], kbps: [30, 20_000] };
const STATES = new Set(["connecting", "live", "stale", "gone"]);

/** @param {unknown} value @returns {value is string} */
const isText = (value) => typeof value === "string";
/** @param {unknown} value @param {number} least @param {number} most */
const isWhole = (value, least, most) => Number.isInteger(value) && Number(value) >= least && Number(value) <= most;

/** @type {Record<string, (message: any) => HostMessage | null>} By `t`; null for what is not as it should be. */
const READERS = {
  welcome: ({ participant, room, resume }) =>
    isText(participant) && isText(room) && isText(resume) ? { t: "welcome", participant, room, resume } : null,
  send: ({ width, height, fps, kbps }) => {
    const size = { width, height, fps, kbps };
    const keys = /** @type {(keyof SendSize)[]} */ (Object.keys(SEND_BOUNDS));
    return keys.every((key) => isWhole(size[key], ...SEND_BOUNDS[key])) ? { t: "send", ...size } : null;
  },
  roster: ({ participants }) =>
    Array.isArray(participants) && participants.length <= MAX_ROSTER && participants.every(isEntry)
      ? { t: "roster", participants: participants.map(({ id, name, state }) => ({ id, name, state })) }
      : null,
  ping: ({ id }) => (isWhole(id, 0, Number.MAX_SAFE_INTEGER) ? { t: "ping", id } : null),
  bye: ({ reason }) => (isText(reason) ? { t: "bye", reason } : null),
};

/** @param {any} entry */
function isEntry(entry) {
  return entry !== null && isText(entry?.id) && isText(entry.name) && STATES.has(entry.state);
}

/**
 * @param {unknown} data What came on the channel.
 * @returns {HostMessage | null} Null for anything that docs/protocol.md does not know: a later host's word, or nonsense.
 */
export function readMessage(data) {
  if (typeof data !== "string" || data.length > MAX_MESSAGE_CHARS) return null;
  try {
    const message = JSON.parse(data);
    const reader = Object.hasOwn(READERS, message?.t) ? READERS[message.t] : undefined;
    return reader?.(message) ?? null;
  } catch {
    return null;
  }
}

/**
 * @param {number} id
 * @returns {string}
 */
export function pong(id) {
  return JSON.stringify({ t: "pong", id });
}

/**
 * @param {{label: Label, score: number, reason: string}} verdict
 * @param {number} seq
 * @returns {string}
 */
export function mood({ label, score, reason }, seq) {
  return JSON.stringify({ t: "mood", label, score: Math.min(1, Math.max(0, score)), reason, seq });
}
