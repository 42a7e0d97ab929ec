// The page Results: headline numbers, three plots, and the table of users.

import { rows, unitOf } from "./api.js";
import { keptBuilds, orNothing, tellChanges, withRows } from "./builds.js";
import { downloads } from "./downloads.js";
import { element, find, linked, none, setText } from "./elements.js";
import { count, counted, formula, short, time, withUnit } from "./format.js";
import { histogram } from "./histogram.js";
import { plot, trend } from "./plot.js";
import { page } from "./states.js";
import { DataTable } from "./table.js";

const MOST_COMPOUNDS = 8;
const MEAN = "avg_experiment_run_time";
let meanTitle = "Mean run time"; // with its unit, once that is known

const users = new DataTable("users", {
  singular: "user",
  plural: "users",
  cells: {
    name: (name, { user_id: id }) => linked("user_id", id, name),
    user_id: (id) => linked("user_id", id),
    compound_id: (id) => linked("compound_id", id),
    compound_name: (name, { compound_id: id }) => linked("compound_id", id, name),
    experiment_count: count,
    compound_structure: formula,
  },
  onchange: (table) => downloads(table),
});

page(async () => {
  const [stats, unit] = await Promise.all([rows("experiment_stats"), unitOf("user_summary", MEAN), users.load()]);
  meanTitle = withUnit("Mean run time", unit);
  setText(document.querySelector(`#users [data-column=${MEAN}] button`), meanTitle);
  headline(stats.rows[0], stats.publishedAt);
  find("content").hidden = false; // The plots are drawn in the size they have.
  await Promise.all([experiments(), runTimes(stats.rows[0].user_count), compounds(), past()]);
});

/** What there is of earlier builds, beside what there is now. */
async function past() {
  const trends = document.querySelectorAll("#headline [data-column]"); // Of now: they may be drawn anew.
  const builds = (await orNothing(keptBuilds())) ?? [];
  tellChanges(find("since"), builds);
  const stats = (await orNothing(withRows(builds, "experiment_stats"))) ?? [];
  for (const each of trends) {
    each.replaceChildren(...trend(stats.map(({ rows: [row] }) => row[each.dataset.column])));
  }
}

function headline(stats, publishedAt) {
  const dropped = stats.dropped_experiment_count;
  const quality = element("a", { href: "/quality" }, `${counted(dropped, "experiment")} left out`);
  const range = `from ${short(stats.min_experiment_run_time)} to ${short(stats.max_experiment_run_time)}`;
  find("headline").replaceChildren(
    tile("Users", count(stats.user_count), `${count(stats.user_with_experiments_count)} with experiments`, "user_count"),
    tile("Experiments", count(stats.experiment_count), dropped ? quality : "none left out", "experiment_count"),
    tile("Experiments per user", short(stats.avg_experiments_per_user),
      stats.max_experiments_per_user === null ? "" : `at most ${count(stats.max_experiments_per_user)}`, "avg_experiments_per_user"),
    tile(meanTitle, stats.avg_experiment_run_time === null ? none() : short(stats.avg_experiment_run_time),
      stats.min_experiment_run_time === null ? "no run time is known" : range, "avg_experiment_run_time"),
    tile("Compounds", count(stats.compound_count), `${count(stats.used_compound_count)} used`, "compound_count"),
    tile("Published", time(publishedAt ?? new Date().toISOString()), element("a", { href: "/history" }, "all runs")),
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
    measured: "Experiments",
    layout: "bars",
    onpick: (href) => narrow([...new URLSearchParams(href)]),
  });
}

function narrow(conditions) {
  users.filterBy(conditions);
  find("users-status").scrollIntoView({ block: "nearest" });
}
