// How good the connection is, in a word that people understand, from what WebRTC counts (W3C webrtc-stats).

/** @typedef {"good" | "fair" | "poor"} Grade */

/**
 * @typedef {object} LinkQuality
 * @property {Grade} grade
 * @property {number | null} rttMs Round trip; null before it was measured.
 * @property {number} loss Share of packets that were lost lately, the worse of both directions, 0 to 1.
 */

/** From here on people notice: a picture that hesitates (fair), one that freezes (poor). */
const FAIR = { rttMs: 150, loss: 0.02 };
const POOR = { rttMs: 400, loss: 0.08 };
/** Losses come in bursts: each look counts a fifth, about the last three seconds. */
const SMOOTHING = 0.2;

/**
 * @param {number | null} rttMs
 * @param {number} loss
 * @returns {Grade}
 */
export function gradeOf(rttMs, loss) {
  if (loss >= POOR.loss || (rttMs ?? 0) >= POOR.rttMs) return "poor";
  return loss >= FAIR.loss || (rttMs ?? 0) >= FAIR.rttMs ? "fair" : "good";
}

/** Reads one connection's reports in order. */
export class LinkMeter {
  #received = 0;
  #lost = 0;
  #loss = 0;

  /**
   * @param {RTCStatsReport} report
   * @returns {LinkQuality}
   */
  read(report) {
    let rttMs = null;
    let up = 0;
    let down = 0;
    for (const entry of report.values()) {
      if (entry.type === "candidate-pair" && entry.nominated && entry.currentRoundTripTime !== undefined) {
        rttMs = entry.currentRoundTripTime * 1000;
      } else if (entry.type === "remote-inbound-rtp" && entry.fractionLost !== undefined) {
        up = Math.max(up, entry.fractionLost);
      } else if (entry.type === "inbound-rtp" && entry.kind === "video") {
        down = this.#lostSince(entry.packetsReceived ?? 0, entry.packetsLost ?? 0);
      }
    }
    this.#loss += SMOOTHING * (Math.max(up, down) - this.#loss);
    return { grade: gradeOf(rttMs, this.#loss), rttMs, loss: this.#loss };
  }

  /**
   * @param {number} received
   * @param {number} lost May go down again, when packets came late.
   * @returns {number} The share that was lost since the last call.
   */
  #lostSince(received, lost) {
    const newLost = Math.max(0, lost - this.#lost);
    const newReceived = Math.max(0, received - this.#received);
    this.#lost = lost;
    this.#received = received;
    return newLost === 0 ? 0 : newLost / (newLost + newReceived);
  }
}
