// What `/r/{room}/timeline` says, and the words for it. No UI in here.

import { lasting } from "./readings.js";

/** @typedef {"attentive" | "not_attentive" | "away" | "unknown" | "not_shared" | "absent"} Doing */

/**
 * @typedef {object} Segment What held from when to when, in seconds before now.
 * @property {Doing} state
 * @property {number} start_s
 * @property {number} end_s
 */

/**
 * @typedef {object} TimelineEntry
 * @property {string} id
 * @property {string} name As they typed it: show it as text, never as markup.
 * @property {number | null} left_s How long ago they left; null for who is here.
 * @property {Segment[]} segments Oldest first.
 */

/**
 * @typedef {object} CurvePoint
 * @property {number} ago_s
 * @property {number | null} sharing How many people shared a label.
 * @property {number | null} attentive Which part of them was attentive, 0 to 1; null where there is nothing to show.
 */

/**
 * @typedef {object} Timeline
 * @property {import("./status.js").Mode} mode
 * @property {number} window_s
 * @property {TimelineEntry[]} participants
 * @property {{step_s: number, points: CurvePoint[]}} curve Oldest first.
 */

export const WINDOW_S = 300;

/** @type {Record<Doing, string>} In the order in which a legend lists them. */
export const DOING_WORDS = {
  attentive: "attentive",
  not_attentive: "not attentive",
  away: "away",
  unknown: "unknown",
  not_shared: "not shared",
  absent: "not here",
};

/**
 * @param {readonly Segment[]} segments
 * @returns {string} How long each thing held, for who cannot see the strip.
 */
export function inWords(segments) {
  /** @type {Map<Doing, number>} */
  const spent = new Map();
  for (const { state, start_s, end_s } of segments) {
    spent.set(state, (spent.get(state) ?? 0) + Math.min(start_s, WINDOW_S) - end_s);
  }
  const parts = [...spent]
    .filter(([, seconds]) => seconds >= 1)
    .sort(([, one], [, other]) => other - one)
    .map(([state, seconds]) => `${DOING_WORDS[state]} ${lasting(seconds)}`);
  return `Last five minutes: ${parts.join(", ") || "nothing yet"}`;
}
