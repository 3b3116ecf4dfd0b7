// The error page in words for the person in front of it; without this script it still says what happened.

import { byId } from "./dom.js";

const NEW_LINK = "Ask whoever invited you for a new link.";

/** @type {Record<string, [title: string, advice: string]>} By the server's error code. */
const WORDS = {
  token_missing: ["This link is not complete", "Open it once more exactly as you got it, to the last character."],
  token_invalid: ["This link does not open the meeting", `It may be cut short or out of date. ${NEW_LINK}`],
  token_expired: ["This link has expired", NEW_LINK],
  role_forbidden: ["This link does not open this page", "The dashboard is for the meeting's host. Your link shows the meeting itself."],
  room_forbidden: ["This link belongs to another meeting", NEW_LINK],
  room_unknown: ["This meeting is not open", "It may be over, or not have begun. Ask whoever invited you."],
  not_found: ["There is nothing at this address", NEW_LINK],
  removed: ["The host removed you", "Ask whoever invited you whether you may come back."],
  too_many_requests: ["Too many requests", "The server gets more from your network than it takes. Try again in a moment."],
  room_full: ["This meeting is full", "Try again when somebody has left."],
  internal: ["Something went wrong on our side", "Try again in a moment."],
};

const words = WORDS[document.body.dataset["code"] ?? ""];
if (words !== undefined) {
  const [title, advice] = words;
  byId("title", HTMLElement).textContent = title;
  byId("advice", HTMLElement).textContent = advice;
  document.title = `${title} · EdgeAttend`;
}
