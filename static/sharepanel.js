// In aggregate mode: the room's share, large, or why there is none.

import { byId, setText } from "./dom.js";
import { percent } from "./readings.js";

/** @typedef {import("./status.js").RoomShare} RoomShare */

/** The section `#share`. */
export class SharePanel {
  #section = byId("share", HTMLElement);
  #number = byId("share-number", HTMLElement);
  #words = byId("share-words", HTMLElement);

  /** @param {RoomShare | null} share */
  show(share) {
    this.#section.dataset["shown"] = String(share !== null);
    this.#section.style.setProperty("--share", String(share?.attentive ?? 0));
    setText(this.#number, share === null ? "No share" : percent(share.attentive));
    setText(
      this.#words,
      share === null
        ? "It takes at least three people who share a label, and the same ones for fifteen seconds."
        : `of the ${share.sharing} who share a label are attentive`,
    );
  }
}
