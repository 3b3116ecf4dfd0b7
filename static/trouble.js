// Why there is no camera, in words for the person in front of it, with what to do.

/**
 * @typedef {"insecure" | "unsupported" | "refused" | "blocked" | "none" | "busy" | "unplugged" | "unknown"} Trouble
 */

/** @type {Record<Trouble, {title: string, advice: string}>} */
export const TROUBLES = {
  insecure: {
    title: "This address is not secure",
    advice: "Browsers give their camera only to pages that come over HTTPS. Ask the host for a link that begins with https.",
  },
  unsupported: {
    title: "This browser offers no camera",
    advice: "Use a current Chrome, Edge, Firefox or Safari.",
  },
  refused: {
    title: "The camera was not allowed",
    advice: "Allow it with the camera sign in the address bar, then try again.",
  },
  blocked: {
    title: "The system keeps the camera from this browser",
    advice: "Allow cameras for this browser in the system's privacy settings, then try again.",
  },
  none: {
    title: "No camera was found",
    advice: "Plug one in: it is taken as soon as it is there.",
  },
  busy: {
    title: "The camera is busy",
    advice: "Another program or tab seems to use it. Close that, then try again.",
  },
  unplugged: {
    title: "The camera has gone",
    advice: "It was unplugged or switched off. It is taken again as soon as it is back.",
  },
  unknown: {
    title: "The camera did not start",
    advice: "Try again, or choose another one.",
  },
};

/**
 * @param {unknown} error What `getUserMedia` threw.
 * @returns {Trouble}
 */
export function troubleOf(error) {
  if (!(error instanceof DOMException)) return "unknown";
  switch (error.name) {
    case "NotAllowedError":
      return /system/i.test(error.message) ? "blocked" : "refused";
    case "SecurityError":
      return "blocked";
    case "NotFoundError":
      return "none";
    case "NotReadableError":
    case "AbortError":
      return "busy";
    default:
      return "unknown";
  }
}

/** @returns {Trouble | null} What keeps any camera from this page, whatever is plugged in. */
export function troubleOfPage() {
  if (!isSecureContext) return "insecure";
  return navigator.mediaDevices?.getUserMedia === undefined ? "unsupported" : null;
}

/** @returns {boolean} Whether the browser can take part in a call at all: some policies and extensions forbid it. */
export function canCall() {
  return typeof RTCPeerConnection === "function" && "addTransceiver" in RTCPeerConnection.prototype;
}
