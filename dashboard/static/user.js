// The page of one user: each number, and the experiments and compounds that it comes from.

import { json, unitOf } from "./api.js";
import { card, element, facts, find, formula, linked, none, section, setText } from "./elements.js";
import { count, counted, withUnit } from "./format.js";
import { page } from "./states.js";

const userId = find("user").dataset.user;
let unit = ""; // of run times

page(async () => {
  let found;
  [found, unit] = await Promise.all([
    json(`/etl-results/${encodeURIComponent(userId)}/explain`),
    unitOf("user_summary", "avg_experiment_run_time"),
  ]);
  const name = found.user.name ?? `User ${userId}`;
  setText(document.querySelector("h1"), name);
  document.title = `${name} · Elute`;
  find("user").replaceChildren(...about(found), ...sections(found));
});

function about({ user, note }) {
  return [
    facts([
      ["User", String(user.user_id)],
      ["E-mail", user.email ?? none()],
      ["Signed up", user.signup_date ?? none()],
    ], "facts across"),
    note ? element("p", { class: "notice" }, note) : "",
  ];
}

function sections(found) {
  const dropped = found.data_issues.filter(isDropped);
  return [
    element("div", { class: "cards" }, experiments(found), mean(found), compound(found)),
    ...section("Compounds", compounds(found), { label: "Compounds of this user" }),
    ...section("Experiments", listed(found), { label: "Experiments of this user", total: found.experiment_count.value }),
    ...(dropped.length ? section("Records left out", leftOut(dropped), { label: "Records of this user that were left out" }) : []),
  ];
}

function experiments({ experiment_count: { value }, data_issues: issues }) {
  const dropped = issues.filter(isDropped).length;
  return card(
    "Experiments",
    count(value),
    `The records of this user in user_experiments.csv that were kept; ${dropped ? count(dropped) : "none"} left out.`,
  );
}

function mean({ avg_experiment_run_time: { value, sum, count: known, rule }, experiment_count: all }) {
  if (value === null) {
    return card(withUnit("Mean run time", unit), none(), all.value ? "None of the run times is known." : "There is no experiment.");
  }
  const unknown = all.value - known;
  const without = unknown ? ` ${counted(unknown, "experiment")} without a run time ${unknown === 1 ? "does" : "do"} not count.` : "";
  return card(withUnit("Mean run time", unit), String(value), `= ${sum} / ${known}.${without}`, rule);
}

function compound({ user, compound_id: { value, tied_compound_ids: tied, rule }, compounds: all, experiment_count }) {
  if (value === null) return card("Most common compound", none(), "No known compound occurs in the experiments.");
  const most = all.find(({ is_most_common: is }) => is);
  const share = `In ${count(most.experiment_count)} of ${counted(experiment_count.value, "experiment")}.`;
  const tie = tied.length > 1 ? `${tied.length} compounds tie (${tied.join(", ")}); the lowest id is taken.` : "";
  return card("Most common compound", linked("compound_id", value, user.compound_name), `${share} ${tie}`.trim(), rule);
}

function compounds({ compounds: all }) {
  return [
    [["Compound", true], ["Name"], ["Structure"], ["Experiments", true], ["Remark"]],
    all.map((each) => [
      linked("compound_id", each.compound_id),
      linked("compound_id", each.compound_id, each.compound_name),
      formula(each.compound_structure),
      count(each.experiment_count),
      remark(each),
    ]),
  ];
}

function remark({ is_most_common: isMost, is_tied_for_most: isTied }) {
  if (isMost) return "the most common one";
  return isTied ? "ties with it, has a higher id" : "";
}

function listed({ experiments: all, compounds: known, data_issues: issues }) {
  const names = new Map(known.map((each) => [each.compound_id, each.compound_name]));
  return [
    [["Record", true], ["Experiment", true], ["Compounds as written"], ["Compounds that count"], [withUnit("Run time", unit), true], ["Remark"]],
    all.map((each) => [
      count(each.record_number),
      String(each.experiment_id),
      each.experiment_compound_ids,
      each.counted_compound_ids.map((id) => names.get(id) ?? id).join(", ") || none(),
      each.experiment_run_time === null ? null : String(each.experiment_run_time),
      problems(issues, each.record_number),
    ]),
  ];
}

function problems(issues, recordNumber) {
  return issues
    .filter((each) => each.source_file === "user_experiments.csv" && each.record_number === recordNumber)
    .map(({ value, problem, action }) => `${value ?? "nothing"}: ${problem}, ${action}`)
    .join("; ");
}

function leftOut(dropped) {
  return [
    [["File"], ["Record", true], ["Column"], ["Value"], ["Problem"]],
    dropped.map((each) => [each.source_file, count(each.record_number), each.column_name, each.value, each.problem]),
  ];
}

function isDropped({ action }) {
  return action === "record dropped";
}
