// The filter boxes in a table's head, and the conditions of the API's query language they stand for.

const PLAIN = /^[\p{L}\p{N}_]+$/u; // a name that needs no quotes
// What means something else as a parameter.
const TAKEN = new Set(["select", "order", "limit", "offset", "as_of", "and", "or"]);

/** A column as the API's query language has it: in quotes where it needs them. */
export function quoted(column) {
  return PLAIN.test(column) ? column : `"${column.replace(/["\\]/g, "\\$&")}"`;
}

/** The parameter that filters a column; one in quotes means nothing else. */
export function parameter(column) {
  return TAKEN.has(column) ? `"${column}"` : quoted(column);
}

/** The boxes of a table: each knows its column and how it compares. */
export function boxes(table) {
  return [...table.querySelectorAll("[data-filter]")];
}

const DATE = /^\d{4}(-\d{2}){0,2}$/;
const FORMS = { number: /^[+-]?(\d+\.?\d*|\.\d+)$/, date: DATE, moment: DATE, id: /^[+-]?\d+$/ };
const WORDS = { number: "number", date: "date", moment: "date", id: "whole number" };
const DAY_END = "T23:59:59.999999"; // the last time of a day that PostgreSQL knows

/** What the boxes say, as [parameter, condition] pairs such as ["name", "ilike.*wei*"]. */
export function conditions(table) {
  return boxes(table)
    .filter((box) => box.value.trim() !== "" && isUsable(box.dataset, box.value))
    .map((box) => [parameter(box.dataset.filter), condition(box.dataset, box.value.trim())]);
}

/** What is wrong with the boxes that `conditions` leaves out, in words; they show it, too. */
export function complaints(table) {
  return boxes(table).flatMap((box) => {
    const isGood = box.value.trim() === "" || isUsable(box.dataset, box.value);
    box.ariaInvalid = isGood ? null : "true";
    return isGood ? [] : [`${box.ariaLabel}: “${box.value}” is no ${WORDS[box.dataset.kind]}, and not used`];
  });
}

/** Whether a text is a number or a date, if it must be. */
function isUsable({ kind }, text) {
  return FORMS[kind]?.test(text.trim()) ?? true;
}

function condition({ operator, kind }, value) {
  const isEnd = operator === "lte";
  if (kind === "date") return `${operator}.${wholeDate(value, isEnd)}`;
  if (kind === "moment") return `${operator}.${wholeDate(value, isEnd)}${isEnd ? DAY_END : ""}`;
  return operator === "ilike" ? `ilike.${contains(value)}` : `${operator}.${value}`;
}

/** The pattern of what contains a text. */
export function contains(text) {
  // An underscore would stand for any letter, and addresses are full of them. A star may.
  return `*${text.replace(/[\\%_]/g, "\\$&")}*`;
}

/** The first or the last day of a year or a month, or that day itself. */
function wholeDate(text, isEnd) {
  const [year, month, day] = text.split("-");
  if (day) return text;
  if (!month) return isEnd ? `${year}-12-31` : `${year}-01-01`;
  const last = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  return `${year}-${month}-${isEnd ? last : "01"}`;
}

/** Fill the boxes from an address; what they cannot show is returned, to be kept as it is. */
export function restore(table, query) {
  const rest = [];
  for (const box of boxes(table)) [box.value, box.ariaInvalid] = ["", null];
  for (const [name, text] of query) {
    const [operator, value] = [text.slice(0, text.indexOf(".")), text.slice(text.indexOf(".") + 1)];
    const box = boxes(table).find(
      ({ dataset, value: taken }) =>
        parameter(dataset.filter) === name && dataset.operator === operator && taken === "" && isUsable(dataset, typed(dataset, value)),
    );
    if (box) box.value = typed(box.dataset, value);
    else rest.push([name, text]);
  }
  return rest;
}

/** What stands in a box for the value of a condition; nothing if the box cannot say it. */
function typed({ operator, kind }, value) {
  if (operator === "ilike") return contained(value);
  if (kind !== "moment" || operator !== "lte") return value;
  return value.endsWith(DAY_END) ? value.slice(0, -DAY_END.length) : "";
}

function contained(pattern) {
  return pattern.replace(/^\*|\*$/g, "").replace(/\\([\\%_])/g, "$1");
}
