// The person's own mood: the same word, icon and colour that the host sees, with the reason.

import { create, setText } from "./dom.js";
import { badge, icon } from "./icons.js";
import { readingOf } from "./readings.js";

/** @typedef {import("./readings.js").Reading} Reading */
/** @typedef {{label: import("./protocol.js").Label, score: number, reason: string, detail?: string}} Verdict */

/** @type {Record<string, string>} Where the words for a host would be odd to oneself. */
const TO_ONESELF = {
  paused: "the host sees that you paused",
  no_model: "your label cannot be worked out here",
};

/**
 * @param {Verdict} verdict
 * @returns {Reading}
 */
export function ownReading({ label, score, reason, detail = "" }) {
  const mood = { label, score, reason: /** @type {any} */ (reason), age_s: 0 };
  const video = { width: 1, height: 1, fps: 1 };
  const reading = readingOf({ id: "", name: "", state: "live", joined_s: 0, video, mood });
  return { ...reading, why: TO_ONESELF[reason] ?? (detail || reading.why) };
}

/** Shows one reading in several places: in the lobby, beside the meeting, and over it in full screen. */
export class OwnMood {
  #chips;

  /** @param {HTMLElement[]} places Emptied and filled. */
  constructor(...places) {
    this.#chips = places.map((place) => {
      const chip = { place, sign: badge("dots"), text: create("strong", "mood-text"), why: create("span", "mood-why") };
      const words = create("span", "mood-words");
      words.append(chip.text, chip.why);
      place.replaceChildren(chip.sign, words);
      return chip;
    });
  }

  /** @param {Reading | null} reading Null hides it. */
  show(reading) {
    for (const { place, sign, text, why } of this.#chips) {
      place.hidden = reading === null;
      if (reading === null) continue;
      if (place.dataset["sign"] !== reading.icon) sign.replaceChildren(icon(reading.icon));
      place.dataset["sign"] = reading.icon;
      place.dataset["tone"] = reading.tone;
      setText(text, reading.text);
      setText(why, reading.why);
    }
  }
}
