// Two kinds of plots, drawn as SVG in the size they are shown: columns and bars. Each has a title,
// a sentence, and the same numbers as a table, whose links do what a click on a mark does. And a
// small line for within text.

import { at } from "./api.js";
import { drawn, element, plainTable, unseen } from "./elements.js";
import { count, counted, exact, signed } from "./format.js";

const HEIGHT = 170;
const [LEFT, BOTTOM, TOP] = [40, 34, 8];
const ROW = 22;
const WIDEST = 72;
const FONT_SIZE = 12; // as style.css has it

// Measures texts, which are drawn in the font of the page.
const ruler = document.createElement("canvas").getContext("2d");

/**
 * Draw a plot into a figure.
 *
 * marks: [{label, value, href, tick, style}], in order; axis: what runs along it; singular: what is counted.
 * layout: "columns" or "bars"; format: a value as text, if values are no counts; onpick: called with
 * the conditions in a mark's href, such as [["compound_id", "eq.5"]], instead of going there.
 */
export function plot(figure, options) {
  const { title, note, marks, axis, singular, layout = "columns", format, onpick } = options;
  const wasOpen = figure.querySelector("details")?.open ?? false;
  const picture = element("div", {});
  const rows = marks.map(({ label, value, href }) => [
    href ? element("a", { href, onclick: (event) => pick(event, href) }, label) : label,
    (format ?? count)(value),
  ]);
  const pick = (event, href) => {
    event.preventDefault();
    if (onpick) onpick([...new URLSearchParams(href)]);
    else location.assign(href.startsWith("/") ? at(href) : href);
  };
  figure.replaceChildren(
    element("figcaption", {}, element("strong", {}, title), note),
    picture,
    element(
      "details",
      { open: wasOpen },
      element("summary", {}, "As a table"),
      plainTable(title, [[axis, false], [`${singular[0].toUpperCase()}${singular.slice(1)}s`, true]], rows),
    ),
  );
  const draw = layout === "bars" ? bars : columns;
  const redraw = () => {
    ruler.font = `${FONT_SIZE}px ${getComputedStyle(picture).fontFamily}`;
    const width = Math.max(220, Math.floor(picture.clientWidth));
    picture.replaceChildren(draw({ width, title, marks, axis, singular, format, pick }));
  };
  redraw();
  figure.observer?.disconnect();
  figure.observer = new ResizeObserver(([entry]) => {
    if (Math.abs(entry.contentRect.width - picture.drawnWidth) > 1) redraw();
    picture.drawnWidth = entry.contentRect.width;
  });
  picture.drawnWidth = picture.clientWidth;
  figure.observer.observe(picture);
}

/** How a number went from build to build: how it differs from what it was before, if both are known, and a line. */
export function trend(values, before) {
  const isKnown = (value) => value !== null && value !== undefined;
  if (values.length < 2 || ![before, values.at(-1)].every(isKnown)) return [];
  const known = values.filter(isKnown).map(Number);
  const [least, most] = [Math.min(...known), Math.max(...known)];
  const points = known.map((value, index) =>
    [1 + (58 * index) / (known.length - 1), most === least ? 10 : 18 - (16 * (value - least)) / (most - least)]);
  return [
    element("span", {}, signed(known.at(-1) - Number(before)),
      unseen(` since then; build by build: ${known.map(exact).join(", ")}`)),
    drawn("svg", { viewBox: "0 0 60 20", preserveAspectRatio: "none", "aria-hidden": "true" }, drawn("polyline", { points: points.join(" ") })),
  ];
}

