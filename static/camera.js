// The person's camera: on, off or in trouble, and back by itself when it is plugged in again. No UI in here.

import { troubleOf, troubleOfPage } from "./trouble.js";

/** @typedef {import("./trouble.js").Trouble} Trouble */

/**
 * `off` -> `asking` -> `on` or `failed`; `on` -> `failed` when it is unplugged; any of them -> `off` or `asking`.
 *
 * @typedef {"off" | "asking" | "on" | "failed"} CameraState
 */

/** What a tile shows at its largest is 1280x720; what perception needs is less, and every pixel costs. */
const PICTURE = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 15, max: 30 } };

/**
 * @typedef {object} CameraOptions
 * @property {(state: CameraState, trouble: Trouble | null) => void} onState At every change.
 * @property {(cameras: MediaDeviceInfo[]) => void} onCameras Those that can be chosen; names come with permission.
 */

/** One camera at a time. */
export class Camera {
  /** @type {CameraState} */
  state = "off";
  /** @type {MediaStream | null} */
  stream = null;
  #options;
  #wanted = "";
  #attempt = 0;
  /** @type {Trouble | null} */
  #trouble = null;

  /** @param {CameraOptions} options */
  constructor(options) {
    this.#options = options;
    // Not in pages without a secure context.
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.#devicesChanged());
  }

  /** @returns {MediaStreamTrack | null} */
  get track() {
    return this.stream?.getVideoTracks()[0] ?? null;
  }

  /** @param {string} [deviceId] "" for whichever the browser prefers; without one the camera of the last time. */
  async start(deviceId = this.#wanted) {
    this.#wanted = deviceId;
    this.#attempt += 1;
    const attempt = this.#attempt;
    this.#release();
    const trouble = troubleOfPage();
    if (trouble !== null) {
      this.#become("failed", trouble);
      return;
    }
    this.#become("asking", null);
    try {
      const stream = await this.#open(deviceId);
      if (attempt !== this.#attempt) {
        release(stream); // stopped, or another one chosen, meanwhile
        return;
      }
      this.stream = stream;
      this.track?.addEventListener("ended", () => this.#lost(stream));
      this.#become("on", null);
    } catch (error) {
      if (attempt === this.#attempt) this.#become("failed", troubleOf(error));
    }
    await this.#list();
  }

  /** Switch it off, with its light. */
  stop() {
    this.#attempt += 1;
    this.#release();
    this.#become("off", null);
  }

  /**
   * @param {string} deviceId
   * @returns {Promise<MediaStream>}
   */
  async #open(deviceId) {
    const any = { video: PICTURE };
    if (deviceId === "") return navigator.mediaDevices.getUserMedia(any);
    try {
      return await navigator.mediaDevices.getUserMedia({ video: { ...PICTURE, deviceId: { exact: deviceId } } });
    } catch (error) {
      // The camera that was chosen once is not here today.
      if (!(error instanceof DOMException) || !["OverconstrainedError", "NotFoundError"].includes(error.name)) throw error;
      return navigator.mediaDevices.getUserMedia(any);
    }
  }

  /** @param {MediaStream} stream */
  #lost(stream) {
    if (stream !== this.stream) return;
    this.#release();
    this.#become("failed", "unplugged");
  }

  #release() {
    if (this.stream !== null) release(this.stream);
    this.stream = null;
  }

  async #devicesChanged() {
    const found = await this.#list();
    // Only what was promised to come back by itself: a busy or refused camera waits for the person.
    if (found && (this.#trouble === "none" || this.#trouble === "unplugged")) await this.start();
  }

  /** @returns {Promise<boolean>} Whether there is any camera. */
  async #list() {
    const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    const cameras = devices.filter(({ kind }) => kind === "videoinput");
    this.#options.onCameras(cameras);
    return cameras.length > 0;
  }

  /**
   * @param {CameraState} state
   * @param {Trouble | null} trouble
   */
  #become(state, trouble) {
    this.state = state;
    this.#trouble = trouble;
    this.#options.onState(state, trouble);
  }
}

/** @param {MediaStream} stream */
function release(stream) {
  for (const track of stream.getTracks()) track.stop();
}
