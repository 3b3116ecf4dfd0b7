// A participant's page: the join page, the meeting, and what leads from one to the other.

import { ApiError, explain } from "./api.js";
import { MeetingClient } from "./client.js";
import { Company } from "./company.js";
import { Consent } from "./consent.js";
import { byId, roomOfPage, setText, tokenOfPage } from "./dom.js";
import { icon } from "./icons.js";
import { offerKeys } from "./keys.js";
import { Lobby } from "./lobby.js";
import { Outage } from "./outage.js";
import { OwnPicture } from "./own.js";
import { OwnMood } from "./ownmood.js";
import { resumeOf } from "./preferences.js";
import { people } from "./readings.js";
import { SeenByHost } from "./seen.js";
import { Sharing } from "./sharing.js";
import { Stage } from "./stage.js";
import { StatusPoller } from "./status.js";

/** @typedef {import("./connection.js").ConnectionState} ConnectionState */
/** @typedef {import("./consent.js").Mode} Mode */
/** @typedef {import("./quality.js").LinkQuality} LinkQuality */
/** @typedef {import("./sharing.js").SharingState} SharingState */

/** @type {[title: string, text: string]} */
const OTHER_MODE = ["The host sees something else now", "What is shown of you has changed. Read it again before you join."];

/** @type {Record<string, [title: string, text: string]>} By the host's last word, or the code of its refusal. */
const GOODBYES = {
  removed: [
    "The host removed you",
    "You are not in the meeting any more. Ask whoever invited you whether you may come back.",
  ],
  replaced: ["You joined from somewhere else", "Another window or device of yours has taken your place."],
  mode_changed: OTHER_MODE,
  mode_fixed: OTHER_MODE,
  misbehaved: ["The host ended this connection", "This page sent what the host could not take. Reload it before you join again."],
};

/** @type {Record<LinkQuality["grade"], string>} */
const QUALITY_WORDS = { good: "Good connection", fair: "Fair connection", poor: "Poor connection" };

const room = roomOfPage();
const path = encodeURIComponent(room);
const token = tokenOfPage();
const resume = resumeOf(room);

const grid = byId("grid", HTMLVideoElement);
const play = byId("play", HTMLButtonElement);
const cameraButton = byId("camera-toggle", HTMLButtonElement);
const pauseButton = byId("pause", HTMLButtonElement);
const stage = new Stage();
const company = new Company(byId("list", HTMLUListElement), announce);

const outage = new Outage((words) => {
  stage.explain(words);
  announce(words);
});

/** @type {MeetingClient | null} Null in the lobby. */
let client = null;
/** @type {ConnectionState} */
let shown = "connecting";
let wasLive = false;

const own = new OwnPicture(() => {
  const { track, state } = own.camera;
  client?.show(track);
  sharing.picture(track !== null);
  showTool(cameraButton, state === "on" ? "camera" : "camera-off", "Camera");
  cameraButton.setAttribute("aria-pressed", String(state === "on"));
});

const mood = new OwnMood(byId("own-mood", HTMLElement), byId("stage-mood", HTMLElement));
const consent = new Consent((on) => sharing.set(on ? "on" : "off"));
const sharing = new Sharing({
  video: own.video,
  send: (text) => client?.send(text),
  onReading: (reading) => mood.show(reading),
  onState: (state, trouble) => {
    consent.show(state, trouble);
    showPause(state);
  },
});
const lobby = new Lobby({ link: `${location.origin}${location.pathname}?token=${token}`, onJoin: join });
const seen = new SeenByHost(`/r/${path}/me`, resume.load);

const poller = new StatusPoller({
  url: `/r/${path}/status`,
  token,
  onStatus: ({ title, mode, participants }) => {
    setText(byId("title", HTMLElement), title);
    setText(byId("people", HTMLElement), participants.length === 0 ? "Nobody is here yet" : `${people(participants.length)} here`);
    showMode(mode);
  },
  onProblem: (problem) => setText(byId("people", HTMLElement), explain(problem)),
});

/** @param {Mode} mode Who sees a label changed: whoever has chosen already shall choose anew. */
function showMode(mode) {
  if (consent.explain(mode) && sharing.state !== "off") {
    sharing.set("off");
    const [title, text] = ["The host changed what is shown", "Your label is not shared. Read what would be, and choose again."];
    lobby.notice(title, text);
    announce(`${title}. ${text}`);
  }
}

/** @param {string} text For those who listen to the page. Never a label. */
function announce(text) {
  setText(byId("announcement", HTMLElement), text);
}

/**
 * @param {string} name
 * @param {boolean} withCamera
 */
function join(name, withCamera) {
  if (client !== null) return;
  poller.stop();
  if (!withCamera) own.camera.stop();
  showView("meeting");
  wasLive = false;
  client = new MeetingClient({
    url: `/whip/${path}`,
    ice: document.body.dataset["ice"] === "yes",
    invite: token,
    name,
    mode: consent.mode,
    resume,
    onState: showState,
    onSession: () => sharing.repeat(),
    onStream: (stream) => {
      grid.srcObject = stream;
      void stage.play(grid, play);
    },
    onRoster: (participants) => {
      setText(byId("people", HTMLElement), people(participants.length));
      company.show(participants);
    },
    onStats: ({ width, height }, link) => {
      if (width > 0) stage.shape(width, height);
      showQuality(link);
    },
  });
  client.show(own.camera.track);
  client.start();
  cameraButton.focus();
}

/**
 * Back to the join page.
 *
 * @param {string} title
 * @param {string} text
 */