function frame(width, height, title, children) {
  const attributes = { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}. The numbers are in the table below.` };
  return drawn("svg", attributes, ...children);
}

function mark({ label, value, href, style }, shapes, { singular, format, pick }) {
  const text = format ? format(value) : counted(value, singular);
  return drawn(
    "g",
    { class: href ? "clickable" : null, onclick: href ? (event) => pick(event, href) : null },
    drawn("title", {}, `${label}: ${text}`),
    ...shapes.map(([shape, attributes]) =>
      drawn(shape, { ...attributes, class: [attributes.class, style || ""].join(" ").trim() })),
  );
}

function columns({ width, title, marks, axis, singular, format, pick }) {
  const top = scale(Math.max(0, ...marks.map(({ value }) => value)), format ? 0.01 : 1);
  const inner = width - LEFT - 4;
  const step = Math.min(WIDEST, inner / Math.max(1, marks.length));
  const base = HEIGHT - BOTTOM;
  const y = (value) => base - ((base - TOP) * value) / top.at(-1);
  const lines = top.map((value) => [
    drawn("line", { class: value ? "grid" : "axis", x1: LEFT, x2: width - 4, y1: y(value), y2: y(value) }),
    drawn("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, (format ?? compact)(value, top.at(-1))),
  ]);
  const widest = Math.max(36, ...marks.map(({ tick }) => ruler.measureText(tick).width));
  const shown = Math.ceil(marks.length / Math.max(1, Math.floor(inner / (widest + 8))));
  const labels = marks.map(({ tick }, index) =>
    index % shown ? null : drawn("text", tickPlace(index, step, marks[index], base), tick));
  const drawnMarks = marks.map((each, index) => {
    const x = LEFT + index * step;
    const gap = Math.min(2, step / 6);
    const hit = { class: "hit", x, width: step, y: TOP, height: base - TOP };
    const shape = { class: "mark", x: x + gap / 2, width: Math.max(1, step - gap), y: y(each.value), height: base - y(each.value), rx: Math.min(2, step / 4) };
    return mark(each, [["rect", hit], ["rect", shape]], { singular, format, pick });
  });
  const name = drawn("text", { x: LEFT + inner / 2, y: HEIGHT - 2, "text-anchor": "middle" }, axis);
  return frame(width, HEIGHT, title, [...lines.flat(), ...drawnMarks, ...labels, name]);
}

// A tick of a range stands at its lower edge, that of one value in its middle.
function tickPlace(index, step, { isRange }, base) {
  return { x: LEFT + (index + (isRange ? 0 : 0.5)) * step, y: base + 15, "text-anchor": "middle" };
}

function bars({ width, title, marks, singular, format, pick }) {
  const most = Math.max(1, ...marks.map(({ value }) => value));
  const names = Math.min(150, width * 0.42);
  const room = width - names - 56;
  const drawnMarks = marks.flatMap((each, index) => {
    const y = index * ROW;
    const length = Math.max(1, (room * each.value) / most);
    const hit = { class: "hit", x: 0, width, y, height: ROW };
    const shape = { class: "mark", x: names, width: length, y: y + 4, height: ROW - 8, rx: 2 };
    return [
      mark(each, [["rect", hit], ["rect", shape]], { singular, format, pick }),
      drawn("text", { class: "name", x: names - 8, y: y + 15, "text-anchor": "end", "pointer-events": "none" }, clip(each.label, names - 8)),
      drawn("text", { x: names + length + 6, y: y + 15, "pointer-events": "none" }, (format ?? compact)(each.value, most)),
    ];
  });
  return frame(width, Math.max(ROW, marks.length * ROW), title, drawnMarks);
}

function clip(text, room) {
  const letters = [...String(text).slice(0, 200)]; // whole characters
  let shown = String(text);
  while (letters.length && ruler.measureText(shown).width > room) {
    letters.pop();
    shown = `${letters.join("")}…`;
  }
  return shown;
}

/** Round values from 0 to at least `most`, four steps or so, none smaller than `least`. */
function scale(most, least) {
  const wanted = Math.max(most / 4, least);
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= wanted);
  const steps = Math.max(1, Math.ceil(most / step));
  return Array.from({ length: steps + 1 }, (_, index) => index * step);
}

const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

function compact(value, most = value) {
  return most < 10000 ? count(value) : COMPACT.format(value);
}
