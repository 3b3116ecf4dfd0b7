// A card of one participant: name, reading, score and the last five minutes; the same for the host and for themselves.
// Names are shown as text in every case, whatever they hold.

import { create, setText } from "./dom.js";
import { badge, icon } from "./icons.js";
import { ago, readingOf } from "./readings.js";
import { makeStrip, updateStrip } from "./strip.js";

/** Devices say what holds once a second: only what is older is worth its words. */
const FRESH_S = 3;

/** @typedef {import("./status.js").Participant} Participant */
/** @typedef {import("./timeline.js").TimelineEntry} TimelineEntry */

/**
 * @typedef {object} Parts What changes in a card.
 * @property {HTMLElement} sign
 * @property {HTMLElement} name
 * @property {HTMLElement} text
 * @property {HTMLElement} why
 * @property {HTMLElement} score
 * @property {HTMLElement} age
 * @property {HTMLElement} strip
 */

/** @type {WeakMap<HTMLElement, Parts>} */
const partsOf = new WeakMap();

/** @returns {HTMLLIElement} For a list of cards, also of one. */
export function makeCard() {
  const card = create("li", "person rated attend-card");
  const parts = {
    sign: badge("dots"),
    name: create("bdi", "person-name"),
    text: create("span", "person-reading"),
    why: create("span", "person-why"),
    score: create("span", "score-number"),
    age: create("span", "person-age"),
    strip: makeStrip(),
  };
  parts.name.dir = "auto";
  const reading = create("p", "attend-reading");
  reading.append(parts.text, parts.why, parts.age);
  const score = create("span", "score");
  const bar = create("span", "score-bar");
  bar.setAttribute("aria-hidden", "true");
  score.append(create("span", "hidden-words", "score "), parts.score, bar);
  const end = create("div", "attend-end");
  end.append(score);
  card.append(parts.sign, parts.name, end, reading, parts.strip);
  partsOf.set(card, parts);
  return card;
}

/**
 * Put a control at the end of a card's head.
 *
 * @param {HTMLElement} card Made by `makeCard`.
 * @param {HTMLElement} control
 */
export function addControl(card, control) {
  card.querySelector(".attend-end")?.append(control);
}

/**
 * @param {HTMLElement} card Made by `makeCard`.
 * @param {object} seen
 * @param {Participant} seen.participant
 * @param {TimelineEntry | null} seen.timeline Null while none is known, or where none is shown.
 */
export function updateCard(card, { participant, timeline }) {
  const parts = partsOf.get(card);
  if (parts === undefined) return;
  const reading = readingOf(participant);
  setText(parts.name, participant.name);
  setText(parts.text, reading.text);
  setText(parts.why, reading.why);
  setText(parts.score, reading.score === null ? "" : reading.score.toFixed(2));
  const age_s = participant.mood?.age_s ?? 0;
  setText(parts.age, age_s < FRESH_S ? "" : ago(age_s));
  if (card.dataset["sign"] !== reading.icon) parts.sign.replaceChildren(icon(reading.icon));
  card.dataset["sign"] = reading.icon;
  card.dataset["tone"] = reading.tone;
  card.dataset["scored"] = String(reading.score !== null);
  card.style.setProperty("--score", String(reading.score ?? 0));
  parts.strip.hidden = timeline === null;
  if (timeline !== null) updateStrip(parts.strip, timeline.segments);
}
