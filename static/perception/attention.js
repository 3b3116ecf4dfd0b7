// Reads a person over time: a label that follows within a second, and neither blinks nor flickers. The rules, their
// numbers and the reasons for them are those of peer/perception/attention.py; a table of test vectors keeps the two
// alike. All times are seconds, never frames. Every change of state is decided in one function, `following`.

import { describe, eyesMargin, headMargin, margins } from "./limits.js";
import { median } from "./median.js";
import { makeSignals } from "./signals.js";

/** @typedef {import("./signals.js").Reading} Reading */
/** @typedef {import("./signals.js").Signals} Signals */
/** @typedef {import("./verdict.js").Fault} Fault */
/** @typedef {import("./verdict.js").Reason} Reason */
/** @typedef {import("./verdict.js").Verdict} Verdict */

/**
 * What a person is doing. Any may follow any other but `starting` (too little was seen yet) and `nobody` (no face since
 * the start), which nothing leads back to. `unclear`: there, not attentive, and the model doesn't say why. `away`: was
 * there, and is gone.
 *
 * @typedef {"starting" | "nobody" | "attentive" | "unclear" | Fault | "away"} State
 */

/** @type {Record<Exclude<State, "starting">, Reason>} */
const REASONS = {
  nobody: "no_face",
  attentive: "face",
  unclear: "face",
  turned: "turned",
  down: "down",
  eyes_closed: "eyes_closed",
  looking_off: "looking_off",
  away: "away",
};

/** What counts as now: five looks at five a second. */
const WINDOW_S = 0.9;
/** On a machine that looks less than twice in `WINDOW_S`: one look alone never changes a label. */
const MIN_LOOKS = 2;
/** A reason is read off the median of this many looks. */
const REASON_LOOKS = 3;

// Hysteresis: attentive ends below this share of the threshold, and begins above the threshold by this share of what
// is left to 1.
const LEAVE_SHARE = 0.65;
const ENTER_SHARE = 0.25;

/** Eyes seen shut over this long are closed: longer than a blink. */
const SHUT_S = 0.55;
/** Eyes that were shut are open again only when they clearly are, in soft steps of the limits. */
const OPEN_MARGIN = 0.5;

// Somebody is back, or there at first, with a face in this share of the looks over at least this long.
const PRESENT_SHARE = 0.6;
const PRESENT_S = 0.35;
/** Without a face for this long: away. */
const AWAY_S = 0.7;
/** Of somebody last seen turning away or down we go on saying so for this long. */
const HIDDEN_S = 2;
/** On the way there: within this many soft steps of a head's limit, or beyond it. */
const NEAR_MARGIN = 1;
/** After the start without a face. */
const NOBODY_S = 1.2;

/** What was said once stands at least this long. */
const HOLD_S = 0.6;
/** A reason stands this long against another one; having none gives way sooner. */
const REASON_HOLD_S = 1;
/** Another reason takes over when it is beyond its limit by this many soft steps more. */
const REASON_LEAD = 1;

/**
 * What the last `WINDOW_S` showed.
 *
 * @typedef {object} Evidence
 * @property {number} watchedS Since the start.
 * @property {number} lostS Since the last face, or the start; 0 while one of the last `MIN_LOOKS` looks showed a face.
 * @property {boolean} present A face in most of the looks.
 * @property {Fault | null} hidden Where the last face was heading when it was lost; null for nowhere, and where there
 *   is a face.
 * @property {number | null} score The mean; null with too little to go by.
 * @property {Map<Fault, number>} margins Of each fault; empty without signals.
 */

/**
 * @typedef {object} Look
 * @property {number} timeS
 * @property {Reading | null} reading Null for no face.
 * @property {boolean} blink Shut eyes in a head that faces the screen, not for long yet.
 * @property {boolean} hidden No face, since the head turned too far.
 */

/**
 * The state that follows `state`, in which the person has been for `heldS`: all transitions there are.
 *
 * @param {State} state
 * @param {number} heldS
 * @param {Evidence} seen
 * @param {number} threshold
 * @returns {State}
 */
