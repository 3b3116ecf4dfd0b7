// The dashboard: the annotated grid, and beside it everybody's reading as text, or the room's share alone.

import { explain, request } from "./api.js";
import { Curve } from "./curve.js";
import { byId, roomOfPage, setText, tokenOfPage, withToken } from "./dom.js";
import { saveText } from "./download.js";
import { icon } from "./icons.js";
import { Links } from "./links.js";
import { Outage } from "./outage.js";
import { LivePicture } from "./picture.js";
import { Poller } from "./poller.js";
import { people, readingOf } from "./readings.js";
import { Removal } from "./removal.js";
import { Roster } from "./roster.js";
import { Settings } from "./settings.js";
import { SharePanel } from "./sharepanel.js";
import { Stage } from "./stage.js";
import { StatusPoller } from "./status.js";
import { makeLegend } from "./strip.js";
import { SummaryDialog } from "./summary.js";

/** @typedef {import("./stage.js").StageState} StageState */
/** @typedef {import("./status.js").Participant} Participant */
/** @typedef {import("./status.js").RoomStatus} RoomStatus */
/** @typedef {import("./summary.js").Summary} Summary */
/** @typedef {import("./timeline.js").Timeline} Timeline */

const TIMELINE_EVERY_MS = 2500;
const SUMMARY_EVERY_MS = 10_000;

const room = encodeURIComponent(roomOfPage());
const token = tokenOfPage();

const download = byId("download", HTMLButtonElement);
const downloadNote = byId("download-note", HTMLElement);
const stage = new Stage();
const curve = new Curve();
const sharePanel = new SharePanel();
const removal = new Removal(room, token);
const roster = new Roster((participant) => removal.ask(participant));
const settings = new Settings(`/r/${room}/settings`, token);
const links = new Links(room, token);
const summary = new SummaryDialog(`/r/${room}/summary`, token, roomOfPage());
const outage = new Outage((words) => {
  stage.explain(words);
  summary.showEnd("The meeting seems to have ended: its server does not answer. This is what the page had last.");
});

/** @type {StageState} How the server answers. */
let server = "connecting";
/** @type {unknown} */
let problem = null;
let pictureRuns = false;
let pictureRan = false;

const picture = new LivePicture({
  image: byId("picture", HTMLImageElement),
  url: withToken(`/r/${room}/annotated.mjpg`),
  onState: (running) => {
    pictureRuns = running;
    pictureRan ||= running;
    showConnection();
  },
});

const pollers = [
  new StatusPoller({ url: `/r/${room}/status`, token, onStatus: takeStatus, onProblem: takeProblem }),
  new Poller({
    url: `/r/${room}/timeline`,
    token,
    everyMs: TIMELINE_EVERY_MS,
    onAnswer: (/** @type {Timeline} */ { participants, curve: { points, step_s } }) => {
      roster.showTimelines(participants);
      curve.show(points, step_s);
    },
  }),
  new Poller({
    url: `/r/${room}/summary`,
    token,
    everyMs: SUMMARY_EVERY_MS,
    onAnswer: (/** @type {Summary} */ answer) => summary.keep(answer),
  }),
];

/** @param {RoomStatus} status */
function takeStatus(status) {
  if (server === "reconnecting") picture.hurry();
  server = "live";
  problem = null;
  outage.over();
  summary.withdraw();
  links.offer(true);
  showConnection();
  showStatus(status);
}

/**
 * @param {unknown} error
 * @param {boolean} final
 */
function takeProblem(error, final) {
  server = final ? "ended" : "reconnecting";
  problem = error;
  outage.note(error);
  roster.fade();
  links.offer(false);
  byId("empty", HTMLElement).hidden = true;
  showConnection();
  if (final) {
    picture.stop();
    summary.showEnd(`${explain(error)} This is what the page had last.`);
  }
}

/** One state for the two things that have to run: the server's answers and the picture. */
function showConnection() {
  if (server !== "live") stage.show(server, outage.explain(problem));
  else if (pictureRuns) stage.show("live");
  else if (pictureRan) stage.show("reconnecting", "The picture stopped. Starting it again.");
  else stage.show("connecting");
}

/** @param {RoomStatus} status */
function showStatus(status) {
  const { grid, participants, mode } = status;
  const aggregate = mode === "aggregate";
  stage.shape(grid.width, grid.height);
  settings.show(status);
  document.body.dataset["mode"] = mode;
  setText(byId("people", HTMLElement), people(participants.length));
  setText(byId("roster-heading", HTMLElement), aggregate ? "People" : "Attention");
  setText(byId("attentive", HTMLElement), aggregate ? "" : tally(participants));
  setText(byId("stats", HTMLElement), `${Math.round(grid.fps)} frames/s · seen by ${grid.viewers}`);
  byId("empty", HTMLElement).hidden = participants.length > 0;
  byId("legend", HTMLElement).hidden = aggregate || participants.length === 0;
  byId("share", HTMLElement).hidden = !aggregate;
  if (aggregate) sharePanel.show(status.share ?? null);
  roster.show(participants, mode);
}

/**
 * @param {readonly Participant[]} participants
 * @returns {string}
 */
function tally(participants) {
  if (participants.length === 0) return "";
  const readings = participants.map(readingOf);
  const shared = readings.filter(({ score }) => score !== null).length;
  const attentive = readings.filter(({ score, tone }) => score !== null && tone === "good").length;
  return shared === 0 ? "nobody shares a label" : `${attentive} of ${shared} attentive`;
}

async function saveHistory() {
  download.disabled = true;
  setText(downloadNote, "");
  try {
    const { text } = await request(`/r/${room}/history.csv`, token);
    saveText(`${roomOfPage()}-history.csv`, text, "text/csv");
  } catch {
    setText(downloadNote, "The server cannot be reached. Try again in a moment.");
  } finally {
    download.disabled = false;
  }
}

function start() {
  showConnection();
  for (const poller of pollers) poller.start();
  picture.start();
}

byId("meeting", HTMLAnchorElement).href = withToken(`/r/${room}`);
byId("download-icon", HTMLElement).append(icon("download"));
byId("legend", HTMLElement).append(makeLegend());
download.addEventListener("click", saveHistory);
stage.offerFullScreen(byId("fullscreen", HTMLButtonElement), null);
addEventListener("pagehide", () => {
  for (const poller of pollers) poller.stop();
  picture.stop();
  outage.over();
});
addEventListener("pageshow", (event) => {
  if (event.persisted) start(); // the browser's back button brought the page back as it was
});
links.start();
start();
