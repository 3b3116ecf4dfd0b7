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
  pencil: "m3 13 .6-2.9 7.2-7.2a1.2 1.2 0 0 1 1.7 0l.6.6a1.2 1.2 0 0 1 0 1.7l-7.2 7.2z",
  close: "m4 4 8 8m0-8-8 8",
  list: "M2.5 4h11M2.5 8h11M2.5 12h7",
  print: "M4.5 6V2.5h7V6m-7 5.5h-2V6h11v5.5h-2m-7-2h7v4h-7z",
  camera: "M1.8 4.5h8.4v7H1.8zM10.2 7.4l4-2.2v5.6l-4-2.2",
  "camera-off": "M4.6 4.5h5.6v5.6M10.2 7.4l4-2.2v5.6l-2-1.1M8.7 11.5H1.8v-7M2.5 1.8l11 12.4",
  signal: "M3.5 12.5v-2M8 12.5v-5M12.5 12.5v-9",
  shield: "M8 1.8 13 3.6v4.1c0 3.1-2.1 5.3-5 6.5-2.9-1.2-5-3.4-5-6.5V3.6z",
  eye: "M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8zM8 6.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6z",
  leave: "M9.5 2.5h-6v11h6M6.8 8h7m-2.6-2.6L13.8 8l-2.6 2.6",
};

/** @typedef {"check" | "exclamation" | "absent" | "pause" | "question" | "dash" | "dots" | "expand" | "shrink" | "copy" | "download" | "play" | "pencil" | "close" | "list" | "print" | "camera" | "camera-off" | "signal" | "shield" | "eye" | "leave"} IconName */

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
