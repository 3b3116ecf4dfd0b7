// The page of who only watches: the clean grid by WHEP, and who is here.

import { byId, renderList, roomOfPage, setText, tokenOfPage, withToken } from "./dom.js";
import { Outage } from "./outage.js";
import { makePerson, updatePerson } from "./people.js";
import { people, presenceOf } from "./readings.js";
import { Stage } from "./stage.js";
import { StatusPoller } from "./status.js";
import { WhepPlayer } from "./whep.js";

/** @typedef {import("./status.js").Participant} Participant */
/** @typedef {import("./status.js").RoomStatus} RoomStatus */

const room = encodeURIComponent(roomOfPage());
const token = tokenOfPage();
const role = document.body.dataset["role"];

const video = byId("grid", HTMLVideoElement);
const play = byId("play", HTMLButtonElement);
const stats = byId("stats", HTMLElement);
const list = byId("list", HTMLUListElement);
const stage = new Stage();

const outage = new Outage((words) => stage.explain(words));

const player = new WhepPlayer({
  url: `/whep/${room}`,
  token,
  ice: document.body.dataset["ice"] === "yes",
  onStream: (stream) => {
    video.srcObject = stream;
    void stage.play(video, play);
  },
  onState: (state, problem) => {
    outage.note(problem);
    stage.show(state, outage.explain(problem));
    if (state !== "live") setText(stats, "");
  },
  onStats: ({ width, height, fps, kbps }) => {
    if (fps > 0) setText(stats, `${width} × ${height} · ${Math.round(fps)} frames/s · ${Math.round(kbps)} kbit/s`);
  },
});

const poller = new StatusPoller({
  url: `/r/${room}/status`,
  token,
  onStatus: showStatus,
  onProblem: () => list.classList.add("out-of-date"),
});

/** @param {RoomStatus} status */
function showStatus({ title, grid, participants }) {
  setText(byId("title", HTMLElement), title);
  stage.shape(grid.width, grid.height);
  setText(byId("people", HTMLElement), people(participants.length));
  byId("empty", HTMLElement).hidden = participants.length > 0;
  list.classList.remove("out-of-date");
  renderList(list, participants, { key: ({ id }) => id, make: makePerson, update: showPerson });
}

/**
 * @param {HTMLElement} item
 * @param {Participant} participant
 */
function showPerson(item, participant) {
  updatePerson(item, participant.name, presenceOf(participant));
}

function start() {
  player.start();
  poller.start();
}

if (role === "participant") {
  const join = byId("join", HTMLAnchorElement);
  join.href = withToken(`/r/${room}`);
  join.hidden = false;
}
if (role === "host") {
  const dashboard = byId("dashboard", HTMLAnchorElement);
  dashboard.href = withToken(`/r/${room}/host`);
  dashboard.hidden = false;
}
stage.offerFullScreen(byId("fullscreen", HTMLButtonElement), video);
play.addEventListener("click", () => void stage.play(video, play));
addEventListener("pagehide", () => {
  player.close();
  poller.stop();
  outage.over();
});
addEventListener("pageshow", (event) => {
  if (event.persisted) start(); // the browser's back button brought the page back as it was
});
start();
