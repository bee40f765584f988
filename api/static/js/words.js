// The words of the page's language, put into the page by the server as JSON.

const texts = JSON.parse(document.getElementById("words").textContent);

/** The text of an id with its {places} filled; the id itself where there is none.
 * @param {string} id @param {Record<string, unknown>} [values] @returns {string} */
export function t(id, values = {}) {
  const text = texts[id] ?? id;
  return text.replace(/\{(\w+)\}/g, (place, name) => (name in values ? String(values[name]) : place));
}

const format = new Intl.NumberFormat(document.documentElement.lang);

/** A whole number with separators. @param {number} value @returns {string} */
export function number(value) {
  return format.format(value);
}
