// What this browser remembers for its person: conveniences in local storage, the way back to a tile for this tab alone.

/** @param {() => Storage} storage Reading the property itself throws where a browser blocks storage. */
const make = (storage) => ({
  /** @param {string} key @returns {string} "" for nothing. */
  get(key) {
    try {
      return storage().getItem(`edgeattend-${key}`) ?? "";
    } catch {
      return "";
    }
  },
  /** @param {string} key @param {string} value "" forgets it. */
  set(key, value) {
    try {
      if (value === "") storage().removeItem(`edgeattend-${key}`);
      else storage().setItem(`edgeattend-${key}`, value);
    } catch {
      // Nothing can be kept here: the page works, and asks again next time.
    }
  },
});

/** Across meetings: name, camera, mirror, keys. Never whether a label is shared: that is asked each time. */
export const preferences = make(() => localStorage);

const tab = make(() => sessionStorage);

/**
 * Where the personal token of a room is kept, so that a reloaded page takes its tile back.
 *
 * @param {string} room
 */
export function resumeOf(room) {
  const key = `resume-${room}`;
  let held = tab.get(key); // where nothing can be kept, at least as long as the page is open
  /** @param {string} token */
  const save = (token) => tab.set(key, (held = token));
  return { load: () => held, save, clear: () => save("") };
}
