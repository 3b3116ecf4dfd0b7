// "What the host sees of you": the host's own card, with nothing left out and nothing added.

import { ApiError, explain, request } from "./api.js";
import { makeCard, updateCard } from "./card.js";
import { byId, renderList, setText } from "./dom.js";
import { Backoff, pause } from "./backoff.js";

const EVERY_MS = 2000;

/** A dialog that asks while it is open, with the personal token, which alone may. */
export class SeenByHost {
  #dialog = byId("seen-dialog", HTMLDialogElement);
  #note = byId("seen-note", HTMLElement);
  #list = byId("seen-card", HTMLUListElement);
  #url;
  #token;

  /**
   * @param {string} url `/r/{room}/me`
   * @param {() => string} token The personal one.
   */
  constructor(url, token) {
    this.#url = url;
    this.#token = token;
  }

  async open() {
    this.#dialog.showModal();
    const closed = new AbortController();
    this.#dialog.addEventListener("close", () => closed.abort(), { once: true });
    const backoff = new Backoff();
    while (!closed.signal.aborted) {
      try {
        const { text } = await request(this.#url, this.#token(), { signal: closed.signal });
        this.#show(JSON.parse(text));
        backoff.reset();
        await pause(EVERY_MS, closed.signal);
      } catch (problem) {
        if (closed.signal.aborted) return;
        this.#showProblem(problem);
        await backoff.wait(problem, closed.signal);
      }
    }
  }

  /** @param {unknown} problem */
  #showProblem(problem) {
    const unseen = this.#token() === "" || (problem instanceof ApiError && problem.code === "participant_unknown");
    setText(this.#note, unseen ? "The host does not see you now." : explain(problem));
    if (unseen) this.#list.replaceChildren();
    this.#list.classList.add("out-of-date");
  }

  /** @param {{mode: string, participant: import("./status.js").Participant, timeline: any}} seen */
  #show({ mode, participant, timeline }) {
    if (mode === "aggregate") {
      setText(this.#note, "Your name and your video. No label of yours: the host sees only what share of everybody is attentive.");
      this.#list.replaceChildren();
      return;
    }
    this.#list.classList.remove("out-of-date");
    setText(this.#note, "This is your card on the host’s dashboard, as it is now.");
    renderList(this.#list, [participant], {
      key: ({ id }) => id,
      make: makeCard,
      update: (card) => updateCard(card, { participant, timeline }),
    });
  }
}
