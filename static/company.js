// Who else is here: the list, and a word at every coming and going for those who listen to the page.

import { renderList } from "./dom.js";
import { makePerson, updatePerson } from "./people.js";
import { hereOf } from "./readings.js";

/** @typedef {import("./protocol.js").RosterEntry} RosterEntry */

/** Follows the host's roster. */
export class Company {
  #list;
  #announce;
  /** @type {Map<string, string> | null} Who was here at the last look, by id; null before the first. */
  #present = null;

  /**
   * @param {HTMLElement} list
   * @param {(text: string) => void} announce
   */
  constructor(list, announce) {
    this.#list = list;
    this.#announce = announce;
  }

  /** @param {readonly RosterEntry[]} participants */
  show(participants) {
    const before = this.#present;
    const now = new Map(participants.map(({ id, name }) => [id, name]));
    this.#present = now;
    if (before !== null) {
      const joined = [...now].filter(([id]) => !before.has(id)).map(([, name]) => `${name} joined`);
      const left = [...before].filter(([id]) => !now.has(id)).map(([, name]) => `${name} left`);
      if (joined.length + left.length > 0) this.#announce([...joined, ...left].join(", "));
    }
    renderList(this.#list, participants, {
      key: ({ id }) => id,
      make: makePerson,
      update: (item, { name, state }) => updatePerson(item, name, hereOf(state)),
    });
  }

  /** We are not among them any more. */
  clear() {
    this.#present = null;
    this.#list.replaceChildren();
  }
}
