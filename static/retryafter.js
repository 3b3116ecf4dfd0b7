// When a server that said no wants to be asked again: the header `Retry-After` (RFC 9110, 10.2.3).

/** A server that names a later time than this is asked again all the same: it may have been wrong, or be another. */
const MOST_MS = 60_000;

/** The three forms of an HTTP date: what they begin with and consist of. */
const DATE = /^[A-Z][a-z]{2,8},? [\w :-]+$/;

/**
 * How long an answer's headers ask to wait, up to a minute; 0 if they do not say, or in no way that we know.
 *
 * A time of day is held against the server's own `Date`, since clocks differ.
 *
 * @param {Headers} headers
 * @returns {number} Milliseconds.
 */
export function retryAfterMs(headers) {
  const said = (headers.get("Retry-After") ?? "").trim();
  if (/^[0-9]+$/.test(said)) return Math.min(Number(said) * 1000, MOST_MS);
  const then = unixMs(said);
  if (then === null) return 0;
  const now = unixMs(headers.get("Date") ?? "") ?? Date.now();
  return Math.min(Math.max(then - now, 0), MOST_MS);
}

/**
 * @param {string} date
 * @returns {number | null} Unix time, ms; null for what is no HTTP date.
 */
function unixMs(date) {
  if (!DATE.test(date)) return null;
  const found = Date.parse(date.endsWith(" GMT") ? date : `${date} GMT`); // the oldest form goes without
  return Number.isNaN(found) ? null : found;
}
