// The box that finds users and compounds by name, e-mail, formula or id, and leads to their pages.

import { newestOnly, rows } from "./api.js";
import { element, find, linked } from "./elements.js";
import { contains } from "./filters.js";

const MOST = 5; // of each kind
const TYPING_PAUSE = 150;
const KINDS = [
  ["user_summary", "user_id", "name", "email", "user"],
  ["compound_usage", "compound_id", "compound_name", "compound_structure", "compound"],
];
const [box, list] = [find("find"), find("found")];
let timer = null;

const look = newestOnly(async (signal) => {
  clearTimeout(timer);
  const text = box.value.trim();
  try {
    const found = text ? await Promise.all(KINDS.map((kind) => matches(text, kind, signal))) : [];
    const items = found.flat();
    list.replaceChildren(...(text && !items.length ? [element("li", { class: "quiet" }, "Nobody and nothing is called so.")] : items));
  } catch (problem) {
    if (!signal.aborted) list.replaceChildren(element("li", { class: "bad" }, problem.message));
  }
});

async function matches(text, [mart, key, ...columns], signal) {
  const kind = columns.pop();
  const query = new URLSearchParams({ select: [key, ...columns].join(","), order: key, limit: MOST });
  const quoted = `"${contains(text).replace(/[\\"]/g, "\\$&")}"`;
  if (/^\d{1,18}$/.test(text)) query.set(key, `eq.${text}`);
  else query.set("or", `(${columns.map((column) => `${column}.ilike.${quoted}`).join(",")})`);
  const { rows: found } = await rows(mart, query, { signal });
  const [name, other] = columns;
  return found.map((row) => element("li", {},
    linked(key, row[key], row[name] ?? `${kind} ${row[key]}`), " ",
    element("span", { class: "quiet" }, [`${kind} ${row[key]}`, row[other]].filter(Boolean).join(", "))));
}

box.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(look, TYPING_PAUSE);
});
box.form.addEventListener("submit", async (event) => {
  event.preventDefault();
  await look();
  list.querySelector("a")?.click();
});
