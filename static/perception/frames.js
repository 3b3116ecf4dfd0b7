// Frames in the worker: the one that waits, and its pixels.

/** @typedef {import("./crop.js").Box} Box */
/** @typedef {import("./resample.js").Picture} Picture */

/**
 * A frame on its way from the page; who has it last closes it.
 *
 * @typedef {object} Frame
 * @property {VideoFrame | ImageBitmap} image
 * @property {number} timeS When it was taken.
 */

/** Pixels: a larger picture is scaled down before it is looked at; reading it would take longer than all else. */
const MAX_SIDE = 1280;

/** The newest frame that nobody has looked at, and who waits for one. */
export class Inbox {
  /** @type {Frame | null} */
  #frame = null;
  #arrived = () => {};

  /** @param {Frame} frame */
  put(frame) {
    this.#frame?.image.close();
    this.#frame = frame;
    this.#arrived();
  }

  /**
   * @param {number} patienceMs
   * @returns {Promise<Frame | null>} The frame that is there, or comes in time.
   */
  async take(patienceMs) {
    if (this.#frame === null) {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, patienceMs);
        this.#arrived = () => {
          clearTimeout(timer);
          resolve(undefined);
        };
      });
      this.#arrived = () => {};
    }
    const frame = this.#frame;
    this.#frame = null;
    return frame;
  }
}

/** Reads the pixels of frames; one canvas serves them all. */
export class FrameReader {
  #canvas = new OffscreenCanvas(1, 1);
  #context;

  constructor() {
    this.#context = this.#canvas.getContext("2d", { willReadFrequently: true, alpha: false });
  }

  /**
   * @param {VideoFrame | ImageBitmap} image Closed afterwards.
   * @returns {{picture: Picture, scale: number}} And its scale to the frame.
   */
  read(image) {
    try {
      const [fullWidth, fullHeight] =
        image instanceof ImageBitmap ? [image.width, image.height] : [image.displayWidth, image.displayHeight];
      const scale = Math.min(1, MAX_SIDE / Math.max(fullWidth, fullHeight));
      const width = Math.max(1, Math.round(fullWidth * scale));
      const height = Math.max(1, Math.round(fullHeight * scale));
      if (this.#canvas.width !== width) this.#canvas.width = width;
      if (this.#canvas.height !== height) this.#canvas.height = height;
      if (this.#context === null) throw new Error("expected a 2d canvas in a worker, got none");
      this.#context.drawImage(image, 0, 0, width, height);
      return { picture: this.#context.getImageData(0, 0, width, height), scale };
    } finally {
      image.close();
    }
  }
}

/**
 * @param {Box | null} box
 * @param {number} scale
 * @returns {Box | null} In pixels of the frame.
 */
export function toFrame(box, scale) {
  return box && { left: box.left / scale, top: box.top / scale, side: box.side / scale };
}