function leave(title, text) {
  client?.close();
  client = null;
  outage.over();
  grid.srcObject = null;
  if (document.fullscreenElement !== null) void document.exitFullscreen();
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  sharing.set("off");
  company.clear();
  showView("lobby");
  lobby.notice(title, text);
  if (title !== "") announce(`${title}. ${text}`);
  byId("join", HTMLButtonElement).focus();
  poller.start();
}

/**
 * @param {ConnectionState} state
 * @param {unknown} problem
 */
function showState(state, problem) {
  if (state === "ended") {
    end(problem);
    return;
  }
  byId("quality", HTMLElement).hidden = state !== "live";
  byId("meeting", HTMLElement).classList.toggle("out-of-date", state === "waiting" || state === "reconnecting");
  outage.note(problem);
  const words = outage.explain(problem);
  stage.show(state, words);
  if (state !== shown) announceState(state, words);
  shown = state;
  wasLive ||= state === "live";
}

/**
 * @param {ConnectionState} state
 * @param {string} words
 */
function announceState(state, words) {
  if (state === "live") announce(wasLive ? "You are back in the meeting" : "You are in the meeting");
  else if (state === "waiting") announce(`Waiting to get in. ${words}`);
  else if (state === "reconnecting") announce(words || "The connection was lost. Reconnecting.");
}

/** @param {unknown} problem */
function end(problem) {
  const known = problem instanceof ApiError ? problem.code : /** @type {import("./client.js").Ended} */ (problem).reason;
  const words = GOODBYES[known];
  if (words !== undefined) {
    leave(...words);
  } else if (known === "name_invalid") {
    leave("", "");
    lobby.refuseName(explain(problem));
  } else {
    leave("You could not join", explain(problem));
  }
}

/** @param {LinkQuality} link */
function showQuality({ grade, rttMs }) {
  const place = byId("quality", HTMLElement);
  if (place.dataset["grade"] !== grade) {
    place.dataset["grade"] = grade;
    byId("quality-icon", HTMLElement).replaceChildren(icon("signal"));
  }
  setText(byId("quality-text", HTMLElement), rttMs === null ? QUALITY_WORDS[grade] : `${QUALITY_WORDS[grade]} · ${Math.round(rttMs)} ms`);
}

/** @param {SharingState} state */
function showPause(state) {
  pauseButton.hidden = state === "off";
  pauseButton.setAttribute("aria-pressed", String(state === "paused"));
  showTool(pauseButton, state === "paused" ? "play" : "pause", "Pause label");
}

/**
 * @param {HTMLButtonElement} button
 * @param {import("./icons.js").IconName} name
 * @param {string} text
 */
function showTool(button, name, text) {
  button.querySelector(".tool-icon")?.replaceChildren(icon(name));
  const words = button.querySelector(".tool-text");
  if (words !== null) setText(words, text);
}

/** @param {"lobby" | "meeting"} view */
function showView(view) {
  document.body.dataset["view"] = view;
  byId("lobby", HTMLElement).hidden = view !== "lobby";
  byId("meeting", HTMLElement).hidden = view !== "meeting";
  own.moveTo(byId(view === "lobby" ? "lobby-own" : "meeting-own", HTMLElement));
  consent.moveTo(byId(view === "lobby" ? "consent-place" : "sharing-place", HTMLElement));
}

function toggleCamera() {
  if (own.camera.state === "on" || own.camera.state === "asking") own.camera.stop();
  else void own.start();
}

function togglePause() {
  if (sharing.state === "off") announce("You do not share a label");
  else sharing.set(sharing.state === "paused" ? "on" : "paused");
}

/** @param {string} id */
function showDialog(id) {
  byId(id, HTMLDialogElement).showModal();
}

/** @type {[id: string, icon: import("./icons.js").IconName, text: string, press: () => void][]} */
const TOOLS = [
  ["sharing", "shield", "What I share", () => showDialog("sharing-dialog")],
  ["seen", "eye", "What the host sees", () => void seen.open()],
  ["help", "question", "", () => showDialog("keys-dialog")],
  ["leave", "leave", "Leave", () => leave("You left the meeting", "You can join again at any time.")],
];
for (const [id, name, text, press] of TOOLS) {
  const button = byId(id, HTMLButtonElement);
  showTool(button, name, text);
  button.addEventListener("click", press);
}
cameraButton.addEventListener("click", toggleCamera);
pauseButton.addEventListener("click", togglePause);
play.addEventListener("click", () => void stage.play(grid, play));
stage.offerFullScreen(byId("fullscreen", HTMLButtonElement), grid);
offerKeys(
  [
    { key: "p", does: "Pause or resume your label", press: togglePause },
    { key: "v", does: "Camera on or off", press: toggleCamera },
    { key: "f", does: "Full screen", press: () => byId("fullscreen", HTMLButtonElement).click() },
    { key: "?", does: "This list", press: () => showDialog("keys-dialog") },
  ],
  () => client !== null,
);

document.addEventListener("visibilitychange", () => client?.adapt());
addEventListener("pagehide", () => {
  client?.close();
  poller.stop();
  outage.over();
});
addEventListener("pageshow", (event) => {
  if (!event.persisted) return; // the browser's back button brought the page back as it was
  if (client === null) poller.start();
  else client.start();
});

consent.explain(document.body.dataset["mode"] === "aggregate" ? "aggregate" : "individual");
consent.show("off", "");
showPause("off");
poller.start();
void own.start();
