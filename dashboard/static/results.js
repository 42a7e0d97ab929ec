// The page Results: what is new, what is left out, the box that finds, headline numbers, three
// plots, and the table of users.

import { rows, unitOf } from "./api.js";
import { earlier, keptBuilds, orNothing, tellChanges, withRows } from "./builds.js";
import { element, find, formula, linked, none, setText } from "./elements.js";
import "./find.js";
import { count, counted, short, withUnit } from "./format.js";
import { histogram } from "./histogram.js";
import { plot, trend } from "./plot.js";
import { page } from "./states.js";
import { DataTable } from "./table.js";

const MOST_COMPOUNDS = 8;
const MEAN = "avg_experiment_run_time";
let meanTitle = "Mean run time"; // with its unit, once that is known

const users = new DataTable("users", {
  singular: "user",
  cells: {
    name: (name, { user_id: id }) => linked("user_id", id, name),
    user_id: (id) => linked("user_id", id),
    compound_id: (id) => linked("compound_id", id),
    compound_name: (name, { compound_id: id }) => linked("compound_id", id, name),
    experiment_count: count,
    compound_structure: formula,
  },
});

page(async () => {
  const [stats, inputs, unit] = await Promise.all([
    rows("experiment_stats"), rows("input_summary"), unitOf("user_summary", MEAN), users.load(),
  ]);
  meanTitle = withUnit("Mean run time", unit);
  setText(document.querySelector(`#users [data-column=${MEAN}] button`), meanTitle);
  headline(stats.rows[0], inputs.rows);
  find("content").hidden = false; // The plots are drawn in the size they have.
  const [builds] = await Promise.all([past(), experiments(), runTimes(stats.rows[0].user_count), compounds()]);
  tellChanges(find("since"), earlier(builds), builds[0]); // Compares all users, which the rest need not wait for.
});

/** What there is of earlier builds, beside what there is now; the builds. */
async function past() {
  const trends = document.querySelectorAll("#headline [data-column]"); // Of now: they may be drawn anew.
  const builds = (await orNothing(keptBuilds())) ?? [];
  const before = earlier(builds);
  const [stats, inputs] = await Promise.all(
    ["experiment_stats", "input_summary"].map(async (mart) => (await orNothing(withRows(builds, mart))) ?? []));
  const figures = new Map(stats.map(({ build, rows: [row] }) => [build, { ...row }]));
  for (const { build, rows: read } of inputs) Object.assign(figures.get(build) ?? {}, totals(read));
  for (const each of trends) {
    const { column } = each.dataset;
    each.replaceChildren(...trend([...figures.values()].map((row) => row[column]), figures.get(before?.build)?.[column]));
  }
  return builds;
}

/** The numbers of all files together. */
function totals(inputs) {
  const sum = (name) => inputs.reduce((total, input) => total + input[name], 0);
  return { read: sum("records_read"), dropped: sum("records_dropped"), unused: sum("values_nulled") + sum("entries_ignored") };
}

function headline(stats, inputs) {
  const { read, dropped, unused } = totals(inputs);
  const quality = `of ${counted(read, "record")}${unused ? `; ${counted(unused, "value")} not used` : ""}`;
  const range = `from ${short(stats.min_experiment_run_time)} to ${short(stats.max_experiment_run_time)}`;
  find("headline").replaceChildren(
    tile("Users", count(stats.user_count), `${count(stats.user_with_experiments_count)} with experiments`, "user_count"),
    tile("Experiments", count(stats.experiment_count), stats.max_experiments_per_user === null
      ? "" : `${short(stats.avg_experiments_per_user)} per user, at most ${count(stats.max_experiments_per_user)}`, "experiment_count"),
    tile(meanTitle, stats.avg_experiment_run_time === null ? none() : short(stats.avg_experiment_run_time),
      stats.min_experiment_run_time === null ? "no run time is known" : range, "avg_experiment_run_time"),
    tile("Compounds", count(stats.compound_count), `${count(stats.used_compound_count)} used`, "compound_count"),
    tile("Left out", count(dropped), element("a", { href: "/quality" }, quality), "dropped"),
  );
}

function tile(name, figure, note, column) {
  return element(
    "div",
    {},
    element("dt", {}, name),
    element("dd", { class: "figure" }, element("span", {}, figure),
      column && element("span", { class: "trend", "data-column": column })),
    element("dd", { class: "note" }, note),
  );
}

function experiments() {
  return histogram(find("plot-experiments"), {
    mart: "user_summary",
    column: "experiment_count",
    title: "Experiments per user",
    axis: "Experiments",
    singular: "user",
    onpick: narrow,
  });
}

function runTimes(userCount) {
  return histogram(find("plot-run-times"), {
    bins: Math.min(24, Math.max(8, Math.ceil(2 * Math.sqrt(userCount)))),
    mart: "user_summary",
    column: MEAN,
    title: "Mean run time per user",
    axis: meanTitle,
    singular: "user",
    onpick: narrow,
  });
}

async function compounds() {
  const query = `select=compound_id,compound_name,experiment_count&order=experiment_count.desc,compound_id&limit=${MOST_COMPOUNDS}`;
  const answer = await rows("compound_usage", query, { isCounted: true });
  const more = answer.total - answer.rows.length;
  plot(find("plot-compounds"), {
    title: "Compound usage",
    note: more > 0 ? `the ${answer.rows.length} used most; ${count(more)} more` : "experiments they occur in",
    marks: answer.rows.map(({ compound_id: id, compound_name: name, experiment_count: value }) => ({
      label: name ?? `compound ${id}`,
      value,
      href: `?compound_id=eq.${id}`,
    })),
    axis: "Compound",
    singular: "experiment",
    layout: "bars",
    onpick: narrow,
  });
}

function narrow(conditions) {
  users.filterBy(conditions);
  find("users-status").scrollIntoView({ block: "nearest" });
}
