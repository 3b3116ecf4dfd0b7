// The icons, drawn on a 16 x 16 grid in the current colour; the shapes of host/labels.py and a few for buttons.

const SVG = "http://www.w3.org/2000/svg";

/** @type {{[name: string]: string}} Paths that are stroked; a zero-length line is a dot. */
const PATHS = {
  check: "M4.2 8.4 7 11.2l4.8-6",
  exclamation: "M8 3.8V9M8 12v0",
  absent: "m5 5 6 6m0-6-6 6",
  pause: "M6 5v6m4-6v6",
  question: "M5.9 6.1a2.2 2.2 0 1 1 3.4 1.8C8.4 8.5 8 8.9 8 9.6M8 12.2v0",
  dash: "M4.8 8h6.4",
  dots: "M4.4 8v0M8 8v0M11.6 8v0",
  expand: "M6 2.5H2.5V6m7.5-3.5h3.5V6M6 13.5H2.5V10m7.5 3.5h3.5V10",
  shrink: "M2.5 6H6V2.5m4 0V6h3.5M2.5 10H6v3.5m4 0V10h3.5",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  download: "M8 2.5v7m-3-3 3 3 3-3M2.5 13.5h11",
  play: "M5.5 3.5v9l7-4.5z",
};

/** @typedef {"check" | "exclamation" | "absent" | "pause" | "question" | "dash" | "dots" | "expand" | "shrink" | "copy" | "download" | "play"} IconName */

/**
 * An icon that assistive technology passes over: the words beside it say the same.
 *
 * @param {IconName} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name] ?? "");
  svg.append(path);
  return svg;
}

/**
 * A label's icon: the sign in a filled disc.
 *
 * @param {IconName} name
 * @returns {HTMLSpanElement}
 */
export function badge(name) {
  const disc = document.createElement("span");
  disc.className = "badge";
  disc.append(icon(name));
  return disc;
}
