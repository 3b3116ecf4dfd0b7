// What `/r/{room}/status` says, once a second. No UI in here.

import { Poller } from "./poller.js";

const EVERY_MS = 1000;

/**
 * @typedef {object} Mood What a participant's device says of them; only a host is told.
 * @property {"attentive" | "not_attentive" | "unknown"} label
 * @property {number} score 0 to 1.
 * @property {"face" | "no_face" | "paused" | "no_model" | "away" | "turned" | "down" | "eyes_closed" | "looking_off"} reason
 * @property {number} age_s
 */

/**
 * @typedef {object} Participant
 * @property {string} id
 * @property {string} name As they typed it: show it as text, never as markup.
 * @property {"connecting" | "live" | "stale" | "gone"} state
 * @property {number} joined_s Seconds since they joined.
 * @property {{width: number, height: number, fps: number} | null} video What they send; null for nothing.
 * @property {Mood | null} [mood] Null for somebody who shares none.
 */

/**
 * @typedef {"individual" | "aggregate"} Mode What the host gets to see: each person's label, or the room's share.
 */

/**
 * @typedef {object} RoomShare
 * @property {number} sharing How many people share a label.
 * @property {number} attentive Which part of them is attentive, 0 to 1.
 */

/**
 * @typedef {object} RoomStatus
 * @property {string} room As addresses have it.
 * @property {string} title As people see it: show it as text, never as markup.
 * @property {Mode} mode
 * @property {boolean} [mode_fixed] Somebody has joined, so that the mode stays; only a host is told.
 * @property {RoomShare | null} [share] In aggregate mode, to a host.
 * @property {number} uptime_s
 * @property {{width: number, height: number, fps: number, viewers: number}} grid
 * @property {Participant[]} participants In the order of their tiles.
 */

/**
 * @typedef {object} StatusOptions
 * @property {string} url `/r/{room}/status`.
 * @property {string} token
 * @property {(status: RoomStatus) => void} onStatus Once a second.
 * @property {(problem: unknown, final: boolean) => void} onProblem At every failed try; after a `final` one no more.
 */

/**
 * Asks for the status until told to stop.
 *
 * @extends {Poller<RoomStatus>}
 */
export class StatusPoller extends Poller {
  /** @param {StatusOptions} options */
  constructor({ url, token, onStatus, onProblem }) {
    super({ url, token, everyMs: EVERY_MS, onAnswer: onStatus, onProblem });
  }
}
