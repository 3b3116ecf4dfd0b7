// One row of the dashboard's roster. Names are shown as text in every case, whatever they hold.

import { create, setText } from "./dom.js";
import { badge, icon } from "./icons.js";
import { ago, readingOf } from "./readings.js";

/** @typedef {import("./status.js").Participant} Participant */

/**
 * @typedef {object} Parts What changes in a row.
 * @property {HTMLElement} sign
 * @property {HTMLElement} name
 * @property {HTMLElement} text
 * @property {HTMLElement} why
 * @property {HTMLElement} score
 * @property {HTMLElement} age
 */

/** @type {WeakMap<HTMLElement, Parts>} */
const partsOf = new WeakMap();

/** @returns {HTMLLIElement} */
export function makeRow() {
  const row = create("li", "person rated");
  const parts = {
    sign: badge("dots"),
    name: create("bdi", "person-name"),
    text: create("span", "person-reading"),
    why: create("span", "person-why"),
    score: create("span", "score-number"),
    age: create("span", "person-age"),
  };
  parts.name.dir = "auto";
  const words = create("div", "person-words");
  words.append(parts.name, parts.text, parts.why);
  const score = create("span", "score");
  const bar = create("span", "score-bar");
  bar.setAttribute("aria-hidden", "true");
  score.append(create("span", "hidden-words", "score "), parts.score, bar);
  const numbers = create("div", "person-numbers");
  numbers.append(score, parts.age);
  row.append(parts.sign, words, numbers);
  partsOf.set(row, parts);
  return row;
}

/**
 * @param {HTMLElement} row Made by `makeRow`.
 * @param {Participant} participant
 */
export function updateRow(row, participant) {
  const parts = partsOf.get(row);
  if (parts === undefined) return;
  const reading = readingOf(participant);
  setText(parts.name, participant.name);
  setText(parts.text, reading.text);
  setText(parts.why, reading.why);
  setText(parts.score, reading.score === null ? "" : reading.score.toFixed(2));
  setText(parts.age, participant.mood == null ? "" : ago(participant.mood.age_s));
  if (row.dataset["sign"] !== reading.icon) parts.sign.replaceChildren(icon(reading.icon));
  row.dataset["sign"] = reading.icon;
  row.dataset["tone"] = reading.tone;
  row.dataset["scored"] = String(reading.score !== null);
  row.style.setProperty("--score", String(reading.score ?? 0));
}
