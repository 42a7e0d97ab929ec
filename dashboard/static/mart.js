// The page of any mart: its head comes with the page, from the published build; its rows from the API.

import { rows } from "./api.js";
import { downloads } from "./downloads.js";
import { find, linked } from "./elements.js";
import { page } from "./states.js";
import { DataTable } from "./table.js";

const place = find("rows");
const table = place.matches("table")
  ? new DataTable("rows", {
    singular: "row",
    plural: "rows",
    cells: Object.fromEntries(["user_id", "compound_id"].map((name) => [name, (id) => linked(name, id)])),
    onchange: (shown) => downloads(shown),
  })
  : null;

page(async () => {
  if (table) return table.load();
  await rows(place.dataset.mart, "limit=0"); // Says why there is no table.
  return location.reload(); // It has been published in the meantime.
});
