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
    const dates = table.columns.filter(({ dataset }) => dataset.kind === "date");
    setText(find(recipeId), [
      "import json\nfrom urllib.request import urlopen\n\nimport pandas\n",
      `address = "${address}"`,
      "users = pandas.DataFrame(json.load(urlopen(address)))",
      ...dates.map(({ dataset }) =>
        `users["${dataset.column}"] = pandas.to_datetime(users["${dataset.column}"])`),
    ].join("\n"));
  }
}
