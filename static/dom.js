// What every page needs of the document.

/**
 * The element with this id, as the class it must be.
 *
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`expected a ${type.name} with the id ${id}, got ${found}`);
  return found;
}

/**
 * A new element with a class and text; text is never markup.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {string} className
 * @param {string} [text]
 * @returns {HTMLElementTagNameMap[T]}
 */
export function create(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

/**
 * Change an element's text, if it is another: what did not change is neither drawn nor announced again.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Make a list show `items`, keeping the element of each across calls: nothing flickers, focus and selection stay.
 *
 * @template T
 * @param {Element} list
 * @param {readonly T[]} items
 * @param {object} how
 * @param {(item: T) => string} how.key What tells items apart.
 * @param {(item: T) => HTMLElement} how.make Called once for a new item.
 * @param {(element: HTMLElement, item: T) => void} how.update Called for every item, also a new one.
 */
export function renderList(list, items, { key, make, update }) {
  /** @type {Map<string, HTMLElement>} */
  const before = new Map();
  for (const child of list.children) {
    if (child instanceof HTMLElement) before.set(child.dataset["key"] ?? "", child);
  }
  items.forEach((item, index) => {
    const element = before.get(key(item)) ?? make(item);
    before.delete(key(item));
    element.dataset["key"] = key(item);
    update(element, item);
    if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null);
  });
  for (const gone of before.values()) gone.remove();
}

/** @returns {string} The token in this page's address. */
export function tokenOfPage() {
  return new URLSearchParams(location.search).get("token") ?? "";
}

/** @returns {string} The room of this page, as the server wrote it. */
export function roomOfPage() {
  return document.body.dataset["room"] ?? "";
}

/**
 * An address on this server with the page's token, for what can send no header.
 *
 * @param {string} path
 * @returns {string}
 */
export function withToken(path) {
  return `${path}?${new URLSearchParams({ token: tokenOfPage() })}`;
}
