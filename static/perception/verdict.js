// What perception says of a person. As peer/perception/verdict.py and the two verdicts of peer/perception/worker.py.

/** @typedef {"attentive" | "not_attentive" | "unknown"} Label */

/** @typedef {"turned" | "down" | "eyes_closed" | "looking_off"} Fault A reason to be inattentive that a face shows. */

/** @typedef {"face" | "no_face" | "away" | "paused" | "no_model" | Fault} Reason */

/**
 * The label, and what is behind it.
 *
 * @typedef {object} Verdict
 * @property {Label} label
 * @property {number} score 0 to 1.
 * @property {Reason} reason
 * @property {string} detail For the person's own eyes, such as "head turned 48°"; "" where the reason says it all. It
 *   never leaves the device.
 */

/** @type {Readonly<Verdict>} There is nothing to judge with. */
export const NO_MODEL = { label: "unknown", score: 0, reason: "no_model", detail: "" };

/** @type {Readonly<Verdict>} There is nothing to judge. */
export const NO_PICTURE = { label: "unknown", score: 0, reason: "paused", detail: "" };
