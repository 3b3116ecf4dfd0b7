// A button that copies text, also on pages served without TLS, where browsers offer no clipboard API.

import { setText } from "./dom.js";

const DONE_MS = 2000;

/**
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} words The button's words; they say how it went.
 * @param {HTMLElement} source What is copied; selected where copying does not work.
 */
export function offerCopy(button, words, source) {
  const idle = words.textContent ?? "";
  let timer = 0;
  button.addEventListener("click", async () => {
    setText(words, (await copy(source)) ? "Copied" : "Selected: copy it now");
    clearTimeout(timer);
    timer = setTimeout(() => setText(words, idle), DONE_MS);
  });
}

/**
 * @param {HTMLElement} source
 * @returns {Promise<boolean>} Whether it is in the clipboard; if not, it is selected.
 */
async function copy(source) {
  try {
    await navigator.clipboard.writeText(source.textContent ?? "");
    return true;
  } catch {
    getSelection()?.selectAllChildren(source);
    return document.execCommand("copy");
  }
}
