// The distribution of a column of a mart, counted by the server and drawn as columns.

import { json } from "./api.js";
import { parameter } from "./filters.js";
import { count, counted, short } from "./format.js";
import { plot } from "./plot.js";

/** Draw it into a figure; a click on a column calls `onpick` with the conditions it stands for. */
export async function histogram(figure, options) {
  const { mart, column, bins = 24, title, axis, singular, onpick, signal } = options;
  const found = await json(`/marts/${mart}/histogram?column=${encodeURIComponent(column)}&bins=${bins}`, { signal });
  const marks = found.bins.map((bin) => mark(bin, found, column));
  plot(figure, {
    title,
    note: note(found, singular),
    marks,
    axis,
    singular,
    onpick,
  });
}

function mark({ from, to, count: value }, { is_whole: isWhole, step }, column) {
  const isOne = isWhole && step === 1 && to !== null;
  const last = isWhole ? to - 1 : to;
  const query = new URLSearchParams([
    [parameter(column), `gte.${from}`],
    ...(to === null ? [] : [[parameter(column), isWhole ? `lte.${last}` : `lt.${to}`]]),
  ]);
  const end = to === null ? "or more" : `to ${isWhole ? short(last) : `under ${short(to)}`}`;
  return {
    label: isOne ? count(from) : `${short(from)} ${end}`,
    tick: to === null ? `${short(from)}+` : short(from),
    isRange: !isOne,
    value,
    href: value ? `?${query}` : null,
  };
}

function note({ bins, without }, singular) {
  const total = bins.reduce((sum, { count: value }) => sum + value, 0);
  return `${counted(total, singular)}${without ? `; ${count(without)} more without a value` : ""}`;
}