function following(state, heldS, seen, threshold) {
  if (state !== "starting" && heldS < HOLD_S) return state;
  if (isAbsent(state) && !seen.present) {
    return state === "starting" && seen.watchedS >= NOBODY_S ? "nobody" : state;
  }
  if (seen.lostS >= (seen.hidden === null ? AWAY_S : HIDDEN_S)) return "away";
  if (seen.score === null) return state;
  if (isAbsent(state)) return seen.score >= threshold ? "attentive" : faultIn(seen);
  if (state === "attentive") return seen.score >= threshold * LEAVE_SHARE ? state : faultIn(seen);
  const back = seen.score >= threshold + (1 - threshold) * ENTER_SHARE;
  return back ? "attentive" : otherFault(state, heldS, seen);
}

/**
 * Of somebody who stays inattentive: the reason stands unless another one is clearly better.
 *
 * @param {State} state
 * @param {number} heldS
 * @param {Evidence} seen
 * @returns {State}
 */
function otherFault(state, heldS, seen) {
  const fault = faultIn(seen);
  if (state === "unclear") return fault;
  if (fault === "unclear" || heldS < REASON_HOLD_S || seen.hidden !== null) return state;
  const lead = marginOf(seen.margins, state) - marginOf(seen.margins, fault);
  return lead >= REASON_LEAD ? fault : state;
}

/**
 * @param {State} state
 * @returns {boolean} Whether nobody is there.
 */
function isAbsent(state) {
  return state === "starting" || state === "nobody" || state === "away";
}

/**
 * The worst thing that is near its limit or beyond it.
 *
 * @param {Evidence} seen
 * @returns {Fault | "unclear"}
 */
function faultIn(seen) {
  if (seen.hidden !== null) return seen.hidden;
  const worst = leastOf(seen.margins);
  return worst !== null && marginOf(seen.margins, worst) < NEAR_MARGIN ? worst : "unclear";
}

/**
 * @param {Map<Fault, number>} found
 * @returns {Fault | null} The first with the least margin; null where there is none.
 */
function leastOf(found) {
  /** @type {Fault | null} */
  let least = null;
  for (const [fault, margin] of found) {
    if (least === null || margin < marginOf(found, least)) least = fault;
  }
  return least;
}

/**
 * @param {Map<Fault, number>} found
 * @param {State} state
 * @returns {number} What is not there is not near.
 */
function marginOf(found, state) {
  return found.get(/** @type {Fault} */ (state)) ?? NEAR_MARGIN;
}

/** Follows one person; knows no clock but the times it is given. */
export class SteadyReader {
  #threshold;
  /** @type {Look[]} Those of `WINDOW_S`, the oldest first. */
  #looks = [];
  /** @type {State} */
  #state = "starting";
  #sinceS = 0;
  /** @type {number | null} */
  #startedS = null;
  /** @type {{timeS: number, reading: Reading} | null} The last one. */
  #face = null;
  /** @type {number | null} */
  #shutSinceS = null;
  #score = 0;

  /** @param {number} threshold Of the model: scores from it on are attentive. */
  constructor(threshold) {
    this.#threshold = threshold;
  }

  /** Begin anew: what comes next has nothing to do with what was. */
  clear() {
    this.#looks = [];
    this.#state = "starting";
    this.#sinceS = 0;
    this.#startedS = null;
    this.#face = null;
    this.#shutSinceS = null;
    this.#score = 0;
  }

