// Making and finding elements. Text is always set as text, so nothing in the data can be markup.

import { at } from "./api.js";
import { ago, count, moment } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";

/** An element with its attributes, listeners ("onclick") and children (text or elements). */
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for a drawing. */
export function drawn(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "href" && value.startsWith("/")) made.setAttribute(name, at(value));
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** The element with this id, which must be there. */
export function find(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`There is no #${id} on this page.`);
  return found;
}

/** Replace what is in an element, if it differs; whoever reads aloud hears no repetition. */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** A labelled list of values: [[name, value or element], …]. */
export function facts(pairs, style = "facts") {
  return element(
    "dl",
    { class: style },
    ...pairs.map(([name, value]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, value)),
    ),
  );
}

/** A plain table in a region that scrolls by itself: columns are [heading, is a number]. */
export function plainTable(label, columns, rows) {
  const cell = (name, value, index) =>
    element(name, { class: columns[index][1] && "number", scope: name === "th" && "col" }, value);
  return element(
    "div",
    { class: "scroll", role: "region", "aria-label": label, tabindex: "0" },
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...columns.map(([text], i) => cell("th", text, i)))),
      element(
        "tbody",
        {},
        ...rows.map((row) => element("tr", {}, ...row.map((value, i) => cell("td", value ?? none(), i)))),
      ),
    ),
  );
}

/** A heading and a table of [columns, rows], or "None."; and how many rows there are, if more than are listed. */
export function section(title, [columns, rows], { label = title, total = rows.length } = {}) {
  return [
    element("h2", {}, title),
    total > rows.length ? element("p", { class: "quiet" }, `The first ${count(rows.length)} of ${count(total)}.`) : "",
    rows.length ? plainTable(label, columns, rows) : element("p", { class: "quiet" }, "None."),
  ];
}

/** The pages of what a column names, by the column. */
export const PAGES_OF = { user_id: "/users", compound_id: "/compounds" };

/** The id of a user or a compound, or its name, as a link to its page; other text as it is. */
export function linked(column, id, text = id) {
  if (!PAGES_OF[column] || id === null) return shown(text);
  return element("a", { href: `${PAGES_OF[column]}/${id}` }, shown(text ?? id));
}

/** A number with its name, and sentences about it. */
export function card(title, figure, ...texts) {
  return element("section", { class: "card number-card" },
    element("h2", {}, title),
    element("p", { class: "figure" }, figure),
    ...texts.map((text) => element("p", { class: "quiet" }, text)));
}

/** Text for those who hear the page. */
export function unseen(text) {
  return element("span", { class: "unseen" }, text);
}

/** A value of a mart as text; one of JSON as it is written. */
export function shown(value) {
  if (value === null || value === undefined) return none();
  return typeof value === "object" ? element("code", {}, JSON.stringify(value)) : String(value);
}

/** How a null is shown. */
export function none() {
  return element("span", { class: "none" }, "none");
}

/** A time with how long ago it was, exact to whoever points at it. */
export function time(text) {
  return element("time", { datetime: text, title: moment(text) }, ago(text));
}

/** A molecular formula with its numbers below the line; anything else as it stands. */
export function formula(text) {
  if (!/^([A-Z][a-z]?\d*)+$/.test(text ?? "")) return text;
  const parts = text.split(/(\d+)/).filter(Boolean);
  return element(
    "span",
    {},
    ...parts.map((part) => (/\d/.test(part) ? element("sub", {}, part) : part)),
  );
}
