// Links that download what a table shows now, all its pages, and the same in a notebook's words.

import { at } from "./api.js";
import { find, setText } from "./elements.js";

/** Point the links of a table at its present query; write the recipe, if the page has one. */
export function downloads(table, recipeId) {
  const query = String(table.query());
  for (const link of document.querySelectorAll(`[data-download="${table.table.id}"]`)) {
    link.href = at(`/download/${table.mart}.${link.dataset.format}?${query}`);
  }
  if (recipeId) {
    const address = location.origin + at(`/marts/${table.mart}?${query}`);
    setText(find(recipeId), `import pandas\n\nusers = pandas.read_json("${address}")`);
  }
}
