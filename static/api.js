// Requests to the server, with the token in the header and errors as the server words them.

import { retryAfterMs } from "./retryafter.js";

/** An answer takes milliseconds; after this long there will be none. */
const TIMEOUT_MS = 8000;

/** The server said no; `status` and `code` as in docs/protocol.md. */
export class ApiError extends Error {
  /**
   * @param {number} status HTTP status.
   * @param {string} code Stable code, "" if the answer had none.
   * @param {string} message What the server says of it.
   * @param {number} [waitMs] How long it asks to wait before the next try, 0 if it does not say.
   */
  constructor(status, code, message, waitMs = 0) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.waitMs = waitMs;
  }

  /** Whether the server has too much to do, or we ask too often: the next request would be answered so, too. */
  get busy() {
    return this.status === 429 || this.status === 503;
  }

  /** Whether the same request will fail again however often it is tried. */
  get final() {
    return this.status >= 400 && this.status < 500 && ![408, 425, 429].includes(this.status);
  }
}

/** @type {Record<string, string>} What a final error means to the person in front of it. */
const PLAIN_WORDS = {
  token_missing: "This link is not complete. Ask for it again.",
  token_invalid: "This link is not valid here. Ask for a new one.",
  token_expired: "This link has expired. Ask for a new one.",
  role_forbidden: "This link does not allow that.",
  room_forbidden: "This link belongs to another meeting.",
  room_unknown: "This meeting is not open any more.",
  removed: "The host has removed you from this meeting.",
  participant_unknown: "This person is not in the meeting any more.",
  mode_fixed: "Somebody has joined already: what the host sees stays as it was then.",
  mode_changed: "What the host sees of you has changed since you opened this page. Look at it again before you join.",
  room_full: "The meeting is full. Trying again.",
  overloaded: "The server has too much to do to let more people in. Trying again.",
  draining: "The meeting's server is shutting down. Trying again, in case it comes back.",
  too_many_requests: "The server gets too many requests from your network. Trying again.",
  request_timeout: "The network is too slow. Trying again.",
  sdp_codec_unsupported: "This browser cannot show the meeting's video format (VP8).",
};

/** For a proxy before the server, which answers in words of its own that are not for people. */
const BUSY = "The server is busy. Trying again.";

/**
 * @param {unknown} error
 * @returns {string} A sentence for people.
 */
export function explain(error) {
  if (error instanceof ApiError) {
    const words = PLAIN_WORDS[error.code] ?? (error.busy && error.code === "" ? BUSY : error.message);
    return error.waitMs > 0 ? words.replace("Trying again", `Trying again in ${about(error.waitMs)}`) : words;
  }
  if (error instanceof TypeError) return "The server cannot be reached. Trying again.";
  return "The connection could not be made. Trying again.";
}

/**
 * The same for what is done once, by a click, and not tried again by itself.
 *
 * @param {unknown} error
 * @returns {string}
 */
export function explainOnce(error) {
  const when = error instanceof ApiError && error.waitMs > 0 ? about(error.waitMs) : "a moment";
  return explain(error).replace(/Trying again.*$/, `Try again in ${when}.`);
}

/**
 * @param {number} ms
 * @returns {string} "about 5 seconds"
 */
function about(ms) {
  const seconds = Math.ceil(ms / 1000);
  return seconds === 1 ? "about a second" : `about ${seconds} seconds`;
}

/**
 * @typedef {object} Answer A whole answer.
 * @property {Headers} headers
 * @property {string} url Where it came from.
 * @property {string} text
 */

/**
 * `fetch` with a bearer token and a time limit; anything but success is thrown.
 *
 * @param {string} path
 * @param {string} token
 * @param {RequestInit & {timeoutMs?: number}} [init]
 * @returns {Promise<Answer>}
 * @throws {ApiError} The server answered with an error.
 * @throws {TypeError | DOMException} The server cannot be reached, or not in time, or the signal was aborted.
 */
export async function request(path, token, init = {}) {
  const headers = new Headers(init.headers);
  headers.set("Authorization", `Bearer ${token}`);
  const limit = new AbortController();
  const abort = () => limit.abort();
  const timer = setTimeout(abort, init.timeoutMs ?? TIMEOUT_MS);
  init.signal?.addEventListener("abort", abort);
  if (init.signal?.aborted) abort(); // an old abort is not told again
  try {
    const response = await fetch(path, { cache: "no-store", ...init, headers, signal: limit.signal });
    const text = await response.text();
    if (!response.ok) throw readError(response, text);
    return { headers: response.headers, url: response.url, text };
  } finally {
    clearTimeout(timer);
    init.signal?.removeEventListener("abort", abort);
  }
}

/**
 * @param {Response} response
 * @param {string} text
 * @returns {ApiError}
 */
function readError({ status, headers }, text) {
  const waitMs = retryAfterMs(headers);
  try {
    const { error } = JSON.parse(text);
    return new ApiError(status, String(error.code), String(error.message), waitMs);
  } catch {
    return new ApiError(status, "", `The server answered ${status}.`, waitMs);
  }
}
