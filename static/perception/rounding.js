// Python's rounding, so that a box becomes the same pixels in the browser and in a Python participant.

/**
 * The nearest integer; of two equally near ones the even one.
 *
 * @param {number} value
 * @returns {number}
 */
export function roundHalfEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}
