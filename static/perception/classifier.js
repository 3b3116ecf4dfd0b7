// The attentiveness model: says of one face how attentive it looks and, where it can, why. As
// peer/perception/classifier.py.

import { CROP_SIDE } from "./crop.js";
import { checkSide, openSession } from "./model.js";
import { SIGNAL_NAMES, makeSignals } from "./signals.js";

/** @typedef {import("./model.js").ModelFiles} ModelFiles */
/** @typedef {import("./runtime.js").Runtime} Runtime */
/** @typedef {import("./runtime.js").Session} Session */
/** @typedef {import("./signals.js").Reading} Reading */

/** The output's name: its place among others is not part of the contract. */
const SIGNALS_OUTPUT = "signals";
const SHAPE = [1, CROP_SIDE, CROP_SIDE, 3];
/** Of the card: no crop is as large. */
const MAX_CROP_SCALE = 10;

/** One loaded model. */
export class AttentionClassifier {
  #runtime;
  #session;
  #outputs;
  /** @type {readonly string[]} The columns of the output `signals`; none for a model without. */
  #columns;

  /**
   * @param {Runtime} runtime
   * @param {Session} session
   * @param {object} card
   * @param {number} card.cropScale
   * @param {number} card.threshold
   * @param {readonly string[]} card.columns
   */
  constructor(runtime, session, { cropScale, threshold, columns }) {
    this.#runtime = runtime;
    this.#session = session;
    this.#columns = columns;
    this.#outputs = [session.outputNames[0] ?? "", ...(columns.length > 0 ? [SIGNALS_OUTPUT] : [])];
    /** Side of the crop over the box's. */
    this.cropScale = cropScale;
    /** Scores from it on are attentive. */
    this.threshold = threshold;
  }

  /**
   * @param {Runtime} runtime
   * @param {ModelFiles} files
   * @returns {Promise<AttentionClassifier>} Rejects with `PerceptionUnavailable`.
   */
  static async load(runtime, files) {
    const cropScale = files.number("crop_scale", Number.MIN_VALUE, MAX_CROP_SCALE);
    const threshold = files.number("threshold", 0, 1);
    const session = await openSession(runtime, files);
    checkSide(files, "take", session.inputMetadata[0], { type: "uint8", shape: [null, CROP_SIDE, CROP_SIDE, 3] });
    checkSide(files, "give", session.outputMetadata[0], { type: "float32", shape: [null] });
    const columns = readColumns(files, session);
    const classifier = new AttentionClassifier(runtime, session, { cropScale, threshold, columns });
    await classifier.#try(files);
    return classifier;
  }

  /**
   * @param {Uint8ClampedArray} crop 160 x 160 pixels of RGB.
   * @returns {Promise<Reading>} What the model says of the face in it. Rejects for what is no probability or no signals:
   *   NaN would pass for "not attentive".
   */
  async look(crop) {
    const reading = await this.#read(crop);
    if (isProbability(reading.score) && areFinite(reading.signals)) return reading;
    throw new RangeError(`expected a probability and finite signals, got ${JSON.stringify(reading)}`);
  }

  /**
   * @param {Uint8ClampedArray} crop
   * @returns {Promise<Reading>} Whatever the model says.
   */
  async #read(crop) {
    const input = new this.#runtime.Tensor("uint8", new Uint8Array(crop.buffer), SHAPE);
    const [scores, signals] = await this.#run(input);
    return {
      score: scores?.data[0] ?? NaN,
      signals: signals ? makeSignals((name) => signals.data[this.#columns.indexOf(name)] ?? NaN) : null,
    };
  }

  /**
   * Run once: a graph can have the right signature and still fail, and the first run is the slow one.
   *
   * @param {ModelFiles} files
   */
  async #try(files) {
    /** @type {Reading} */
    let reading;
    try {
      reading = await this.#read(new Uint8ClampedArray(CROP_SIDE * CROP_SIDE * 3));
    } catch (error) {
      throw files.problem(`${files.file} to run on one crop`, error);
    }
    if (!isProbability(reading.score)) {
      throw files.problem(`${files.file} to give a probability`, reading.score);
    }
    if (!areFinite(reading.signals)) {
      throw files.problem(`${files.file} to give finite signals`, JSON.stringify(reading.signals));
    }
  }

  /**
   * @param {import("./runtime.js").Tensor} input
   * @returns {Promise<import("./runtime.js").Tensor[]>} In the order of `#outputs`.
   */
  async #run(input) {
    const found = await this.#session.run({ [this.#session.inputNames[0] ?? ""]: input }, this.#outputs);
    return this.#outputs.map((name) => /** @type {import("./runtime.js").Tensor} */ (found[name]));
  }
}

/** @param {number} score */
function isProbability(score) {
  return score >= 0 && score <= 1; // NaN is neither
}

/** @param {Reading["signals"]} signals */
function areFinite(signals) {
  return signals === null || Object.values(signals).every(Number.isFinite);
}

/**
 * The card and the graph must mean the same.
 *
 * @param {ModelFiles} files
 * @param {Session} session
 * @returns {readonly string[]} What the columns of the output `signals` are; none for a model without.
 */
function readColumns(files, session) {
  const listed = files.card["signals"];
  if (listed === undefined || listed === null) return [];
  const columns = Array.isArray(listed) ? listed.map(String) : [];
  if (new Set(columns).size !== columns.length || !SIGNAL_NAMES.every((name) => columns.includes(name))) {
    throw files.problem(
      `the card of ${files.file} to list each of the signals ${SIGNAL_NAMES.join(", ")} once`,
      columns.join(", "),
    );
  }
  const output = session.outputMetadata.find(({ name }) => name === SIGNALS_OUTPUT);
  checkSide(files, `give as many ${SIGNALS_OUTPUT} as its card lists,`, output, {
    type: "float32",
    shape: [null, columns.length],
  });
  return columns;
}
