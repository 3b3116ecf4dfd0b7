// The join page: who we are, what we share, and the way in; it says why whenever there is none.

import { offerCopy } from "./copy.js";
import { byId, create, setText } from "./dom.js";
import { preferences } from "./preferences.js";
import { canCall } from "./trouble.js";

const MAX_NAME_CHARS = 64;

/**
 * @typedef {object} LobbyOptions
 * @property {string} link The participant link.
 * @property {(name: string, withCamera: boolean) => void} onJoin
 */

/** The form, without camera and consent, which go on into the meeting. */
export class Lobby {
  #name = byId("name", HTMLInputElement);
  #options;

  /** @param {LobbyOptions} options */
  constructor(options) {
    this.#options = options;
    this.#name.value = preferences.get("name");
    byId("lobby", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#join(true);
    });
    byId("join-dark", HTMLButtonElement).addEventListener("click", () => this.#join(false));
    this.#name.addEventListener("input", () => this.#complain(""));
    this.#offerOtherWays();
    if (!canCall()) this.#refuseCalls();
  }

  /**
   * Why we are here again, above the form.
   *
   * @param {string} title "" for nothing to say.
   * @param {string} text
   */
  notice(title, text) {
    byId("notice", HTMLElement).hidden = title === "";
    setText(byId("notice-title", HTMLElement), title);
    setText(byId("notice-text", HTMLElement), text);
  }

  /** @param {string} problem With the name, "" for none. */
  refuseName(problem) {
    this.#complain(problem);
    this.#name.focus();
  }

  /** @param {boolean} withCamera */
  #join(withCamera) {
    const name = this.#name.value.trim();
    if (name === "") {
      this.refuseName("Others need a name to call you by.");
      return;
    }
    if ([...name].length > MAX_NAME_CHARS) {
      this.refuseName(`A name can have ${MAX_NAME_CHARS} characters.`);
      return;
    }
    preferences.set("name", name);
    this.notice("", "");
    this.#options.onJoin(name, withCamera);
  }

  /** @param {string} problem */
  #complain(problem) {
    setText(byId("name-problem", HTMLElement), problem);
    this.#name.setAttribute("aria-invalid", String(problem !== ""));
  }

  #offerOtherWays() {
    const { link } = this.#options;
    byId("watch-only", HTMLAnchorElement).href = `${link}&watch=1`;
    const command = byId("command", HTMLElement);
    command.append("edgeattend join ", create("span", "command-link", `'${link}'`), " --name NAME");
    offerCopy(byId("copy", HTMLButtonElement), byId("copy-words", HTMLElement), command);
    const dialog = byId("device-dialog", HTMLDialogElement);
    byId("device", HTMLButtonElement).addEventListener("click", () => dialog.showModal());
  }

  #refuseCalls() {
    setText(
      byId("join-problem", HTMLElement),
      "WebRTC is switched off here, by an extension or by the browser’s settings. Switch it on, or use another browser.",
    );
    byId("join", HTMLButtonElement).disabled = true;
    byId("join-dark", HTMLButtonElement).disabled = true;
  }
}
