// The page Runs: every build, the newest first, and how long they took.

import { json } from "./api.js";
import { element, find, plainTable } from "./elements.js";
import { moment, seconds } from "./format.js";
import { STATES, asker, badge } from "./outcome.js";
import { plot } from "./plot.js";
import { page } from "./states.js";

const AT_ONCE = 30;
let earlier = []; // the pages that were asked for with "Show older runs"

const draw = async () => {
  const { runs } = await json(`/runs?limit=${AT_ONCE}`);
  find("content").hidden = false;
  show([...runs, ...earlier.filter((run) => !runs.some(({ run_id: id }) => id === run.run_id))]);
};

function show(runs) {
  find("older").hidden = runs.length < AT_ONCE || runs.at(-1).run_id <= 1;
  find("older").dataset.before = runs.at(-1)?.run_id;
  find("durations").hidden = runs.length === 0;
  if (!runs.length) {
    find("runs").replaceChildren(element("p", { class: "panel" }, "There has been no run yet."));
    return;
  }
  durations(runs.filter((run) => run.seconds !== null).slice(0, AT_ONCE).reverse());
  const columns = [["Run", true], ["How it ended"], ["Asked by"], ["When"], ["Took", true]];
  const isWrong = runs.some(({ error }) => error);
  if (isWrong) columns.push(["What went wrong"]);
  find("runs").replaceChildren(plainTable("Runs", columns, runs.map((run) => row(run).slice(0, columns.length))));
}

function row(run) {
  return [
    element("a", { href: `/history/${run.run_id}` }, String(run.run_id)),
    badge(run.state),
    asker(run),
    element("span", { class: "whole" }, moment(run.started_at ?? run.requested_at)),
    seconds(run.seconds),
    element("span", { class: "error" }, firstLine(run.error)),
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

find("older").addEventListener("click", async () => {
  const { runs } = await json(`/runs?limit=${AT_ONCE}&before=${find("older").dataset.before}`);
  earlier = [...earlier, ...runs];
  await draw();
  if (runs.length < AT_ONCE) find("older").hidden = true;
});

page(draw);
for (const happening of ["elute:ended", "elute:started"]) document.addEventListener(happening, draw);
