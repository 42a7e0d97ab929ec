// The page Runs: every build, the newest first, and how long they took.

import { orNothing } from "./builds.js";
import { element, find, plainTable } from "./elements.js";
import { moment, seconds } from "./format.js";
import { STATES, asker, badge } from "./outcome.js";
import { plot } from "./plot.js";
import { newestFirst, page } from "./states.js";

const LATEST = 30; // runs in the plot

const load = newestFirst("/runs", "runs", "run_id", "There has been no run yet.", (runs) => {
  find("content").hidden = false; // The plot is drawn in the size it has.
  durations(runs.filter((run) => run.seconds !== null).slice(0, LATEST).reverse());
  const columns = [["Run", true], ["How it ended"], ["Asked by"], ["When"], ["Took", true]];
  const isWrong = runs.some(({ error }) => error);
  if (isWrong) columns.push(["What went wrong"]);
  return plainTable("Runs", columns, runs.map((run) => row(run).slice(0, columns.length)));
});

function row(run) {
  return [
    element("a", { href: `/history/${run.run_id}` }, String(run.run_id)),
    badge(run.state),
    asker(run),
    element("span", { class: "whole" }, moment(run.started_at ?? run.requested_at)),
    seconds(run.seconds),
    firstLine(run.error),
  ];
}

function firstLine(text) {
  return (text ?? "").split("\n")[0];
}

function durations(runs) {
  find("durations").hidden = runs.length === 0;
  plot(find("durations"), {
    title: "How long they took",
    note: "the latest runs, the newest on the right; red: failed, grey: cancelled",
    marks: runs.map((run) => ({
      label: `Run ${run.run_id}, ${run.state}`,
      tick: String(run.run_id),
      value: run.seconds,
      style: run.state === "cancelled" ? "other" : STATES[run.state][1] && "bad",
      href: `/history/${run.run_id}`,
    })),
    axis: "Run",
    singular: "second",
    format: seconds,
  });
}

page(load);
for (const happening of ["elute:ended", "elute:started"]) document.addEventListener(happening, () => orNothing(load()));
