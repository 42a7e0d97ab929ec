// The page of any mart: its head comes with the page, from the published build; its rows from the API.

import { Problem, newestOnly, rows } from "./api.js";
import { PAGES_OF, element, find, linked } from "./elements.js";
import { parameter, quoted } from "./filters.js";
import { histogram } from "./histogram.js";
import { plot } from "./plot.js";
import { page } from "./states.js";
import { DataTable } from "./table.js";

const place = find("rows");
const table = place.matches("table")
  ? new DataTable("rows", {
    singular: "row",
    cells: Object.fromEntries(Object.keys(PAGES_OF).map((name) => [name, (id) => linked(name, id)])),
  })
  : null;

const values = document.getElementById("values");
values?.addEventListener("toggle", () => values.open && drawValues());
values?.querySelector("select").addEventListener("change", () => drawValues());

/** How the numbers of the chosen column are distributed, or which of its values are the commonest. */
const drawValues = newestOnly(async (signal) => {
  const figure = values.querySelector("figure");
  try {
    await drawColumn(figure, signal);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    figure.replaceChildren(element("p", { class: "bad" }, problem.message));
  }
});

async function drawColumn(figure, signal) {
  const { value: column, selectedOptions: [{ dataset: { kind } }] } = values.querySelector("select");
  const onpick = (conditions) => table.filterBy(conditions);
  if (kind === "number") {
    return histogram(figure, { mart: table.mart, column, title: column, axis: column, singular: "row", onpick, signal });
  }
  const query = { select: `${quoted(column)},count()`, order: `count.desc,${quoted(column)}`, limit: 12 };
  const { rows: found } = await rows(table.mart, new URLSearchParams(query), { signal });
  return plot(figure, {
    title: column,
    note: "The commonest values, of all rows",
    layout: "bars",
    axis: column,
    singular: "row",
    marks: found.map(({ [column]: value, count }) => ({
      label: value ?? "no value",
      value: count,
      href: `?${new URLSearchParams({ [parameter(column)]: value === null ? "is.null" : `eq.${value}` })}`,
    })),
    onpick,
  });
}

page(async () => {
  if (table) return table.load();
  await rows(place.dataset.mart, "limit=0"); // Says why there is no table.
  return location.reload(); // It has been published in the meantime.
});
