// The choice to share a label, in plain words: who sees it depends on how the host has set up the meeting.

import { byId, setText } from "./dom.js";

/** @typedef {import("./sharing.js").SharingState} SharingState */
/** @typedef {"individual" | "aggregate"} Mode What the host sees: each person's label, or only the room's share. */

/** @type {Record<Mode, {brief: string, whole: string}>} */
const WHO = {
  individual: {
    brief: "The host sees it with your name; other participants don’t.",
    whole:
      "The host, with your name, the last five minutes and a summary at the end. Other participants see your video and your name, and nobody’s label but their own.",
  },
  aggregate: {
    brief: "This meeting shows nobody’s label: the host sees only how many of everybody are attentive, without names.",
    whole:
      "Nobody sees yours. The host sees what share of everybody is attentive, and only while at least three people share. This was decided before the meeting and cannot change while it lasts.",
  },
};

/** @type {Record<SharingState, string>} */
const STATE_WORDS = { off: "Off", on: "On", paused: "On, paused" };

/** The switch and the words round it; it moves between lobby and meeting as one element. */
export class Consent {
  #switch = byId("share", HTMLInputElement);
  #fieldset = byId("consent", HTMLElement);
  /** @type {Mode} What the person is told. */
  mode = "individual";

  /** @param {(on: boolean) => void} onChoice The person has chosen. */
  constructor(onChoice) {
    this.#switch.checked = false; // browsers restore what was chosen before a reload; this is asked each time
    this.#switch.addEventListener("change", () => onChoice(this.#switch.checked));
  }

  /** @param {HTMLElement} place */
  moveTo(place) {
    place.append(this.#fieldset);
  }

  /**
   * @param {Mode} mode
   * @returns {boolean} Whether it is another one than before.
   */
  explain(mode) {
    const changed = mode !== this.mode;
    this.mode = mode;
    setText(byId("share-who", HTMLElement), WHO[mode].brief);
    setText(byId("share-who-long", HTMLElement), WHO[mode].whole);
    return changed;
  }

  /**
   * @param {SharingState} state
   * @param {string} trouble Why no label can be worked out, "" for nothing.
   */
  show(state, trouble) {
    this.#switch.checked = state !== "off";
    setText(byId("share-state", HTMLElement), STATE_WORDS[state]);
    const problem = byId("share-trouble", HTMLElement);
    problem.hidden = trouble === "";
    setText(problem, trouble);
  }
}
