// The page Compare builds: per mart how many rows and columns changed, and the rows themselves.

import { Problem, json, rows } from "./api.js";
import { look, refuse } from "./build.js";
import { keptBuilds, orNothing } from "./builds.js";
import { element, find, linked, plainTable, setText, shown, unseen } from "./elements.js";
import { count, day, wholeNumber } from "./format.js";
import { page } from "./states.js";

const AT_ONCE = 50;
const KINDS = { added: "new", changed: "changed", removed: "gone" };
let drawn = null; // which two builds are on the page; they never change

page(async () => {
  const builds = await keptBuilds();
  if (!builds.length) await rows("user_summary", "limit=0"); // Says that nothing has been built.
  const [from, to] = chosen(builds);
  fill(find("from"), builds, from);
  fill(find("to"), builds, to);
  offer(builds, from);
  if (drawn === `${from} ${to}`) return;
  find("records").replaceChildren();
  try {
    find("comparison").replaceChildren(...(await compared(from, to)));
    drawn = `${from} ${to}`;
    if (from) find("records").replaceChildren(...(await records(from, to)));
  } catch (problem) {
    if (!(problem instanceof Problem) || problem.status === 401) throw problem;
    find("comparison").replaceChildren(panel(problem.message)); // Others can be chosen above.
  }
});

/** The builds that the address names, or the newest and the one before. */
function chosen(builds) {
  const query = new URLSearchParams(location.search);
  const to = query.get("to") ?? String(builds[0].build);
  const before = builds[builds.findIndex(({ build }) => String(build) === to) + 1];
  return [query.get("from") ?? before?.build, to];
}

/** Offer the builds, and the one that the address names also if it is not kept, or never was. */
function fill(select, builds, wanted) {
  select.replaceChildren(...builds.map(({ build, published_at: publishedAt }) =>
    element("option", { value: build }, `Build ${build}, ${day(publishedAt)}`)));
  const isKept = builds.some(({ build }) => String(build) === String(wanted));
  if (wanted && !isKept) select.prepend(element("option", { value: wanted }, `Build ${wanted}, not kept`));
  if (wanted) select.value = wanted;
}

/** To return to the earlier build, if it is not the one that is published. */
function offer(builds, from) {
  const build = builds.find(({ build: number }) => String(number) === String(from));
  const form = find("return");
  form.hidden = !build || build === builds[0];
  form.dataset.build = from;
  setText(form.querySelector("button"), `Return to build ${from}`);
}

async function goBack(event) {
  event.preventDefault();
  const { dataset, elements } = find("return");
  const body = JSON.stringify({ reason: elements.reason.value || null });
  try {
    const { message } = await json(`/builds/${dataset.build}/publish`, { method: "POST", body });
    setText(find("returned"), message);
    look();
  } catch (problem) {
    refuse(problem);
  }
}

find("return").addEventListener("submit", goBack);

async function compared(from, to) {
  if (!from) return [panel("There is no earlier build that still has its tables. The next one can be compared with this.")];
  const found = await json(`/builds/${encodeURIComponent(to)}/changes?${new URLSearchParams({ from })}`);
  const different = found.marts.filter((mart) => total(mart) || mart.new_columns.length || mart.gone_columns.length);
  const same = found.marts.filter((mart) => !different.includes(mart));
  return [
    ...different.map((mart) => section(mart, found)),
    ...(different.length ? note("The same in both", same.map(({ name }) => name)) : [panel("No row has changed.")]),
    ...note("Only in the later build", found.new_marts),
    ...note("Only in the earlier build", found.gone_marts),
    ...note("No longer kept", found.not_kept),
  ];
}

/** The records of the files that made the difference. */
async function records(from, to) {
  const path = `/builds/${encodeURIComponent(to)}/file-changes?${new URLSearchParams({ from })}`;
  const { files, not_kept: gone } = (await orNothing(json(path))) ?? { files: [], not_kept: [] };
  const different = files.filter(({ added, removed }) => added || removed);
  return [
    ...(different.length ? [element("h2", {}, "Records of the files")] : []),
    ...different.map(ofFile),
    ...note("Files that are no longer kept as they were", gone),
  ];
}

function ofFile({ name, added, removed, records: listed }) {
  const columns = Object.keys(listed[0].record);
  const all = listed.reduce((sum, { times }) => sum + times, 0);
  return element("details", { class: "card changes" },
    element("summary", {}, element("strong", {}, name), ` ${count(added)} new, ${count(removed)} gone`),
    ...(all < added + removed ? [element("p", { class: "quiet" }, `The first ${count(all)}.`)] : []),
    plainTable(
      `Records of ${name}`,
      [["Record", true], [unseen("What became of it")], ...columns.map((column) => [column])],
      listed.map((row) => [
        count(row.record_number),
        element("span", {}, kind(row), row.times > 1 ? ` ${count(row.times)} times` : ""),
        ...columns.map((column) => shown(row.record[column])),
      ])));
}

