// Links that download what a table shows now, all its pages, and the same for other programs.

import { at } from "./api.js";
import { setText } from "./elements.js";

/** Point the links of a table at its present query; write how other programs read it. */
export function downloads(table) {
  const query = String(table.query());
  for (const link of document.querySelectorAll(`[data-download="${table.table.id}"]`)) {
    link.href = at(`/download/${table.mart}.${link.dataset.format}?${query}`);
  }
  const address = location.origin + at(`/marts/${table.mart}?${query}`);
  const dates = table.shownColumns().filter(({ dataset }) => dataset.kind === "date");
  for (const place of document.querySelectorAll("[data-recipe]")) {
    setText(place, RECIPES[place.dataset.recipe](address, dates.map(({ dataset }) => dataset.column)));
  }
}

const RECIPES = {
  pandas: (address, dates) => [
    "import json\nfrom urllib.request import urlopen\n\nimport pandas\n",
    `address = "${address}"`,
    "rows = pandas.DataFrame(json.load(urlopen(address)))",
    ...dates.map((name) => `rows["${name}"] = pandas.to_datetime(rows["${name}"])`),
  ].join("\n"),
  R: (address) => `rows <- jsonlite::fromJSON("${address}")`,
  curl: (address) => `curl -H 'Accept: text/csv' '${address.replaceAll("'", "%27")}' > rows.csv`,
  "Excel (Data, From Web, Advanced Editor)": (address) =>
    `let rows = Json.Document(Web.Contents("${address}"))\nin Table.FromRecords(rows)`,
};
