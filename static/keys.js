// Single keys for what people do most. They can be switched off: some type with their voice (WCAG 2.1.4).

import { byId, create } from "./dom.js";
import { preferences } from "./preferences.js";

/**
 * @typedef {object} Key
 * @property {string} key As `KeyboardEvent.key` has it, in lower case.
 * @property {string} does For the list.
 * @property {() => void} press
 */

/**
 * @param {readonly Key[]} keys
 * @param {() => boolean} active Whether they mean anything now: not while there is something to type into.
 */
export function offerKeys(keys, active) {
  const list = byId("keys", HTMLElement);
  for (const { key, does } of keys) {
    const term = create("dt", "");
    term.append(create("kbd", "", key.toUpperCase()));
    list.append(term, create("dd", "", does));
  }
  const on = byId("keys-on", HTMLInputElement);
  on.checked = preferences.get("keys") !== "off";
  on.addEventListener("change", () => preferences.set("keys", on.checked ? "" : "off"));
  addEventListener("keydown", (event) => {
    if (!on.checked || !active() || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    if (document.querySelector("dialog[open]") !== null) return;
    const found = keys.find(({ key }) => key === event.key.toLowerCase());
    if (found === undefined) return;
    event.preventDefault();
    found.press();
  });
}
