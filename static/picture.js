// Keeps a motion JPEG running in an <img>. Browsers may end such a stream without a word, so its pixels are watched.

import { Backoff, pause } from "./backoff.js";

/** For the first picture to come. */
const FIRST_PICTURE_MS = 6000;
/** The picture holds a clock that changes every second: one that stands still for this long has ended. */
const STILL_MS = 4000;
const STARTING_TICK_MS = 200;
const RUNNING_TICK_MS = 1000;
/** Pixels of the copy that is compared: small enough to be cheap, large enough that the clock's seconds show. */
const SAMPLE_WIDTH = 800;
const SAMPLE_HEIGHT = 360;

/**
 * @typedef {object} PictureOptions
 * @property {HTMLImageElement} image Where it is shown.
 * @property {string} url With its token: an <img> can send no header.
 * @property {(running: boolean) => void} onState At every change.
 */

/** A motion JPEG that starts again when it stops. */
export class LivePicture {
  #options;
  #stop = new AbortController();
  /** Ends the wait before the next try. */
  #hurry = new AbortController();
  #backoff = new Backoff();
  #running = false;
  #tries = 0;
  #broken = false;
  #canvas = document.createElement("canvas");
  #context;
  #sample = new Uint32Array();

  /** @param {PictureOptions} options */
  constructor(options) {
    this.#options = options;
    this.#canvas.width = SAMPLE_WIDTH;
    this.#canvas.height = SAMPLE_HEIGHT;
    this.#context = this.#canvas.getContext("2d", { willReadFrequently: true });
    options.image.addEventListener("error", () => {
      this.#broken = true;
      options.image.removeAttribute("src"); // or the browser shows the sign for a broken image
    });
  }

  /** Begin, or begin again after `stop`. */
  start() {
    this.#stop.abort();
    this.#stop = new AbortController();
    void this.#run(this.#stop.signal);
  }

  /** The server is back: do not wait any longer. */
  hurry() {
    this.#hurry.abort();
  }

  /** End the request. */
  stop() {
    this.#stop.abort();
    this.#become(false);
    this.#options.image.removeAttribute("src");
  }

  /** @param {AbortSignal} signal */
  async #run(signal) {
    while (!signal.aborted) {
      await this.#watch(signal);
      if (signal.aborted) return;
      this.#become(false);
      this.#hurry = new AbortController();
      await pause(this.#backoff.next(), signal, this.#hurry.signal);
    }
  }

  /**
   * Load the picture; resolves when it has stopped.
   *
   * @param {AbortSignal} signal
   */
  async #watch(signal) {
    const { image, url } = this.#options;
    this.#broken = false;
    this.#tries += 1;
    image.src = `${url}&try=${this.#tries}`; // another address each time, or the browser may take the dead stream
    let alive = false;
    let changedMs = performance.now();
    while (!signal.aborted && !this.#broken) {
      await pause(alive ? RUNNING_TICK_MS : STARTING_TICK_MS, signal);
      const now = performance.now();
      const changed = this.#changed();
      if (changed || document.hidden) changedMs = now; // browsers may not decode for a page that nobody sees
      if (changed && !alive) {
        alive = true;
        this.#backoff.reset();
        this.#become(true);
      }
      if (now - changedMs > (alive ? STILL_MS : FIRST_PICTURE_MS)) return;
    }
  }

  /** @returns {boolean} Whether the image differs from what it was at the last call. */
  #changed() {
    const { image } = this.#options;
    if (this.#context === null || this.#broken || image.naturalWidth === 0) return false;
    this.#context.drawImage(image, 0, 0, SAMPLE_WIDTH, SAMPLE_HEIGHT);
    const before = this.#sample;
    this.#sample = new Uint32Array(this.#context.getImageData(0, 0, SAMPLE_WIDTH, SAMPLE_HEIGHT).data.buffer);
    return before.length === 0 || this.#sample.some((pixel, index) => pixel !== before[index]);
  }

  /** @param {boolean} running */
  #become(running) {
    if (running === this.#running) return;
    this.#running = running;
    this.#options.onState(running);
  }
}
