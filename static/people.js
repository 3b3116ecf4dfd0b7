// The list of who is here, as everybody may see it: names and whether they are here, never a label.

import { create, setText } from "./dom.js";
import { badge, icon } from "./icons.js";

/** @typedef {import("./readings.js").Reading} Reading */

/** @returns {HTMLLIElement} */
export function makePerson() {
  const item = create("li", "person");
  const name = create("bdi", "person-name");
  name.dir = "auto";
  item.append(badge("dots"), name, create("span", "person-reading"));
  return item;
}

/**
 * @param {HTMLElement} item Made by `makePerson`.
 * @param {string} name
 * @param {Reading} reading
 */
export function updatePerson(item, name, { text, icon: sign, tone }) {
  const [disc, nameElement, state] = item.children;
  if (disc === undefined || nameElement === undefined || state === undefined) return;
  setText(nameElement, name);
  setText(state, text);
  if (item.dataset["sign"] !== sign) disc.replaceChildren(icon(sign));
  item.dataset["sign"] = sign;
  item.dataset["tone"] = tone;
}
