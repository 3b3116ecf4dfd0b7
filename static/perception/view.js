// A part of a picture as the face model sees it. As in peer/perception/detector.py, to the pixel.

import { resample } from "./resample.js";

/** @typedef {import("./crop.js").Box} Box */
/** @typedef {import("./resample.js").Picture} Picture */

/** Pixels of what the model sees. */
export const VIEW_WIDTH = 160;
export const VIEW_HEIGHT = 120;

/** Least height of the view round the last box, in its sides: a head may move by half its width from look to look. */
const NEAR_SIDES = 2.5;

// Views come in steps of size and place, so that a face that hardly moves is seen in the very same view again.
const ZOOMS_PER_OCTAVE = 2;
/** The middle of a view lies on a grid of this share of its height. */
const PLACES = 8;

/**
 * @typedef {object} View
 * @property {Uint8ClampedArray} rgb Three bytes a pixel, row by row.
 * @property {number} scale Pixels of the picture to one of the view.
 * @property {number} left Of the view's corner in the picture; outside where there are black bars.
 * @property {number} top
 */

/**
 * All of a picture, its aspect kept, between black bars where that isn't 4:3.
 *
 * @param {Picture} picture
 * @returns {View}
 */
export function whole(picture) {
  return makeView(picture, [0, picture.width], [0, picture.height]);
}

/**
 * What lies round `box`: 4:3, moved into the picture where it would leave it.
 *
 * @param {Picture} picture
 * @param {Box} box
 * @returns {View | null} Null where only the whole picture is large enough.
 */
export function surroundings(picture, box) {
  const wholeHeight = VIEW_HEIGHT * Math.max(picture.width / VIEW_WIDTH, picture.height / VIEW_HEIGHT);
  const steps = Math.floor(ZOOMS_PER_OCTAVE * Math.log2(wholeHeight / (NEAR_SIDES * box.side)));
  if (steps <= 0) return null;
  const height = wholeHeight / 2 ** (steps / ZOOMS_PER_OCTAVE);
  const grid = height / PLACES;
  return makeView(
    picture,
    reach(box.left + box.side / 2, (height * VIEW_WIDTH) / VIEW_HEIGHT, grid, picture.width),
    reach(box.top + box.side / 2, height, grid, picture.height),
  );
}

/**
 * @param {View} view
 * @param {Box} box In pixels of the view.
 * @returns {Box} In pixels of the picture.
 */
export function toPicture({ left, top, scale }, box) {
  return { left: left + box.left * scale, top: top + box.top * scale, side: box.side * scale };
}

/**
 * @param {View} view
 * @param {Box} box In pixels of the picture.
 * @returns {Box} In pixels of the view.
 */
export function toView({ left, top, scale }, box) {
  return { left: (box.left - left) / scale, top: (box.top - top) / scale, side: box.side / scale };
}

/**
 * Whole pixels of `length` round the place of the `grid` next to `middle`, within 0 to `most`.
 *
 * @param {number} middle
 * @param {number} length
 * @param {number} grid
 * @param {number} most
 * @returns {[start: number, size: number]}
 */
function reach(middle, length, grid, most) {
  const size = Math.min(Math.max(Math.round(length), 2), most);
  const start = Math.round(Math.round(middle / grid) * grid - length / 2);
  return [Math.min(Math.max(start, 0), most - size), size];
}

/**
 * @param {Picture} picture
 * @param {[start: number, size: number]} columns
 * @param {[start: number, size: number]} rows
 * @returns {View}
 */
function makeView(picture, [left, width], [top, height]) {
  const scale = Math.max(width / VIEW_WIDTH, height / VIEW_HEIGHT);
  const across = Math.max(Math.round(width / scale), 1);
  const along = Math.max(Math.round(height / scale), 1);
  const at = { left: (VIEW_WIDTH - across) >> 1, top: (VIEW_HEIGHT - along) >> 1, width: across, height: along };
  const rgb = new Uint8ClampedArray(VIEW_WIDTH * VIEW_HEIGHT * 3);
  resample(picture, { left, top, width, height }, { rgb, stride: VIEW_WIDTH, at });
  return { rgb, scale, left: left - at.left * scale, top: top - at.top * scale };
}
