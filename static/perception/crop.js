// The square crop round a face that the classifier sees. As peer/perception/crop.py.

import { resample } from "./resample.js";
import { roundHalfEven } from "./rounding.js";

/**
 * A face, a square in pixels of the picture, not rounded.
 *
 * @typedef {object} Box
 * @property {number} left
 * @property {number} top
 * @property {number} side
 */

/** Pixels: the classifier's input. */
export const CROP_SIDE = 160;

/**
 * Cut the square centred on `box` whose side is `cropScale` times the box's. Where it leaves the picture, the picture's
 * edge is continued: a black bar would be an edge that no training picture has.
 *
 * @param {import("./resample.js").Picture} picture
 * @param {Box} box
 * @param {number} cropScale
 * @returns {Uint8ClampedArray} 160 x 160 pixels of RGB.
 */
export function cropFace(picture, box, cropScale) {
  const side = Math.max(1, roundHalfEven(box.side * cropScale));
  const left = roundHalfEven(box.left + (box.side - side) / 2);
  const top = roundHalfEven(box.top + (box.side - side) / 2);
  const { width, height } = picture;
  if (left + side <= 0 || top + side <= 0 || left >= width || top >= height) {
    throw new RangeError(`expected a box in the ${width}x${height} picture, got ${JSON.stringify(box)}`);
  }
  const rgb = new Uint8ClampedArray(CROP_SIDE * CROP_SIDE * 3);
  const at = { left: 0, top: 0, width: CROP_SIDE, height: CROP_SIDE };
  resample(picture, { left, top, width: side, height: side }, { rgb, stride: CROP_SIDE, at });
  return rgb;
}
