// The dashboard's list of people: a card for each who is here, and apart from them those who left.

import { addControl, makeCard, updateCard } from "./card.js";
import { byId, create, renderList, setText } from "./dom.js";
import { icon } from "./icons.js";
import { makePerson, updatePerson } from "./people.js";
import { ago, presenceOf } from "./readings.js";

/** @typedef {import("./status.js").Participant} Participant */
/** @typedef {import("./status.js").Mode} Mode */
/** @typedef {import("./timeline.js").TimelineEntry} TimelineEntry */

/** Shows who is here in `#roster`, and who left in `#left`. */
export class Roster {
  #list = byId("roster", HTMLUListElement);
  #left = byId("left", HTMLDetailsElement);
  #leftCount = byId("left-count", HTMLElement);
  #leftList = byId("left-list", HTMLUListElement);
  /** @type {Map<string, TimelineEntry>} */
  #timelines = new Map();
  #onRemove;

  /** @param {(participant: Participant) => void} onRemove The host asks to remove somebody. */
  constructor(onRemove) {
    this.#onRemove = onRemove;
  }

  /**
   * @param {readonly Participant[]} participants
   * @param {Mode} mode It changes only while nobody is here.
   */
  show(participants, mode) {
    this.#list.classList.remove("out-of-date");
    const aggregate = mode === "aggregate";
    renderList(this.#list, participants, {
      key: ({ id }) => id,
      make: (participant) => (aggregate ? this.#makeRow(participant) : this.#makeCard(participant)),
      update: (item, participant) => {
        if (aggregate) updatePerson(item, participant.name, presenceOf(participant));
        else updateCard(item, { participant, timeline: this.#timelines.get(participant.id) ?? null });
      },
    });
  }

  /** @param {readonly TimelineEntry[]} entries */
  showTimelines(entries) {
    this.#timelines = new Map(entries.map((entry) => [entry.id, entry]));
    const left = entries.filter(({ left_s }) => left_s !== null).reverse();
    this.#left.hidden = left.length === 0;
    setText(this.#leftCount, String(left.length));
    renderList(this.#leftList, left, { key: ({ id }) => id, make: makeCard, update: updateLeft });
  }

  /** The server cannot be reached: what is shown was so a while ago. */
  fade() {
    this.#list.classList.add("out-of-date");
  }

  /**
   * @param {Participant} participant
   * @returns {HTMLLIElement}
   */
  #makeCard(participant) {
    const card = makeCard();
    addControl(card, this.#makeRemove(participant));
    return card;
  }

  /**
   * @param {Participant} participant
   * @returns {HTMLLIElement} Who is here, and nothing more.
   */
  #makeRow(participant) {
    const row = makePerson();
    row.append(this.#makeRemove(participant));
    return row;
  }

  /**
   * @param {Participant} participant Their name never changes.
   * @returns {HTMLButtonElement}
   */
  #makeRemove(participant) {
    const button = create("button", "button icon-button bare remove");
    button.type = "button";
    button.title = "Remove from the meeting";
    button.setAttribute("aria-label", `Remove ${participant.name}`);
    button.append(icon("close"));
    button.addEventListener("click", () => this.#onRemove(participant));
    return button;
  }
}

/**
 * @param {HTMLElement} card
 * @param {TimelineEntry} timeline
 */
function updateLeft(card, timeline) {
  /** @type {Participant} */
  const participant = { id: timeline.id, name: timeline.name, state: "gone", joined_s: 0, video: null, mood: null };
  updateCard(card, { participant, timeline });
  const age = card.querySelector(".person-age");
  if (age !== null) setText(age, ago(timeline.left_s ?? 0));
}
