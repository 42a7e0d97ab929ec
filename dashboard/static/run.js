// The page of one run: what became of it, its steps with their times, its log; live while it goes on.

import { call, json, newestOnly } from "./api.js";
import { keptBuilds, orNothing, tellChanges } from "./builds.js";
import { drawn, element, facts, find, plainTable, setText } from "./elements.js";
import { day, moment, seconds } from "./format.js";
import { ACTIVE, askerInFull, badge, caller, outcome } from "./outcome.js";
import { page } from "./states.js";

const runId = find("run").dataset.run;
let isDrawing = false;

const draw = newestOnly(async (signal) => {
  const log = call(`/runs/${runId}/log`, { signal }).then((answer) => answer.text());
  const [run, text] = await Promise.all([json(`/runs/${runId}`, { signal }), log]);
  find("run").replaceChildren(...summary(run));
  find("nodes").replaceChildren(steps(run));
  setText(find("log"), text || "No log is kept of this run.");
  if (run.state !== "succeeded") return;
  const builds = await orNothing(keptBuilds());
  signal.throwIfAborted();
  const ours = (builds ?? []).filter((build) => build.run_id === run.run_id);
  const made = ours.at(-1); // The others are returns to it.
  tellChanges(find("since"), builds?.[builds.indexOf(made) + 1], made);
  find("builds").replaceChildren(...published(ours));
});

/** As which builds its tables were published, the newest first, and what made them. */
function published(builds) {
  if (!builds.length) return [];
  return [
    ...builds.map((build) => element("p", {}, `Published as build ${build.build}, ${day(build.published_at)}${again(build)}.`)),
    element("details", {},
      element("summary", {}, "Made with"),
      facts(Object.entries(builds[0].versions).map(([name, value]) =>
        [name.replaceAll("_", " "), element("code", {}, String(value ?? "not known"))]))),
  ];
}

function again({ returns_to: earlier, requested_by: who, reason }) {
  return earlier === null ? "" : `: build ${earlier} again, asked for by ${caller(who)}${reason ? `, because: ${reason}` : ""}`;
}

function summary(run) {
  const told = ACTIVE.has(run.state) ? null : outcome(run);
  const notice = told && element(
    "div",
    { class: `step notice ${told.isBad ? "bad" : "good"}` },
    element("p", {}, element("strong", {}, told.title)),
    ...told.texts.map((text) => element("p", {}, text)),
    element("p", { class: "links" }, ...told.links.filter(({ pathname }) => pathname !== location.pathname)),
  );
  return [
    notice,
    element("div", { class: "card" }, facts([
      ...(told ? [] : [["State", badge(run.state)]]),
      ["Asked by", askerInFull(run)],
      ["Asked for", moment(run.requested_at)],
      ["Started", moment(run.started_at) || "not yet"],
      ...(run.state === "succeeded" ? [] : [["Took", seconds(run.seconds) || "not ended"]]),
      ...(run.is_warm === null ? [] : [["dbt", run.is_warm ? "was loaded already" : "had to be loaded"]]),
      ...Object.entries(run.options).map(([name, value]) => [name, String(value)]),
    ], "facts across")),
  ].filter(Boolean);
}

function steps({ nodes, started_at: startedAt }) {
  if (!nodes?.length) return element("p", { class: "quiet" }, "No steps are known of this run.");
  const start = Date.parse(startedAt);
  const timed = nodes.filter(isWork).map((node) => ({ ...node, from: (Date.parse(node.started_at) - start) / 1000 }));
  const end = Math.max(...timed.map(({ from, seconds: took }) => from + (took ?? 0)), 0.001);
  const table = plainTable(
    "Steps of the run",
    [["Step"], ["Kind"], ["How it went"], ["Took", true], [`From 0 to ${seconds(end)}`]],
    timed.map((node) => [
      element("code", {}, node.name),
      node.resource_type.replace("_", " "),
      stateOf(node),
      node.status ? seconds(node.seconds) : "",
      timeline(node, end),
    ]),
  );
  return table;
}

// Hooks and exposures are of interest only if one of them fails.
function isWork({ resource_type: type, status }) {
  return !["operation", "exposure"].includes(type) || !["success", "no-op", "running"].includes(status);
}

function isBad({ status }) {
  return ["error", "fail", "runtime error"].includes(status);
}

function stateOf(node) {
  const { status, message } = node;
  const text = status ?? "running";
  return element("span", { class: isBad(node) ? "bad" : null }, isBad(node) && message ? `${text}: ${message}` : text);
}

function timeline(node, end) {
  const { from, seconds: took } = node;
  const width = Math.max(0.6, (100 * (took ?? 0)) / end);
  return element("div", { class: "timeline", "aria-hidden": "true" },
    drawn("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none" },
      drawn("rect", { class: isBad(node) ? "bad" : null, x: Math.min(100 - width, (100 * from) / end), width, y: 2, height: 6 })));
}

async function redraw({ detail }) {
  const isFirst = find("content").hidden; // Which the page draws itself.
  if (isFirst || isDrawing || String(detail.runId) !== runId) return;
  isDrawing = true;
  try {
    await orNothing(draw()); // What is shown stays.
  } finally {
    isDrawing = false;
  }
}

page(draw);
document.addEventListener("elute:progress", redraw);
document.addEventListener("elute:ended", () => orNothing(draw()));
