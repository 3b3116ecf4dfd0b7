// What the model says of one face: how attentive it looks and, where the model can, why. As peer/perception/signals.py.

/**
 * What can be measured in a face; left and right are the person's own. Angles are degrees as the camera sees them:
 * yaw > 0 is to the picture's right, pitch > 0 is up.
 *
 * @typedef {object} Signals
 * @property {number} yaw Of the head.
 * @property {number} pitch Of the head.
 * @property {number} lid_left Openness: 0 is shut, 1 an open eye, up to 1.15 wide open.
 * @property {number} lid_right
 * @property {number} gaze_yaw
 * @property {number} gaze_pitch
 * @property {number} mouth_open 0 shut, 1 as wide as a yawn.
 * @property {number} closed Probability, 0 to 1, that both eyes are shut or nearly so.
 */

/** @typedef {keyof Signals} SignalName */

/**
 * One look at a face.
 *
 * @typedef {object} Reading
 * @property {number} score Probability, 0 to 1, that the person is attentive.
 * @property {Signals | null} signals Null from a model without.
 */

/** @type {readonly SignalName[]} As a model's card names the columns of its output `signals`. */
export const SIGNAL_NAMES = [
  "yaw",
  "pitch",
  "lid_left",
  "lid_right",
  "gaze_yaw",
  "gaze_pitch",
  "mouth_open",
  "closed",
];

/**
 * Signals, each made by `value` of its name.
 *
 * @param {(name: SignalName) => number} value
 * @returns {Signals}
 */
export function makeSignals(value) {
  return /** @type {Signals} */ (Object.fromEntries(SIGNAL_NAMES.map((name) => [name, value(name)])));
}
