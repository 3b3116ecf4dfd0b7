// How far a head may turn and eyes may wander before it counts, and how far beyond that a face is. The numbers and
// their reasons are those of peer/perception/limits.py; a table of test vectors keeps the two alike.

import { roundHalfEven } from "./rounding.js";

/** @typedef {import("./signals.js").Signals} Signals */
/** @typedef {import("./verdict.js").Fault} Fault */

const MAX_YAW_DEG = 25;
const MIN_PITCH_DEG = -20;
const MAX_PITCH_DEG = 20;
const MAX_GAZE_YAW_DEG = 23;
const MIN_GAZE_PITCH_DEG = -23;
const MAX_GAZE_PITCH_DEG = 16;
/** Openness of the more open eye. */
const MIN_LID = 0.42;

// Over this distance from its limit a margin grows by one.
const YAW_SOFT_DEG = 4;
const PITCH_SOFT_DEG = 3.5;
const GAZE_SOFT_DEG = 8;
const LID_SOFT = 0.08;
const CLOSED_SOFT_LOGIT = 1;

/** Beyond this a probability says how sure the model is of itself, not how shut the eyes are. */
const MAX_LOGIT = 5;

/**
 * How far within (> 0) or beyond (< 0) its limit each reason to be inattentive is, in soft steps of that limit.
 * Where the eyes are shut their direction is unknown, and speaks for nothing.
 *
 * @param {Signals} signals
 * @returns {Map<Fault, number>}
 */
export function margins(signals) {
  const shut = eyesMargin(signals);
  return new Map([
    ["turned", Math.min(yawMargin(signals), raisedMargin(signals))],
    ["down", (signals.pitch - MIN_PITCH_DEG) / PITCH_SOFT_DEG],
    ["eyes_closed", shut],
    ["looking_off", shut > 0 ? gazeMargin(signals) : Infinity],
  ]);
}

/**
 * How far within (> 0) or beyond (< 0) its limits the head is, whatever the eyes do.
 *
 * @param {Signals} signals
 * @returns {number}
 */
export function headMargin(signals) {
  const found = margins(signals);
  return Math.min(found.get("turned") ?? Infinity, found.get("down") ?? Infinity);
}

/**
 * How far the eyes are open (> 0) or shut (< 0). Lids and the model's own word on shut eyes are two opinions on one
 * thing: the mean of them.
 *
 * @param {Signals} signals
 * @returns {number}
 */
export function eyesMargin(signals) {
  const lids = (Math.max(signals.lid_left, signals.lid_right) - MIN_LID) / LID_SOFT;
  const certain = Math.min(Math.max(signals.closed, 1e-6), 1 - 1e-6);
  const logit = Math.log((1 - certain) / certain);
  const said = Math.max(-MAX_LOGIT, Math.min(MAX_LOGIT, logit)) / CLOSED_SOFT_LOGIT;
  return (lids + said) / 2;
}

/**
 * A reason with its angle where that says more, for the person's own eyes; "" where it doesn't.
 *
 * @param {import("./verdict.js").Reason} reason
 * @param {Signals} signals
 * @returns {string}
 */
export function describe(reason, signals) {
  if (reason !== "turned") return "";
  if (yawMargin(signals) <= raisedMargin(signals)) return `head turned ${roundHalfEven(Math.abs(signals.yaw))}°`;
  return `head raised ${roundHalfEven(signals.pitch)}°`;
}

/**
 * @param {Signals} signals
 * @returns {number}
 */
function yawMargin(signals) {
  return (MAX_YAW_DEG - Math.abs(signals.yaw)) / YAW_SOFT_DEG;
}

/**
 * @param {Signals} signals
 * @returns {number}
 */
function raisedMargin(signals) {
  return (MAX_PITCH_DEG - signals.pitch) / PITCH_SOFT_DEG;
}

/**
 * @param {Signals} signals
 * @returns {number}
 */
function gazeMargin(signals) {
  const inside = Math.min(
    MAX_GAZE_YAW_DEG - Math.abs(signals.gaze_yaw),
    MAX_GAZE_PITCH_DEG - signals.gaze_pitch,
    signals.gaze_pitch - MIN_GAZE_PITCH_DEG,
  );
  return inside / GAZE_SOFT_DEG;
}
