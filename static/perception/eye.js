// Looks at single pictures: finds the face, cuts it out, asks the model.

import { AttentionClassifier } from "./classifier.js";
import { cropFace } from "./crop.js";
import { FaceDetector } from "./detector.js";
import { fetchModel } from "./model.js";
import { loadRuntime } from "./runtime.js";

/** @typedef {import("./crop.js").Box} Box */
/** @typedef {import("./resample.js").Picture} Picture */
/** @typedef {import("./signals.js").Reading} Reading */

/** Detector and classifier as one. */
export class Eye {
  #detector;
  #classifier;

  /**
   * @param {FaceDetector} detector
   * @param {AttentionClassifier} classifier
   */
  constructor(detector, classifier) {
    this.#detector = detector;
    this.#classifier = classifier;
  }

  /** @returns {Promise<Eye>} Rejects with `PerceptionUnavailable`. */
  static async load() {
    const [runtime, face, attention] = await Promise.all([
      loadRuntime(),
      fetchModel("face detector", "face"),
      fetchModel("attention model", "attention"),
    ]);
    // In this order: the runtime prepares one session at a time.
    const detector = await FaceDetector.load(runtime, face);
    return new Eye(detector, await AttentionClassifier.load(runtime, attention));
  }

  /** Scores from it on are attentive. */
  get threshold() {
    return this.#classifier.threshold;
  }

  /** Forget the last face: the next picture has nothing to do with the one before. */
  reset() {
    this.#detector.reset();
  }

  /**
   * @param {Picture} picture
   * @returns {Promise<{box: Box | null, reading: Reading | null}>} Both null for no face.
   */
  async look(picture) {
    const box = await this.#detector.detect(picture);
    if (box === null) return { box, reading: null };
    return { box, reading: await this.#classifier.look(cropFace(picture, box, this.#classifier.cropScale)) };
  }
}
