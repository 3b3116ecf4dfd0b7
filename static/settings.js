// What a host changes: the meeting's title, and before anybody joins, what the host will see.

import { explainOnce, request } from "./api.js";
import { byId, setText } from "./dom.js";
import { icon } from "./icons.js";

/** @typedef {import("./status.js").Mode} Mode */
/** @typedef {import("./status.js").RoomStatus} RoomStatus */

/** The dialog `#rename` and the choice `#mode-choice`. */
export class Settings {
  #url;
  #token;
  #title = byId("title", HTMLElement);
  #dialog = byId("rename", HTMLDialogElement);
  #input = byId("rename-title", HTMLInputElement);
  #problem = byId("rename-problem", HTMLElement);
  #choice = byId("mode-choice", HTMLElement);
  #choiceProblem = byId("mode-problem", HTMLElement);

  /**
   * @param {string} url `/r/{room}/settings`.
   * @param {string} token
   */
  constructor(url, token) {
    this.#url = url;
    this.#token = token;
    const open = byId("rename-open", HTMLButtonElement);
    open.append(icon("pencil"));
    open.addEventListener("click", () => this.#open());
    byId("rename-cancel", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
    byId("rename-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#rename();
    });
    for (const radio of this.#radios()) {
      radio.addEventListener("change", () => void this.#choose(radio.value));
    }
  }

  /** @param {RoomStatus} status */
  show({ title, mode, mode_fixed }) {
    setText(this.#title, title);
    document.title = `${title} · dashboard · EdgeAttend`;
    this.#choice.hidden = mode_fixed !== false;
    for (const radio of this.#radios()) radio.checked = radio.value === mode;
  }

  /** @returns {HTMLInputElement[]} */
  #radios() {
    return [byId("mode-individual", HTMLInputElement), byId("mode-aggregate", HTMLInputElement)];
  }

  #open() {
    this.#input.value = this.#title.textContent ?? "";
    setText(this.#problem, "");
    this.#dialog.showModal();
    this.#input.select();
  }

  async #rename() {
    try {
      const title = this.#input.value;
      const settings = await this.#change({ title });
      setText(this.#title, settings.title);
      this.#dialog.close();
    } catch (problem) {
      setText(this.#problem, explainOnce(problem));
    }
  }

  /** @param {string} mode */
  async #choose(mode) {
    try {
      setText(this.#choiceProblem, "");
      await this.#change({ mode });
    } catch (problem) {
      setText(this.#choiceProblem, explainOnce(problem));
    }
  }

  /**
   * @param {{title?: string, mode?: string}} settings
   * @returns {Promise<{title: string, mode: Mode}>} What holds now.
   */
  async #change(settings) {
    const init = { method: "PATCH", headers: { "Content-Type": "application/json" }, body: JSON.stringify(settings) };
    return JSON.parse((await request(this.#url, this.#token, init)).text);
  }
}
