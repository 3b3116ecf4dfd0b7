// Five minutes of one person as a strip, now at its right end. Height and pattern tell what colour tells.

import { create } from "./dom.js";
import { DOING_WORDS, WINDOW_S, inWords } from "./timeline.js";

/** @typedef {import("./timeline.js").Segment} Segment */

/** @returns {HTMLElement} */
export function makeStrip() {
  const strip = create("div", "strip");
  strip.setAttribute("role", "img");
  return strip;
}

/**
 * @param {HTMLElement} strip Made by `makeStrip`.
 * @param {readonly Segment[]} segments
 */
export function updateStrip(strip, segments) {
  while (strip.children.length > segments.length) strip.lastElementChild?.remove();
  while (strip.children.length < segments.length) strip.append(create("span", "strip-segment"));
  segments.forEach(({ state, start_s, end_s }, index) => {
    const segment = strip.children[index];
    if (!(segment instanceof HTMLElement)) return;
    const from = Math.min(start_s, WINDOW_S);
    segment.dataset["doing"] = state;
    segment.style.setProperty("--from", `${(100 * (WINDOW_S - from)) / WINDOW_S}%`);
    segment.style.setProperty("--length", `${(100 * (from - end_s)) / WINDOW_S}%`);
  });
  const words = inWords(segments);
  if (strip.ariaLabel !== words) strip.ariaLabel = words;
}

/** @returns {HTMLElement} What each pattern of a strip means. */
export function makeLegend() {
  const legend = create("ul", "legend");
  legend.setAttribute("aria-label", "The last five minutes of each person, now at the right");
  legend.append(create("li", "legend-item", "Last 5 min:"));
  for (const [doing, words] of Object.entries(DOING_WORDS)) {
    if (doing === "absent") continue; // an empty place says it
    const item = create("li", "legend-item", words);
    const swatch = create("span", "legend-swatch");
    const segment = create("span", "strip-segment");
    segment.dataset["doing"] = doing;
    swatch.append(segment);
    item.prepend(swatch);
    legend.append(item);
  }
  return legend;
}
