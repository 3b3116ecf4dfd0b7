// The links that a host hands out, with fresh tokens and by the address through which the host came.

import { request } from "./api.js";
import { offerCopy } from "./copy.js";
import { byId } from "./dom.js";
import { icon } from "./icons.js";

/** The tokens of a page that stays open for a day are as good as those of one that was just opened. */
const RENEW_MS = 10 * 60_000;

const ROLES = /** @type {const} */ (["participant", "viewer"]);

/** The buttons that copy a link for each role. */
export class Links {
  #room;
  #token;
  #known = false;
  #open = false;

  /**
   * @param {string} room As addresses have it, escaped.
   * @param {string} token
   */
  constructor(room, token) {
    this.#room = room;
    this.#token = token;
    for (const role of ROLES) {
      byId(`copy-${role}-icon`, HTMLElement).append(icon("copy"));
      offerCopy(
        byId(`copy-${role}`, HTMLButtonElement),
        byId(`copy-${role}-words`, HTMLElement),
        byId(`${role}-link`, HTMLElement),
      );
    }
  }

  /** Get them now, and again from time to time: a button that had to ask first could not copy. */
  start() {
    void this.#renew();
    setInterval(() => void this.#renew(), RENEW_MS);
  }

  /** @param {boolean} open Whether the links lead into a meeting now: nobody is sent to a server that is gone. */
  offer(open) {
    this.#open = open;
    for (const role of ROLES) byId(`copy-${role}`, HTMLButtonElement).disabled = !(open && this.#known);
  }

  async #renew() {
    try {
      const tokens = JSON.parse((await request(`/r/${this.#room}/links`, this.#token)).text);
      for (const role of ROLES) {
        const address = `${location.origin}/r/${this.#room}?token=${tokens[role]}`;
        byId(`${role}-link`, HTMLElement).textContent = address;
      }
      this.#known = true;
      this.offer(this.#open);
    } catch {
      // The page says that the server cannot be reached; the links it has stay.
    }
  }
}
