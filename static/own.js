// Our own picture: the camera that was chosen, mirrored if wanted, and what is wrong where there is none.

import { Camera } from "./camera.js";
import { byId, create, setText } from "./dom.js";
import { icon } from "./icons.js";
import { preferences } from "./preferences.js";
import { TROUBLES } from "./trouble.js";

/** @typedef {import("./camera.js").CameraState} CameraState */
/** @typedef {import("./trouble.js").Trouble} Trouble */

/** @type {Record<CameraState, string>} */
const DARK = {
  off: "Your camera is off",
  asking: "Asking for your camera",
  on: "",
  failed: "No camera",
};

/** The picture moves between lobby and meeting as one element, so that it never stops. */
export class OwnPicture {
  video = byId("camera-picture", HTMLVideoElement);
  camera;
  #frame = byId("own", HTMLElement);
  #select = byId("camera", HTMLSelectElement);
  #onChange;

  /** @param {() => void} onChange The camera began, ended, or gives another size. */
  constructor(onChange) {
    this.#onChange = onChange;
    this.camera = new Camera({
      onState: (state, trouble) => this.#show(state, trouble),
      onCameras: (cameras) => this.#offer(cameras),
    });
    byId("own-dark-icon", HTMLElement).append(icon("camera-off"));
    byId("trouble-retry", HTMLButtonElement).addEventListener("click", () => void this.camera.start());
    this.#select.addEventListener("change", () => {
      preferences.set("camera", this.#select.value);
      void this.camera.start(this.#select.value);
    });
    const mirror = byId("mirror", HTMLInputElement);
    mirror.checked = preferences.get("mirror") !== "off";
    mirror.addEventListener("change", () => {
      preferences.set("mirror", mirror.checked ? "" : "off");
      this.#mirror(mirror.checked);
    });
    this.#mirror(mirror.checked);
    this.video.addEventListener("resize", onChange);
  }

  /** Ask for the camera of the last time, or any. */
  start() {
    return this.camera.start(preferences.get("camera"));
  }

  /** @param {HTMLElement} place Where it is shown from now on. */
  moveTo(place) {
    place.append(this.#frame, byId("trouble", HTMLElement));
    this.#play(); // browsers pause what is moved
  }

  /** @param {boolean} on */
  #mirror(on) {
    this.video.classList.toggle("mirrored", on);
  }

  #play() {
    this.video.play().catch(() => {}); // interrupted by the next stream, or saving power: then it stands still
  }

  /**
   * @param {CameraState} state
   * @param {Trouble | null} trouble
   */
  #show(state, trouble) {
    this.#frame.dataset["state"] = state;
    setText(byId("own-dark-text", HTMLElement), DARK[state]);
    this.video.srcObject = this.camera.stream;
    if (this.camera.stream !== null) this.#play();
    const words = trouble === null ? null : TROUBLES[trouble];
    byId("trouble", HTMLElement).hidden = words === null;
    setText(byId("trouble-title", HTMLElement), words?.title ?? "");
    setText(byId("trouble-advice", HTMLElement), words?.advice ?? "");
    byId("trouble-retry", HTMLElement).hidden = trouble === "insecure" || trouble === "unsupported";
    this.#onChange();
  }

  /** @param {MediaDeviceInfo[]} cameras */
  #offer(cameras) {
    const chosen = this.camera.track?.getSettings().deviceId ?? "";
    const options = cameras.map(({ deviceId, label }, index) => {
      const option = create("option", "", label || `Camera ${index + 1}`);
      option.value = deviceId;
      option.selected = deviceId === chosen;
      return option;
    });
    if (options.length === 0) options.push(create("option", "", "No camera"));
    this.#select.replaceChildren(...options);
    this.#select.disabled = cameras.length < 2;
  }
}
