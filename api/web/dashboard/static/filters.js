// The filter boxes in a table's head, and the conditions of the API's query language they stand for.

/** The boxes of a table: each knows its column and how it compares. */
export function boxes(table) {
  return [...table.querySelectorAll("[data-filter]")];
}

/** What the boxes say, as [column, condition] pairs such as ["name", "ilike.*wei*"]. */
export function conditions(table) {
  return boxes(table)
    .filter((box) => box.value.trim() !== "")
    .map((box) => [box.dataset.filter, condition(box.dataset.operator, box.value.trim())]);
}

function condition(operator, value) {
  // An underscore would stand for any letter, and addresses are full of them. A star may.
  return operator === "ilike" ? `ilike.*${value.replace(/[\\%_]/g, "\\$&")}*` : `${operator}.${value}`;
}

/** Fill the boxes from an address; what they cannot show is returned, to be kept as it is. */
export function restore(table, query) {
  const rest = [];
  for (const box of boxes(table)) box.value = "";
  for (const [column, text] of query) {
    const [operator, value] = [text.slice(0, text.indexOf(".")), text.slice(text.indexOf(".") + 1)];
    const box = boxes(table).find(
      ({ dataset, value: taken }) =>
        dataset.filter === column && dataset.operator === operator && taken === "",
    );
    if (box) box.value = operator === "ilike" ? contained(value) : value;
    else rest.push([column, text]);
  }
  return rest;
}

function contained(pattern) {
  return pattern.replace(/^\*|\*$/g, "").replace(/\\([\\%_])/g, "$1");
}
