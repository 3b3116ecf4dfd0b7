// The dashboard: the annotated grid, and beside it everybody's reading as text.

import { explain, request } from "./api.js";
import { byId, renderList, roomOfPage, setText, tokenOfPage, withToken } from "./dom.js";
import { icon } from "./icons.js";
import { LivePicture } from "./picture.js";
import { people, readingOf } from "./readings.js";
import { makeRow, updateRow } from "./roster.js";
import { Stage } from "./stage.js";
import { StatusPoller } from "./status.js";

/** @typedef {import("./stage.js").StageState} StageState */
/** @typedef {import("./status.js").Participant} Participant */
/** @typedef {import("./status.js").RoomStatus} RoomStatus */

const room = encodeURIComponent(roomOfPage());
const token = tokenOfPage();

const roster = byId("roster", HTMLUListElement);
const stats = byId("stats", HTMLElement);
const download = byId("download", HTMLButtonElement);
const downloadNote = byId("download-note", HTMLElement);
const stage = new Stage();

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

const poller = new StatusPoller({
  url: `/r/${room}/status`,
  token,
  onStatus: (status) => {
    if (server === "reconnecting") picture.hurry();
    server = "live";
    problem = null;
    showConnection();
    showStatus(status);
  },
  onProblem: (error, final) => {
    server = final ? "ended" : "reconnecting";
    problem = error;
    if (final) picture.stop();
    roster.classList.add("out-of-date");
    showConnection();
  },
});

/** One state for the two things that have to run: the server's answers and the picture. */
function showConnection() {
  if (server !== "live") stage.show(server, problem === null ? "" : explain(problem));
  else if (pictureRuns) stage.show("live");
  else if (pictureRan) stage.show("reconnecting", "The picture stopped. Starting it again.");
  else stage.show("connecting");
}

/** @param {RoomStatus} status */
function showStatus({ grid, participants }) {
  stage.shape(grid.width, grid.height);
  setText(byId("people", HTMLElement), people(participants.length));
  setText(byId("attentive", HTMLElement), tally(participants));
  setText(stats, `${Math.round(grid.fps)} frames/s · seen by ${grid.viewers}`);
  byId("empty", HTMLElement).hidden = participants.length > 0;
  roster.classList.remove("out-of-date");
  renderList(roster, participants, { key: ({ id }) => id, make: makeRow, update: updateRow });
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
    const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    const link = document.createElement("a");
    link.href = address;
    link.download = `${roomOfPage()}-history.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000); // the browser may still be reading it
  } catch {
    setText(downloadNote, "The server cannot be reached. Try again in a moment.");
  } finally {
    download.disabled = false;
  }
}

function start() {
  showConnection();
  poller.start();
  picture.start();
}

byId("meeting", HTMLAnchorElement).href = withToken(`/r/${room}`);
byId("download-icon", HTMLElement).append(icon("download"));
download.addEventListener("click", saveHistory);
stage.offerFullScreen(byId("fullscreen", HTMLButtonElement), null);
addEventListener("pagehide", () => {
  poller.stop();
  picture.stop();
});
addEventListener("pageshow", (event) => {
  if (event.persisted) start(); // the browser's back button brought the page back as it was
});
start();
