// Text that the page has becomes a file on the host's machine.

/** The browser may still be reading the file. */
const KEEP_MS = 60_000;

/**
 * @param {string} name
 * @param {string} text
 * @param {string} type Its media type.
 */
export function saveText(name, text, type) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), KEEP_MS);
}

/**
 * @param {readonly (readonly (string | number)[])[]} rows
 * @returns {string} CSV (RFC 4180).
 */
export function csv(rows) {
  return rows.map((row) => row.map(field).join(",") + "\r\n").join("");
}

/**
 * @param {string | number} value
 * @returns {string} In quotes where it needs them; a name that a spreadsheet would run as a formula is made text (CWE-1236).
 */
function field(value) {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
