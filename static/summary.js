// The summary: everybody's times, and in words what they cannot say. Kept on the page, so that it outlives the server.

import { request } from "./api.js";
import { byId, create, setText } from "./dom.js";
import { csv, saveText } from "./download.js";
import { icon } from "./icons.js";
import { lasting, percent } from "./readings.js";

/**
 * @typedef {object} PersonTimes Seconds.
 * @property {string} id
 * @property {string} name
 * @property {number} present_s
 * @property {number} sharing_s
 * @property {number} attentive_s
 * @property {number} not_attentive_s
 * @property {number} away_s
 * @property {number} unknown_s
 * @property {number} longest_attentive_s
 * @property {number | null} attentive Part of the time that was shared, 0 to 1.
 */

/**
 * @typedef {object} Summary
 * @property {import("./status.js").Mode} mode
 * @property {number} from_s Unix s.
 * @property {number} to_s Unix s.
 * @property {PersonTimes[]} participants
 * @property {{attentive: number | null, points?: number, shown?: number}} room
 * @property {string[]} limits Sentences.
 */

/** @type {[heading: string, cell: (person: PersonTimes) => string][]} */
const COLUMNS = [
  ["Attentive share", ({ attentive }) => (attentive === null ? "–" : percent(attentive))],
  ["Attentive", ({ attentive_s }) => lasting(attentive_s)],
  ["Longest stretch", ({ longest_attentive_s }) => lasting(longest_attentive_s)],
  ["Away", ({ away_s }) => lasting(away_s)],
  ["Shared a label", ({ sharing_s }) => lasting(sharing_s)],
  ["Present", ({ present_s }) => lasting(present_s)],
];

const CSV_COLUMNS = /** @type {const} */ ([
  "name",
  "present_s",
  "sharing_s",
  "attentive_s",
  "not_attentive_s",
  "away_s",
  "unknown_s",
  "longest_attentive_s",
  "attentive",
]);

/** The dialog `#summary`. */
export class SummaryDialog {
  #url;
  #token;
  #room;
  #dialog = byId("summary", HTMLDialogElement);
  #note = byId("summary-note", HTMLElement);
  #save = byId("summary-save", HTMLButtonElement);
  /** @type {Summary | null} The last one that came. */
  #latest = null;
  /** Opened by itself, because the meeting ended. */
  #uncalled = false;

  /**
   * @param {string} url `/r/{room}/summary`.
   * @param {string} token
   * @param {string} room For names of files.
   */
  constructor(url, token, room) {
    this.#url = url;
    this.#token = token;
    this.#room = room;
    byId("summary-print-icon", HTMLElement).append(icon("print"));
    byId("summary-save-icon", HTMLElement).append(icon("download"));
    byId("summary-icon", HTMLElement).append(icon("list"));
    byId("summary-open", HTMLButtonElement).addEventListener("click", () => void this.#open());
    byId("summary-close", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
    byId("summary-print", HTMLButtonElement).addEventListener("click", () => print());
    this.#save.addEventListener("click", () => this.#download());
    this.#dialog.addEventListener("close", () => (this.#uncalled = false));
  }

  /** @param {Summary} summary What to show when the server is gone. */
  keep(summary) {
    this.#latest = summary;
    if (!this.#dialog.open || this.#uncalled) return;
    setText(this.#note, "");
    this.#render();
  }

  /**
   * The meeting ended, or seems to have: show what the page has, if it has anything.
   *
   * @param {string} note Why it shows.
   */
  showEnd(note) {
    const { participants, room } = this.#latest ?? { participants: [], room: { attentive: null } };
    if (this.#dialog.open || (participants.length === 0 && room.attentive === null)) return;
    this.#uncalled = true;
    this.#render();
    setText(this.#note, note);
    this.#dialog.showModal();
  }

  /** The meeting goes on after all. */
  withdraw() {
    if (this.#uncalled) this.#dialog.close();
  }

  async #open() {
    setText(this.#note, "");
    try {
      this.#latest = JSON.parse((await request(this.#url, this.#token)).text);
    } catch {
      setText(this.#note, "The server cannot be reached: this is what the page had last.");
    }
    this.#render();
    if (this.#latest === null) setText(this.#note, "There is nothing to sum up yet, and the server cannot be reached.");
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  #render() {
    const summary = this.#latest;
    if (summary === null) return;
    const { mode, from_s, to_s, participants, room, limits } = summary;
    const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
    const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
    const [from, to] = [new Date(from_s * 1000), new Date(to_s * 1000)];
    const span = `${day.format(from)}, ${clock.format(from)} to ${clock.format(to)} (${lasting(to_s - from_s)})`;
    setText(byId("summary-title", HTMLElement), byId("title", HTMLElement).textContent ?? "");
    setText(byId("summary-span", HTMLElement), span);
    setText(byId("summary-room", HTMLElement), roomInWords(room, mode));
    const people = mode === "individual" && participants.length > 0;
    byId("summary-people", HTMLElement).hidden = !people;
    this.#save.hidden = !people;
    byId("summary-head", HTMLElement).replaceChildren(headRow());
    byId("summary-rows", HTMLElement).replaceChildren(...participants.map(personRow));
    byId("summary-limits", HTMLElement).replaceChildren(...limits.map((text) => create("li", "", text)));
  }

  #download() {
    const rows = this.#latest?.participants.map((person) => CSV_COLUMNS.map((column) => person[column] ?? "")) ?? [];
    saveText(`${this.#room}-summary.csv`, csv([CSV_COLUMNS, ...rows]), "text/csv");
  }
}

/**
 * @param {Summary["room"]} room
 * @param {import("./status.js").Mode} mode
 * @returns {string}
 */
function roomInWords({ attentive, points, shown }, mode) {
  if (attentive === null) return mode === "aggregate" ? "There was no share to show." : "Nobody has shared a label.";
  if (mode === "individual") return `The room: ${percent(attentive)} of all shared time was attentive.`;
  const part = percent((shown ?? 0) / Math.max(1, points ?? 0));
  return `The room: ${percent(attentive)} attentive on average, over the ${part} of the time that had a share to show.`;
}

/** @returns {HTMLTableRowElement} */
function headRow() {
  const row = create("tr", "");
  for (const heading of ["Name", ...COLUMNS.map(([text]) => text)]) {
    const cell = create("th", "", heading);
    cell.scope = "col";
    row.append(cell);
  }
  return row;
}

/**
 * @param {PersonTimes} person
 * @returns {HTMLTableRowElement}
 */
function personRow(person) {
  const row = create("tr", "");
  const head = create("th", "");
  head.scope = "row";
  const name = create("bdi", "", person.name);
  head.append(name);
  row.append(head, ...COLUMNS.map(([, cell]) => create("td", "", cell(person))));
  return row;
}
