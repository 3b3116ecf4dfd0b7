// Why perception cannot work, in words for people.

/** Its message is a sentence for people that ends with what was expected and what came. */
export class PerceptionUnavailable extends Error {
  /**
   * @param {string} what For people, without a full stop.
   * @param {string} expected
   * @param {unknown} got What came: a text, or the error it was.
   */
  constructor(what, expected, got) {
    super(`${what}: expected ${expected}, got ${inShort(got)}`);
    this.name = "PerceptionUnavailable";
  }
}

/** Characters of an error that are shown; those of WebAssembly can be long. */
const SHOWN_CHARS = 160;

/**
 * @param {unknown} got
 * @returns {string}
 */
function inShort(got) {
  const text = got instanceof Error ? got.message : String(got);
  return (text.split("\n", 1)[0] ?? "").slice(0, SHOWN_CHARS) || "nothing";
}
