// Sends what our tile can show and no more: the host asks with `send`, the browser's encoder obeys.

/** @typedef {import("./protocol.js").SendSize} SendSize */

/** Frames per second of a page that nobody looks at: others still see us, our device rests. */
const HIDDEN_FPS = 5;

/** Until the host says what the tile needs. @type {SendSize} */
const DEFAULT_SIZE = { width: 640, height: 480, fps: 15, kbps: 500 };

/**
 * How an encoding has to be set to fit a picture into the box that the host asks for, never scaled up.
 *
 * @param {SendSize} asked
 * @param {{width: number, height: number}} picture Pixels that the camera gives; 0 while that is not known.
 * @param {boolean} hidden Whether nobody sees this page.
 * @returns {{scaleResolutionDownBy: number, maxFramerate: number, maxBitrate: number}} Bitrate in bit/s.
 */
export function encodingFor(asked, picture, hidden) {
  return {
    scaleResolutionDownBy: Math.max(1, picture.width / asked.width, picture.height / asked.height),
    maxFramerate: hidden ? Math.min(asked.fps, HIDDEN_FPS) : asked.fps,
    maxBitrate: asked.kbps * 1000,
  };
}

/** Keeps one sender at what was asked for last. */
export class SizeGovernor {
  #sender;
  #asked = DEFAULT_SIZE;
  #picture = { width: 0, height: 0 };
  #busy = false;
  #again = false;

  /** @param {RTCRtpSender} sender */
  constructor(sender) {
    this.#sender = sender;
  }

  /** @param {SendSize} asked */
  ask(asked) {
    this.#asked = asked;
    void this.apply();
  }

  /** @param {{width: number, height: number}} picture What the camera gives now. */
  picture(picture) {
    if (picture.width === this.#picture.width && picture.height === this.#picture.height) return;
    this.#picture = picture;
    void this.apply();
  }

  /** Set the encoding anew; called also when the page is hidden or shown. Browsers take one change at a time. */
  async apply() {
    this.#again = true;
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#again) {
        this.#again = false;
        const parameters = this.#sender.getParameters();
        const [encoding] = parameters.encodings;
        if (encoding === undefined) return; // nothing is negotiated yet: the next message comes within seconds
        const wanted = encodingFor(this.#asked, this.#picture, document.hidden);
        const now = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (encoding));
        if (Object.entries(wanted).every(([key, value]) => now[key] === value)) continue;
        Object.assign(encoding, wanted);
        await this.#sender.setParameters(parameters);
      }
    } catch {
      // The connection closed meanwhile, or the browser does not take it: the next `send` tries again.
    } finally {
      this.#busy = false;
    }
  }
}
