// Takes frames of a <video> for the worker, one when it asks for one.

/** @typedef {import("./frames.js").Frame} Frame */

/** One video. A frame is taken at most once, and one at a time. */
export class VideoFrames {
  #video;
  #onFrame;
  #wanted = false;
  #taking = false;
  /** The browser will call when it shows the next frame, which it doesn't while nobody sees the page. */
  #calling = false;
  #stopped = false;
  /** Of the video, at the last frame taken. */
  #takenS = -1;
  /** When it was taken: a clock that never goes back. */
  #timeS = 0;
  #longestMs = 0;

  /**
   * @param {HTMLVideoElement} video
   * @param {(frame: Frame) => void} onFrame
   */
  constructor(video, onFrame) {
    this.#video = video;
    this.#onFrame = onFrame;
  }

  /** The longest that any of this kept the page from other things, in milliseconds. */
  get longestMs() {
    return this.#longestMs;
  }

  /** Ask for the next frame; where none came of it, ask again. */
  want() {
    this.#wanted = true;
    // Asked again while the browser doesn't call: it shows nothing, and what the video has got is taken unseen.
    if (this.#calling || !("requestVideoFrameCallback" in this.#video)) {
      if (this.#video.currentTime !== this.#takenS) this.#take(performance.now());
      return;
    }
    this.#calling = true;
    this.#video.requestVideoFrameCallback((nowMs, { captureTime }) => {
      this.#calling = false;
      if (this.#wanted) this.#take(Math.min(captureTime ?? nowMs, nowMs));
    });
  }

  /** No more frames. */
  stop() {
    this.#stopped = true;
  }

  /** @param {number} timeMs */
  async #take(timeMs) {
    if (this.#stopped || this.#taking || !this.#hasPicture()) return;
    this.#wanted = false;
    this.#taking = true;
    this.#takenS = this.#video.currentTime;
    this.#timeS = Math.max(this.#timeS, timeMs / 1000);
    const timeS = this.#timeS;
    const startMs = performance.now();
    try {
      const coming = grab(this.#video);
      this.#longestMs = Math.max(this.#longestMs, performance.now() - startMs);
      const image = await coming;
      if (this.#stopped) image.close();
      else this.#onFrame({ image, timeS });
    } catch {
      // The video has lost its picture meanwhile; the worker asks again.
    } finally {
      this.#taking = false;
    }
  }

  /** @returns {boolean} Whether what the video shows comes from its camera now: an old picture stays in sight. */
  #hasPicture() {
    const { readyState, srcObject } = this.#video;
    if (readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return false;
    if (!(srcObject instanceof MediaStream)) return true;
    return srcObject.getVideoTracks().some((track) => track.readyState === "live" && !track.muted);
  }
}

/**
 * The frame that a video shows. A VideoFrame costs the page nothing and is converted in the worker; an ImageBitmap, for
 * browsers without, 2 ms at 640x480 and 5 ms at 1280x720.
 *
 * @param {HTMLVideoElement} video
 * @returns {Promise<VideoFrame | ImageBitmap>}
 */
async function grab(video) {
  return typeof VideoFrame === "undefined" ? createImageBitmap(video) : new VideoFrame(video);
}
