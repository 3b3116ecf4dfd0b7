// One model file with its card, checked before it is trusted: as peer/perception/classifier.py checks its own.

import { PerceptionUnavailable } from "./unavailable.js";

/** @typedef {import("./runtime.js").Metadata} Metadata */
/** @typedef {import("./runtime.js").Runtime} Runtime */
/** @typedef {import("./runtime.js").Session} Session */
/** @typedef {import("./runtime.js").Tensor} Tensor */

/** @typedef {Record<string, unknown>} Card What stands in the model's .json. */

/**
 * One side of a graph as it has to be.
 *
 * @typedef {object} Expected
 * @property {"uint8" | "float32"} type
 * @property {readonly (number | null)[]} shape Null for a size that is free.
 */

/** Hexadecimal digits of a digest that are shown. */
const SHOWN_DIGITS = 12;

/** A file and its card, as they come from the server. */
export class ModelFiles {
  /**
   * @param {string} what For people: "attention model".
   * @param {string} file Its name, for the same.
   * @param {Uint8Array} bytes
   * @param {Card} card
   */
  constructor(what, file, bytes, card) {
    this.what = what;
    this.file = file;
    this.bytes = bytes;
    this.card = card;
  }

  /**
   * An error about these files.
   *
   * @param {string} expected
   * @param {unknown} got
   * @returns {PerceptionUnavailable}
   */
  problem(expected, got) {
    return new PerceptionUnavailable(`This server's ${this.what} does not work`, expected, got);
  }

  /**
   * A number of the card.
   *
   * @param {string} name
   * @param {number} least
   * @param {number} most
   * @returns {number}
   */
  number(name, least, most) {
    const value = this.card[name];
    if (typeof value !== "number" || !(value >= least && value <= most)) {
      throw this.problem(`${name} from ${least} to ${most} in the card of ${this.file}`, JSON.stringify(value));
    }
    return value;
  }
}

/**
 * Fetch `models/{name}.onnx` and its card.
 *
 * @param {string} what For people: "attention model".
 * @param {string} name
 * @returns {Promise<ModelFiles>} Rejects with `PerceptionUnavailable`.
 */
export async function fetchModel(what, name) {
  const file = `${name}.onnx`;
  const [bytes, card] = await Promise.all([
    fetchFile(what, file, async (answer) => new Uint8Array(await answer.arrayBuffer())),
    fetchFile(what, `${name}.json`, (answer) => answer.json()),
  ]);
  const files = new ModelFiles(what, file, bytes, card !== null && typeof card === "object" ? card : {});
  await checkDigest(files);
  return files;
}

/**
 * A session of `files` whose first input and outputs are as expected.
 *
 * @param {Runtime} runtime
 * @param {ModelFiles} files
 * @returns {Promise<Session>} Rejects with `PerceptionUnavailable`.
 */
export async function openSession(runtime, files) {
  try {
    return await runtime.InferenceSession.create(files.bytes, { executionProviders: ["wasm"] });
  } catch (error) {
    throw files.problem(`an ONNX model in ${files.file}`, error);
  }
}

/**
 * @param {ModelFiles} files
 * @param {string} side "take" or "give", for the error.
 * @param {Metadata | undefined} found
 * @param {Expected} expected
 */
export function checkSide(files, side, found, expected) {
  const shape = found?.shape ?? [];
  const fits =
    found?.type === expected.type &&
    shape.length === expected.shape.length &&
    expected.shape.every((size, axis) => size === null || size === shape[axis]);
  if (fits) return;
  const wanted = `(${expected.shape.map((size) => size ?? "N").join(", ")}) ${expected.type}`;
  throw files.problem(`${files.file} to ${side} ${wanted}`, found ? `(${shape.join(", ")}) ${found.type}` : "nothing");
}

/**
 * @template T
 * @param {string} what
 * @param {string} file
 * @param {(answer: Response) => Promise<T>} read
 * @returns {Promise<T>}
 */
async function fetchFile(what, file, read) {
  try {
    const answer = await fetch(new URL(`../models/${file}`, import.meta.url));
    if (!answer.ok) throw new Error(`HTTP status ${answer.status}`);
    return await read(answer);
  } catch (error) {
    throw new PerceptionUnavailable(`This server's ${what} could not be loaded`, file, error);
  }
}

/**
 * The card must belong to the file. Where the page is not secure (plain HTTP from another machine) browsers compute no
 * digest, and give no camera either.
 *
 * @param {ModelFiles} files
 */
async function checkDigest(files) {
  const wanted = files.card["sha256"];
  if (typeof wanted !== "string") throw files.problem(`a sha256 in the card of ${files.file}`, JSON.stringify(wanted));
  if (crypto.subtle === undefined) return;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", /** @type {BufferSource} */ (files.bytes)));
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found === wanted.toLowerCase()) return;
  throw files.problem(
    `${files.file} with the sha256 of its card, ${wanted.slice(0, SHOWN_DIGITS)}…`,
    `${found.slice(0, SHOWN_DIGITS)}…`,
  );
}
