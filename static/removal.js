// Removes somebody from the meeting, after the host has said so twice.

import { ApiError, explainOnce, request } from "./api.js";
import { byId, setText } from "./dom.js";

/** @typedef {import("./status.js").Participant} Participant */

/** The dialog `#removal`. */
export class Removal {
  #room;
  #token;
  #dialog = byId("removal", HTMLDialogElement);
  #name = byId("removal-name", HTMLElement);
  #confirm = byId("removal-confirm", HTMLButtonElement);
  #problem = byId("removal-problem", HTMLElement);
  /** @type {Participant | null} */
  #participant = null;

  /**
   * @param {string} room As addresses have it, escaped.
   * @param {string} token
   */
  constructor(room, token) {
    this.#room = room;
    this.#token = token;
    byId("removal-cancel", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("close", () => (this.#participant = null));
    this.#confirm.addEventListener("click", () => void this.#remove());
  }

  /** @param {Participant} participant */
  ask(participant) {
    this.#participant = participant;
    setText(this.#name, participant.name);
    setText(this.#problem, "");
    this.#dialog.showModal();
  }

  async #remove() {
    const asked = this.#participant;
    if (asked === null) return;
    this.#confirm.disabled = true;
    try {
      const id = encodeURIComponent(asked.id);
      await request(`/r/${this.#room}/participants/${id}`, this.#token, { method: "DELETE" });
      if (asked === this.#participant) this.#dialog.close(); // else they ask about somebody else by now
    } catch (problem) {
      if (asked !== this.#participant) return;
      const gone = problem instanceof ApiError && problem.code === "participant_unknown";
      if (gone) this.#dialog.close();
      else setText(this.#problem, explainOnce(problem));
    } finally {
      this.#confirm.disabled = false;
    }
  }
}
