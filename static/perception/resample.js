// Scales a piece of a picture as OpenCV does: INTER_AREA where it shrinks, INTER_LINEAR where it enlarges. A canvas
// scales otherwise, each browser in its own way, and the model's answer would depend on that.

/**
 * Pixels of a picture: RGBA, row by row, as a canvas gives them.
 *
 * @typedef {object} Picture
 * @property {Uint8ClampedArray} data
 * @property {number} width
 * @property {number} height
 */

/**
 * A piece of a picture, whole pixels; it may reach over the edge, where the picture's edge is continued.
 *
 * @typedef {object} Rect
 * @property {number} left
 * @property {number} top
 * @property {number} width At least 1.
 * @property {number} height At least 1.
 */

/**
 * What the scaled piece goes into.
 *
 * @typedef {object} Target
 * @property {Uint8ClampedArray} rgb Three bytes a pixel, row by row.
 * @property {number} stride Pixels from one row to the next.
 * @property {Rect} at Where in it, and how large.
 */

/**
 * For each place of one scaled axis the source pixels it is made of: those of place `i` are `taps[ends[i - 1]]` up to
 * `taps[ends[i]]`, each with its weight; the weights of a place add up to one.
 *
 * @typedef {object} Axis
 * @property {Int32Array} ends
 * @property {Int32Array} taps
 * @property {Float32Array} weights
 */

/** A share of a pixel that OpenCV leaves out. */
const TINY = 1e-3;

/**
 * @param {Picture} picture
 * @param {Rect} piece
 * @param {Target} target
 */
export function resample(picture, piece, target) {
  const { at, rgb, stride } = target;
  const columns = makeAxis(piece.left, piece.width, at.width, picture.width);
  const rows = makeAxis(piece.top, piece.height, at.height, picture.height);
  const sums = new Float32Array(3 * at.width);
  // Neighbouring places share at most two source rows.
  const kept = [
    { row: -1, values: new Float32Array(3 * at.width) },
    { row: -1, values: new Float32Array(3 * at.width) },
  ];
  let tap = 0;
  for (let y = 0; y < at.height; y++) {
    sums.fill(0);
    for (const end = rows.ends[y] ?? 0; tap < end; tap++) {
      const row = rows.taps[tap] ?? 0;
      const weight = rows.weights[tap] ?? 0;
      const slot = /** @type {{row: number, values: Float32Array}} */ (kept[row & 1]);
      if (slot.row !== row) {
        slot.row = row;
        scaleRow(picture, row, columns, slot.values);
      }
      const values = slot.values;
      for (let i = 0; i < sums.length; i++) {
        sums[i] = /** @type {number} */ (sums[i]) + weight * /** @type {number} */ (values[i]);
      }
    }
    rgb.set(sums, 3 * ((at.top + y) * stride + at.left)); // rounded half to even and held within 0 to 255
  }
}

/**
 * @param {Picture} picture
 * @param {number} row
 * @param {Axis} columns
 * @param {Float32Array} values Filled: three a place.
 */
function scaleRow(picture, row, columns, values) {
  const { data, width } = picture;
  const { ends, taps, weights } = columns;
  const start = row * width;
  let tap = 0;
  for (let x = 0; x < ends.length; x++) {
    let red = 0;
    let green = 0;
    let blue = 0;
    for (const end = /** @type {number} */ (ends[x]); tap < end; tap++) {
      const pixel = 4 * (start + /** @type {number} */ (taps[tap]));
      const weight = /** @type {number} */ (weights[tap]);
      red += weight * /** @type {number} */ (data[pixel]);
      green += weight * /** @type {number} */ (data[pixel + 1]);
      blue += weight * /** @type {number} */ (data[pixel + 2]);
    }
    values[3 * x] = red;
    values[3 * x + 1] = green;
    values[3 * x + 2] = blue;
  }
}

/**
 * @param {number} first Of the source pixels, may be beyond the edge.
 * @param {number} length Source pixels.
 * @param {number} places To be made of them.
 * @param {number} limit Pixels of the picture along this axis.
 * @returns {Axis}
 */
function makeAxis(first, length, places, limit) {
  const scale = length / places;
  const room = places * (Math.ceil(Math.max(scale, 1)) + 2);
  const axis = { ends: new Int32Array(places), taps: new Int32Array(room), weights: new Float32Array(room) };
  let count = 0;
  /** @type {(source: number, weight: number) => void} */
  const add = (source, weight) => {
    const inside = first + Math.min(Math.max(source, 0), length - 1);
    axis.taps[count] = Math.min(Math.max(inside, 0), limit - 1);
    axis.weights[count] = weight;
    count += 1;
  };
  for (let place = 0; place < places; place++) {
    if (scale > 1) addArea(place, scale, length, add);
    else addLinear(place, scale, add);
    axis.ends[place] = count;
  }
  return axis;
}

/**
 * Every source pixel by the share of it that the place covers.
 *
 * @param {number} place
 * @param {number} scale Source pixels a place.
 * @param {number} length Source pixels.
 * @param {(source: number, weight: number) => void} add
 */
function addArea(place, scale, length, add) {
  const begin = place * scale;
  const end = begin + scale;
  const covered = Math.min(scale, length - begin);
  const lastWhole = Math.min(Math.floor(end), length - 1);
  const firstWhole = Math.min(Math.ceil(begin), lastWhole);
  if (firstWhole - begin > TINY) add(firstWhole - 1, (firstWhole - begin) / covered);
  for (let source = firstWhole; source < lastWhole; source++) add(source, 1 / covered);
  const rest = end - lastWhole;
  if (rest > TINY) add(lastWhole, Math.min(rest, 1, covered) / covered);
}

/**
 * The two source pixels nearest to the middle of the place.
 *
 * @param {number} place
 * @param {number} scale Source pixels a place.
 * @param {(source: number, weight: number) => void} add
 */
function addLinear(place, scale, add) {
  const middle = (place + 0.5) * scale - 0.5;
  const source = Math.floor(middle);
  add(source, 1 - (middle - source));
  add(source + 1, middle - source);
}
