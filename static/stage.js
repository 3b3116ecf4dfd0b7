// The stage: the picture, what lies over it while there is none, full screen, and the pill that says how it stands.

import { byId, setText } from "./dom.js";
import { icon } from "./icons.js";

/** @typedef {import("./connection.js").ConnectionState} StageState */
/** @typedef {import("./icons.js").IconName} IconName */

/** @type {Record<StageState, {text: string, icon: IconName, title: string}>} */
const STATES = {
  connecting: { text: "Connecting", icon: "dots", title: "Connecting to the meeting" },
  waiting: { text: "Waiting to get in", icon: "dots", title: "Waiting to get in" },
  live: { text: "Live", icon: "check", title: "" },
  reconnecting: { text: "Reconnecting", icon: "dots", title: "Reconnecting" },
  ended: { text: "Ended", icon: "dash", title: "This meeting cannot be shown" },
};

/** Shows one connection state in the pill and over the picture. */
export class Stage {
  #frame = byId("stage", HTMLElement);
  #pill = byId("connection", HTMLElement);
  #pillIcon = byId("connection-icon", HTMLElement);
  #pillText = byId("connection-text", HTMLElement);
  #veil = byId("veil", HTMLElement);
  #title = byId("veil-title", HTMLElement);
  #note = byId("veil-note", HTMLElement);

  /**
   * @param {StageState} state
   * @param {string} [note] One more sentence for people.
   */
  show(state, note = "") {
    const words = STATES[state];
    if (this.#pill.dataset["state"] !== state) {
      this.#pill.dataset["state"] = state;
      this.#frame.dataset["state"] = state;
      this.#pillIcon.replaceChildren(icon(words.icon));
      setText(this.#pillText, words.text);
      this.#veil.hidden = state === "live";
    }
    setText(this.#title, words.title);
    this.explain(note);
  }

  /** @param {string} note The sentence for people, in the state that is shown. */
  explain(note) {
    setText(this.#note, note);
  }

  /**
   * The shape of the picture, so that nothing moves when it comes.
   *
   * @param {number} width
   * @param {number} height
   */
  shape(width, height) {
    this.#frame.style.setProperty("--shape", `${width} / ${height}`);
    this.#frame.style.setProperty("--shape-ratio", String(width / height));
  }

  /**
   * Play what was put into `video`. Browsers that save power play nothing by themselves: then `button` asks for a tap.
   *
   * @param {HTMLVideoElement} video
   * @param {HTMLButtonElement} button
   */
  async play(video, button) {
    try {
      await video.play();
      button.hidden = true;
    } catch (error) {
      button.hidden = !(error instanceof DOMException && error.name === "NotAllowedError");
    }
  }

  /**
   * Make `button` and a double click on the stage switch full screen.
   *
   * @param {HTMLButtonElement} button
   * @param {HTMLVideoElement | null} video What iPhones show alone, since they can show nothing else full screen.
   */
  offerFullScreen(button, video) {
    const frame = this.#frame;
    const alone = /** @type {{webkitEnterFullscreen?: () => void} | null} */ (/** @type {unknown} */ (video));
    const enter = document.fullscreenEnabled
      ? () => void frame.requestFullscreen().catch(() => {})
      : alone?.webkitEnterFullscreen?.bind(video);
    if (enter === undefined) {
      button.hidden = true;
      return;
    }
    const toggle = () => {
      if (document.fullscreenElement === null) enter();
      else void document.exitFullscreen();
    };
    const look = () => {
      const full = document.fullscreenElement !== null;
      button.replaceChildren(icon(full ? "shrink" : "expand"));
      button.setAttribute("aria-label", full ? "Leave full screen" : "Full screen");
      button.title = full ? "Leave full screen" : "Full screen";
    };
    button.addEventListener("click", toggle);
    frame.addEventListener("dblclick", toggle);
    document.addEventListener("fullscreenchange", look);
    look();
  }
}
