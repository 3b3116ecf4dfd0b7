// Finds the largest face of a picture with a small network of our own, and stays with it from picture to picture: a
// small one is looked for round its last box first, then in the whole picture. As peer/perception/detector.py.

import { checkSide, openSession } from "./model.js";
import { VIEW_HEIGHT, VIEW_WIDTH, surroundings, toPicture, toView, whole } from "./view.js";

/** @typedef {import("./crop.js").Box} Box */
/** @typedef {import("./model.js").ModelFiles} ModelFiles */
/** @typedef {import("./resample.js").Picture} Picture */
/** @typedef {import("./runtime.js").Runtime} Runtime */
/** @typedef {import("./runtime.js").Session} Session */
/** @typedef {import("./view.js").View} View */

const SHAPE = [1, VIEW_HEIGHT, VIEW_WIDTH, 3];
/** Numbers of one answer: score, centre x, centre y, side. */
const ROW = 4;

// Answers mean the same face when their centres are within this share of its side, and their sides within this factor.
const SAME_PLACE = 0.25;
const SAME_SIZE = 1.5;
/** Of the best score in a view: faces are scored alike, and what is a face by a hair beside a sure one is none. */
const SURE_SHARE = 0.6;
/** Of the threshold: less is enough for a face where one just was, so that turned heads stay and posters don't come. */
const KEPT_SHARE = 0.9;
/** The followed face stays chosen beside a larger one while its centre moves by less than this share of its side. */
const MOVED = 0.5;

/** @typedef {{score: number, x: number, y: number, side: number}} Answer A face, by its centre. */

/** Follows the largest face from picture to picture. */
export class FaceDetector {
  #runtime;
  #session;
  #threshold;
  /** @type {Box | null} */
  #last = null;

  /**
   * @param {Runtime} runtime
   * @param {Session} session
   * @param {number} threshold Scores from it on are faces.
   */
  constructor(runtime, session, threshold) {
    this.#runtime = runtime;
    this.#session = session;
    this.#threshold = threshold;
  }

  /**
   * @param {Runtime} runtime
   * @param {ModelFiles} files
   * @returns {Promise<FaceDetector>} Rejects with `PerceptionUnavailable`.
   */
  static async load(runtime, files) {
    const threshold = files.number("threshold", 0, 1);
    const session = await openSession(runtime, files);
    checkSide(files, "take", session.inputMetadata[0], { type: "uint8", shape: SHAPE });
    checkSide(files, "give", session.outputMetadata[0], { type: "float32", shape: [1, null, ROW] });
    const detector = new FaceDetector(runtime, session, threshold);
    try {
      // A graph can have the right signature and still fail, and the first run is the slow one.
      await detector.#faces(new Uint8ClampedArray(VIEW_WIDTH * VIEW_HEIGHT * 3));
    } catch (error) {
      throw files.problem(`${files.file} to run on one picture`, error);
    }
    return detector;
  }

  /** Forget the last face: the next picture has nothing to do with the one before. */
  reset() {
    this.#last = null;
  }

  /**
   * @param {Picture} picture
   * @returns {Promise<Box | null>} Its largest face, in its pixels.
   */
  async detect(picture) {
    const last = this.#last;
    this.#last = (last && (await this.#near(picture, last))) ?? (await this.#anywhere(picture, last));
    return this.#last;
  }

  /**
   * In the whole picture; a small face that is found there is looked at once more, larger.
   *
   * @param {Picture} picture
   * @param {Box | null} last
   */
  async #anywhere(picture, last) {
    const found = await this.#find(whole(picture), last);
    return found && ((await this.#near(picture, found)) ?? found);
  }

  /**
   * @param {Picture} picture
   * @param {Box} last
   */
  async #near(picture, last) {
    const view = surroundings(picture, last);
    return view && this.#find(view, last);
  }

  /**
   * @param {View} view
   * @param {Box | null} last In pixels of the picture.
   * @returns {Promise<Box | null>} In pixels of the picture.
   */
  async #find(view, last) {
    const box = choose(await this.#faces(view.rgb), this.#threshold, last && toView(view, last));
    return box && toPicture(view, box);
  }

  /**
   * @param {Uint8ClampedArray} rgb Of a view.
   * @returns {Promise<Float32Array>} `ROW` numbers for each place where a face may be.
   */
  async #faces(rgb) {
    const input = new this.#runtime.Tensor("uint8", new Uint8Array(rgb.buffer), SHAPE);
    const output = this.#session.outputNames[0] ?? "";
    const { [output]: faces } = await this.#session.run({ [this.#session.inputNames[0] ?? ""]: input }, [output]);
    const found = faces?.data ?? new Float32Array();
    // NaN would pass for "nobody is there".
    if (!found.every(Number.isFinite)) throw new RangeError("expected finite faces, got others");
    return found;
  }
}

/**
 * The one that was at `last`, or else the largest, as the mean of all answers that mean it.
 *
 * Answers count with a score from `threshold` on and not far below the best one; those of the followed face from
 * `KEPT_SHARE` of it on.
 *
 * @param {Float32Array} faces
 * @param {number} threshold
 * @param {Box | null} last
 * @returns {Box | null} All in pixels of the view.
 */
export function choose(faces, threshold, last) {
  const answers = answersOf(faces);
  const least = SURE_SHARE * answers.reduce((most, { score }) => Math.max(most, score), 0);
  if (last !== null) {
    const kept = answers.filter(({ score }) => score >= Math.max(KEPT_SHARE * threshold, least));
    const there = { x: last.left + last.side / 2, y: last.top + last.side / 2, side: last.side };
    const followed = meanOfLargest(alike(kept, there, MOVED), kept);
    if (followed !== null) return followed;
  }
  const sure = answers.filter(({ score }) => score >= Math.max(threshold, least));
  return meanOfLargest(sure, sure);
}

/**
 * @param {Float32Array} faces
 * @returns {Answer[]}
 */
function answersOf(faces) {
  const answers = [];
  for (let row = 0; row < faces.length; row += ROW) {
    const [score = 0, x = 0, y = 0, side = 0] = faces.subarray(row, row + ROW);
    answers.push({ score, x, y, side });
  }
  return answers;
}

/**
 * The largest of `pool`, as the mean of those of `answers` that mean the same face, weighted by their scores.
 *
 * @param {Answer[]} pool
 * @param {Answer[]} answers
 * @returns {Box | null}
 */
function meanOfLargest(pool, answers) {
  let largest = pool[0];
  if (largest === undefined) return null;
  for (const one of pool) {
    if (one.side > largest.side) largest = one;
  }
  let weight = 0;
  let [x, y, side] = [0, 0, 0];
  for (const one of alike(answers, largest, SAME_PLACE)) {
    weight += one.score;
    x += one.score * one.x;
    y += one.score * one.y;
    side += one.score * one.side;
  }
  return { left: (x - side / 2) / weight, top: (y - side / 2) / weight, side: side / weight };
}

/**
 * Those about as large as one face, with a centre within `most` of its side from its own.
 *
 * @param {Answer[]} answers
 * @param {{x: number, y: number, side: number}} face
 * @param {number} most
 * @returns {Answer[]}
 */
function alike(answers, { x, y, side }, most) {
  return answers.filter(
    (one) =>
      Math.hypot(one.x - x, one.y - y) <= most * side && one.side * SAME_SIZE >= side && one.side <= side * SAME_SIZE,
  );
}
