// The room's curve: which part of those who share a label was attentive, over the last five minutes.

import { byId, setText } from "./dom.js";
import { percent } from "./readings.js";
import { WINDOW_S } from "./timeline.js";

/** @typedef {import("./timeline.js").CurvePoint} CurvePoint */
/** @typedef {{x: number, y: number}} Dot In the drawing's own units: seconds, and hundredths from the top. */

const SVG = "http://www.w3.org/2000/svg";

/** Draws into the SVG `#curve`, and says the same in its label and in `#curve-now`. */
export class Curve {
  #svg = byId("curve", SVGSVGElement);
  #now = byId("curve-now", HTMLElement);
  #area = document.createElementNS(SVG, "path");
  #line = document.createElementNS(SVG, "path");

  constructor() {
    this.#area.setAttribute("class", "curve-area");
    this.#line.setAttribute("class", "curve-line");
    this.#svg.append(this.#area, this.#line);
  }

  /**
   * @param {readonly CurvePoint[]} points Oldest first.
   * @param {number} stepS Seconds between two points: what lies further apart has a gap.
   */
  show(points, stepS) {
    const runs = runsOf(points);
    this.#line.setAttribute("d", runs.map((run) => lineOf(run, stepS)).join(""));
    this.#area.setAttribute("d", runs.map((run) => `${lineOf(run, stepS)}V100H${first(run, stepS)}Z`).join(""));
    const shown = points.flatMap(({ attentive }) => (attentive === null ? [] : [attentive]));
    const last = points.at(-1)?.attentive ?? null;
    setText(this.#now, last === null ? "nothing to show now" : `${percent(last)} lately`);
    const between = `between ${percent(Math.min(...shown))} and ${percent(Math.max(...shown))}`;
    const words = shown.length === 0 ? "nothing yet" : `${between} attentive in the last five minutes`;
    this.#svg.setAttribute("aria-label", `The room: ${words}`);
  }
}

/**
 * @param {readonly CurvePoint[]} points
 * @returns {Dot[][]} Stretches without a gap.
 */
function runsOf(points) {
  /** @type {Dot[][]} */
  const runs = [];
  let open = false;
  for (const { ago_s, attentive } of points) {
    if (attentive === null) {
      open = false;
      continue;
    }
    const dot = { x: WINDOW_S - ago_s, y: 100 - 100 * attentive };
    if (open) runs.at(-1)?.push(dot);
    else runs.push([dot]);
    open = true;
  }
  return runs;
}

/**
 * A run begins a step before its first point, which stands for the time up to it.
 *
 * @param {readonly Dot[]} run
 * @param {number} stepS
 * @returns {number}
 */
const first = (run, stepS) => Math.max(0, (run[0]?.x ?? 0) - stepS);

/**
 * @param {readonly Dot[]} run
 * @param {number} stepS
 * @returns {string} An SVG path.
 */
function lineOf(run, stepS) {
  return `M${first(run, stepS)} ${run[0]?.y ?? 0}` + run.map(({ x, y }) => `L${x} ${y}`).join("");
}