  /**
   * Add one look, at `timeS` of a clock that never goes back; null for no face.
   *
   * @param {number} timeS
   * @param {Reading | null} reading
   * @returns {Verdict | null} The verdict now, or null while too little was seen.
   */
  push(timeS, reading) {
    if (this.#startedS === null) this.#startedS = this.#sinceS = timeS;
    this.#add(timeS, reading);
    const seen = this.#evidence(timeS, this.#startedS);
    if (seen.score !== null) this.#score = seen.score;
    const state = following(this.#state, timeS - this.#sinceS, seen, this.#threshold);
    if (state !== this.#state) {
      this.#state = state;
      this.#sinceS = timeS;
      if (isAbsent(state)) this.#shutSinceS = null; // of somebody who was here before, or blinked on leaving
    }
    return this.#verdict();
  }

  /**
   * @param {number} timeS
   * @param {Reading | null} reading
   */
  #add(timeS, reading) {
    const shut = this.#followLids(timeS, reading);
    if (reading !== null) this.#face = { timeS, reading };
    if (shut) {
      for (const look of this.#looks) look.blink = false; // for too long to be a blink, all along
    }
    const blink = !shut && this.#shutSinceS !== null && reading !== null;
    this.#looks.push({ timeS, reading, blink, hidden: reading === null && this.#heading() !== null });
    const oldest = this.#looks.findIndex((look) => look.timeS >= timeS - WINDOW_S);
    this.#looks.splice(0, Math.max(0, Math.min(oldest, this.#looks.length - MIN_LOOKS)));
  }

  /**
   * Whether the eyes have been shut for longer than a blink, which only a look that sees them can tell.
   *
   * @param {number} timeS
   * @param {Reading | null} reading
   * @returns {boolean}
   */
  #followLids(timeS, reading) {
    if (reading === null) return false;
    if (reading.signals !== null) {
      const eyes = eyesMargin(reading.signals);
      if (headMargin(reading.signals) < 0 || eyes > OPEN_MARGIN) this.#shutSinceS = null;
      else if (eyes < 0 && this.#shutSinceS === null) this.#shutSinceS = timeS;
    }
    return this.#shutSinceS !== null && timeS - this.#shutSinceS >= SHUT_S;
  }

  /** @returns {Fault | null} Where the head was turning when it was last seen. */
  #heading() {
    const signals = this.#face?.reading.signals ?? null;
    if (signals === null) return null;
    const found = margins(signals);
    const fault = marginOf(found, "turned") <= marginOf(found, "down") ? "turned" : "down";
    return marginOf(found, fault) < NEAR_MARGIN ? fault : null;
  }

  /**
   * @param {number} timeS
   * @param {number} startedS
   * @returns {Evidence}
   */
  #evidence(timeS, startedS) {
    const looks = this.#looks;
    const faces = looks.filter((look) => look.reading !== null).length;
    const scores = looks.map(scoreOf).filter((score) => score !== null);
    const signals = this.#signals();
    const justSeen = looks.slice(-MIN_LOOKS).some((look) => look.reading !== null);
    const firstS = looks[0]?.timeS ?? timeS;
    return {
      watchedS: timeS - startedS,
      lostS: justSeen ? 0 : timeS - (this.#face?.timeS ?? startedS),
      present: faces >= Math.max(MIN_LOOKS, PRESENT_SHARE * looks.length) && timeS - firstS >= PRESENT_S,
      hidden: looks.at(-1)?.hidden ? this.#heading() : null,
      score: scores.length >= MIN_LOOKS ? scores.reduce((sum, score) => sum + score, 0) / scores.length : null,
      margins: signals === null ? new Map() : margins(signals),
    };
  }

  /** @returns {Signals | null} What the newest looks say, single ones of which err. */
  #signals() {
    const found = this.#looks.map((look) => look.reading?.signals ?? null).filter((signals) => signals !== null);
    const newest = found.slice(-REASON_LOOKS);
    return newest.length === 0 ? null : makeSignals((name) => median(newest.map((signals) => signals[name])));
  }

  /** @returns {Verdict | null} */
  #verdict() {
    if (this.#state === "starting") return null;
    const reason = REASONS[this.#state];
    if (this.#state === "attentive") return { label: "attentive", score: this.#score, reason, detail: "" };
    if (isAbsent(this.#state)) return { label: "not_attentive", score: 0, reason, detail: "" };
    const signals = this.#looks.at(-1)?.reading ? this.#signals() : null;
    // On the way back an angle would contradict the reason, which still stands.
    const beyond = signals !== null && marginOf(margins(signals), this.#state) < NEAR_MARGIN;
    return { label: "not_attentive", score: this.#score, reason, detail: beyond ? describe(reason, signals) : "" };
  }
}

/**
 * @param {Look} look
 * @returns {number | null} Null where it says nothing of attention.
 */
function scoreOf(look) {
  if (look.reading === null) return look.hidden ? 0 : null;
  return look.blink ? null : look.reading.score;
}
