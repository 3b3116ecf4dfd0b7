// How a participant's state reads: one word, one icon and one colour for each, the same as in the annotated grid
// (host/labels.py).

/** @typedef {import("./status.js").Participant} Participant */
/** @typedef {import("./icons.js").IconName} IconName */

/** @typedef {"good" | "warn" | "calm"} Tone A colour of the style sheet; never the only sign. */

/**
 * @typedef {object} Reading
 * @property {string} text
 * @property {IconName} icon
 * @property {Tone} tone
 * @property {number | null} score 0 to 1; null where there is none to show.
 * @property {string} why One short line, "" for none.
 */

/**
 * @param {string} text
 * @param {IconName} icon
 * @param {Tone} tone
 * @param {string} why
 * @returns {Reading}
 */
const reading = (text, icon, tone, why = "") => ({ text, icon, tone, score: null, why });

/** @type {Record<string, Reading>} */
const BY_STATE = {
  connecting: reading("Connecting", "dots", "calm"),
  stale: reading("Reconnecting", "dots", "calm", "nothing heard for some seconds"),
  gone: reading("Gone", "dash", "calm"),
};

/** @type {Record<string, Reading>} By label, or by label and reason where that has words of its own. */
const BY_LABEL = {
  attentive: reading("Attentive", "check", "good"),
  not_attentive: reading("Not attentive", "exclamation", "warn"),
  "not_attentive no_face": reading("No face", "absent", "warn", "nobody in the picture"),
  "not_attentive away": reading("Away", "absent", "warn", "left the picture"),
  "not_attentive turned": reading("Turned away", "exclamation", "warn", "the head faces elsewhere"),
  "not_attentive down": reading("Looking down", "exclamation", "warn", "the head is lowered"),
  "not_attentive eyes_closed": reading("Eyes closed", "exclamation", "warn", "for longer than a blink"),
  "not_attentive looking_off": reading("Looking off", "exclamation", "warn", "the eyes look elsewhere"),
  unknown: reading("Unknown", "question", "calm"),
  "unknown paused": reading("Paused", "pause", "calm", "they paused sharing"),
  "unknown no_model": reading("No model", "question", "calm", "their device has no attention model"),
};

const NOT_SHARED = reading("Not shared", "dash", "calm");
/** Paused by a camera that gives none, not by the person. */
const NO_PICTURE = reading("No picture", "pause", "calm", "their camera gives no picture");

/**
 * What the host sees of a participant.
 *
 * @param {Participant} participant
 * @returns {Reading}
 */
export function readingOf(participant) {
  const byState = BY_STATE[participant.state];
  if (byState !== undefined) return byState;
  const mood = participant.mood ?? null;
  if (mood === null) return NOT_SHARED;
  if (mood.reason === "paused" && participant.video === null) return NO_PICTURE;
  const found = BY_LABEL[`${mood.label} ${mood.reason}`] ?? BY_LABEL[mood.label] ?? reading("Unknown", "question", "calm");
  return mood.label === "unknown" ? found : { ...found, score: mood.score };
}

/**
 * What everybody else sees of a participant: whether they are here, and nothing more.
 *
 * @param {Participant} participant
 * @returns {Reading}
 */
export function presenceOf(participant) {
  const here = hereOf(participant.state);
  return participant.state === "live" && participant.video === null ? reading("No video", "dash", "calm") : here;
}

/**
 * Whether somebody is here, from the little that the roster tells everybody.
 *
 * @param {Participant["state"]} state
 * @returns {Reading}
 */
export function hereOf(state) {
  return { ...(BY_STATE[state] ?? reading("Here", "check", "good")), why: "" };
}

/**
 * @param {number} seconds
 * @returns {string} How long ago, in as few characters as are clear.
 */
export function ago(seconds) {
  if (seconds < 3) return "now";
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  return `${Math.round(seconds / 60)} min ago`;
}

/**
 * @param {number} count
 * @returns {string}
 */
export function people(count) {
  return count === 1 ? "1 participant" : `${count} participants`;
}

/**
 * @param {number} seconds
 * @returns {string} A length of time in two units at most.
 */
export function lasting(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return whole % 60 === 0 ? `${minutes} min` : `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/**
 * @param {number} part 0 to 1.
 * @returns {string}
 */
export function percent(part) {
  return `${Math.round(part * 100)} %`;
}