function panel(text) {
  return element("p", { class: "panel" }, text);
}

function note(what, names) {
  return names.length ? [element("p", { class: "quiet" }, `${what}: ${names.join(", ")}.`)] : [];
}

function total(mart) {
  return Object.keys(KINDS).reduce((sum, kind) => sum + mart[kind], 0);
}

/** A mart: its counts, and once it is opened its rows. The address names the one that is open. */
function section(mart, { from, build: to }) {
  const address = () => new URLSearchParams(location.search);
  const remember = (state) => history.replaceState(null, "", `?${new URLSearchParams({ from, to, ...state })}`);
  const path = `/builds/${to}/changes/${mart.name}`;
  const isNamed = address().get("mart") === mart.name;
  const body = element("div", {});
  const turn = async (offset) => {
    body.dataset.offset = offset;
    remember({ mart: mart.name, ...(offset && { offset }) });
    try {
      const found = await json(`${path}?from=${from}&limit=${AT_ONCE}&offset=${offset}`);
      if (body.dataset.offset === String(offset)) show(body, mart, found, offset, turn);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      body.replaceChildren(panel(problem.message));
    }
  };
  const ontoggle = ({ target }) => {
    if (target.open) turn(Number(body.dataset.offset) || (isNamed ? wholeNumber(address().get("offset")) : 0));
    else if (address().get("mart") === mart.name) remember({});
  };
  return element("details", { class: "card changes", name: "mart", open: isNamed, ontoggle },
    element("summary", {}, ...summary(mart)),
    ...note("New columns, which are not compared", mart.new_columns),
    ...note("Columns that are gone", mart.gone_columns),
    body,
    element("p", { class: "quiet" }, "Download these rows: ",
      element("a", { href: `/download${path}.csv?from=${from}` }, "CSV"), " ",
      element("a", { href: `/download${path}.xlsx?from=${from}` }, "XLSX")));
}

function summary(mart) {
  const counts = Object.entries(KINDS).map(([kind, word]) => `${count(mart[kind])} ${word}`);
  const columns = Object.entries(mart.columns ?? {}).filter(([, times]) => times);
  return [
    element("strong", {}, mart.name), ` ${counts.join(", ")}`,
    ...columns.flatMap(([name, times]) => [" ", element("span", { class: "badge" }, `${name} in ${count(times)}`)]),
  ];
}

/** A page of rows, and what turns it; who presses a button keeps the focus. */
function show(body, mart, found, offset, turn) {
  if (!body.querySelector("table")) body.replaceChildren(...frame(mart));
  const [status, table, pager] = body.children;
  const end = offset + found.length;
  setText(status, found.length ? `${count(offset + 1)} to ${count(end)} of ${count(total(mart))}` : "No rows here.");
  const columns = Object.keys(mart.columns ?? {});
  table.replaceChildren(plainTable(
    `Rows of ${mart.name}`,
    [...mart.key, unseen("What became of it"), ...columns].map((name) => [name]),
    found.map((row) => [...mart.key.map((name) => key(name, row)), kind(row), ...columns.map((name) => cell(name, row))])));
  pager.hidden = total(mart) <= AT_ONCE;
  for (const [button, target, isEnd] of [
    [pager.firstChild, Math.max(0, offset - AT_ONCE), offset === 0],
    [pager.lastChild, offset + AT_ONCE, end >= total(mart)],
  ]) {
    button.ariaDisabled = String(isEnd);
    button.onclick = () => isEnd || turn(target);
  }
}

function frame({ name }) {
  const [back, next] = ["Back", "Next"].map((text) => element("button", { type: "button" }, text));
  return [
    element("p", { role: "status", class: "quiet" }),
    element("div", {}),
    element("div", { class: "pager", role: "group", "aria-label": `Pages of ${name}` }, back, next),
  ];
}

function key(name, row) {
  return row.change === "removed" ? shown(row[name]) : linked(name, row[name]);
}

function kind({ change }) {
  return element("span", { class: `badge ${change}` }, KINDS[change]);
}

function cell(name, { change, [`before_${name}`]: was, [`after_${name}`]: now }) {
  if (change === "added") return shown(now);
  if (change === "removed") return shown(was);
  if (JSON.stringify(was) === JSON.stringify(now)) return element("span", { class: "quiet" }, shown(now));
  return element("span", {},
    element("del", {}, unseen("was "), shown(was)), " ", element("ins", {}, unseen("is "), shown(now)));
}
