// STUN and TURN servers, for who cannot reach the host directly: asked for before candidates are gathered (RFC 9725
// 4.6), since there is no trickle ICE. Most meetings need none.

import { ApiError, request } from "./api.js";

/** A server that does not tell of any soon shall not keep anybody out. */
const ASKING_MS = 3000;
/** The server names fewer. */
const MAX_SERVERS = 8;

/** One link of a `Link` header (RFC 8288), without flags that have no value. */
const LINK = /<([^<>"]*)>((?:\s*;\s*[\w-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s";,]+))*)/g;
const PARAMETER = /;\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]+))/g;

/**
 * Ask which ICE servers there are for who posts to `url`. Whatever goes wrong, there are none, and what is wrong the
 * offer will be told; but a server that is busy is not made one.
 *
 * @param {string} url
 * @param {string} token
 * @returns {Promise<RTCIceServer[]>}
 * @throws {ApiError} It is busy.
 */
export async function askIceServers(url, token) {
  try {
    const { headers } = await request(url, token, { method: "OPTIONS", signal: AbortSignal.timeout(ASKING_MS) });
    return readIceServers(headers.get("Link") ?? "");
  } catch (problem) {
    if (problem instanceof ApiError && problem.busy) throw problem;
    return [];
  }
}

/**
 * @param {string} links The values of all `Link` headers.
 * @returns {RTCIceServer[]} The ICE servers among them.
 */
export function readIceServers(links) {
  /** @type {RTCIceServer[]} */
  const servers = [];
  for (const [, url = "", parameters = ""] of links.matchAll(LINK)) {
    /** @type {Record<string, string>} */
    const given = {};
    for (const [, name = "", quoted = "", bare = ""] of parameters.matchAll(PARAMETER)) {
      given[name.toLowerCase()] = quoted.replace(/\\(.)/g, "$1") || bare;
    }
    const { rel = "", username = "", credential = "" } = given;
    if (!rel.toLowerCase().split(/\s+/).includes("ice-server")) continue;
    if (/^stuns?:/.test(url)) servers.push({ urls: url });
    else if (/^turns?:/.test(url)) servers.push({ urls: url, username, credential });
  }
  return servers.slice(0, MAX_SERVERS);
}

/**
 * Let `connection` gather candidates with these too.
 *
 * @param {RTCPeerConnection} connection
 * @param {RTCIceServer[]} iceServers
 */
export function useIceServers(connection, iceServers) {
  try {
    connection.setConfiguration({ ...connection.getConfiguration(), iceServers });
  } catch {
    // One that this browser does not understand, or the connection was closed meanwhile: without them, then.
  }
}
