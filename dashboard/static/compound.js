// The page of one compound: who used it, in which experiments, how long those ran, what was left out.

import { json, unitOf } from "./api.js";
import { card, element, facts, find, formula, linked, none, section, setText } from "./elements.js";
import { count, counted, withUnit } from "./format.js";
import { page } from "./states.js";

const compoundId = find("compound").dataset.compound;

page(async () => {
  const [found, unit] = await Promise.all([
    json(`/compounds/${encodeURIComponent(compoundId)}/explain`),
    unitOf("user_summary", "avg_experiment_run_time"),
  ]);
  const { compound, note } = found;
  const name = compound.compound_name ?? `Compound ${compoundId}`;
  setText(document.querySelector("h1"), name);
  document.title = `${name} · Elute`;
  find("compound").replaceChildren(
    facts([["Compound", String(compound.compound_id)], ["Structure", formula(compound.compound_structure) ?? none()]], "facts across"),
    note ? element("p", { class: "notice" }, note) : "",
    element("div", { class: "cards" }, ...cards(found, unit)),
    ...section("Users", users(found), { total: compound.user_count }),
    ...section("Experiments", experiments(found, unit), { total: compound.experiment_count }),
    ...section("Problems of records that name it", issues(found)),
  );
});

function cards({ compound, run_time: { count: known, mean, min, max, rule } }, unit) {
  return [
    card("Users", count(compound.user_count), "Who used it in at least one experiment."),
    card("Experiments", count(compound.experiment_count), "Those kept that name it; one that names it twice counts once."),
    card(withUnit("Mean run time", unit), mean === null ? none() : String(mean),
      mean === null ? "None of the run times is known." : `Of ${counted(known, "experiment")} with a run time, from ${min} to ${max}.`, rule),
  ];
}

function users({ users: all }) {
  return [
    [["User", true], ["Name"], ["Experiments with it", true], ["Remark"]],
    all.map((each) => [
      linked("user_id", each.user_id),
      linked("user_id", each.user_id, each.name),
      count(each.experiment_count),
      each.is_most_common ? "the user's most common compound" : "",
    ]),
  ];
}

function experiments({ experiments: all }, unit) {
  return [
    [["Record", true], ["Experiment", true], ["User", true], [withUnit("Run time", unit), true]],
    all.map((each) => [
      count(each.record_number),
      String(each.experiment_id),
      linked("user_id", each.user_id),
      each.experiment_run_time === null ? null : String(each.experiment_run_time),
    ]),
  ];
}

function issues({ data_issues: all }) {
  return [
    [["File"], ["Record", true], ["Column"], ["Value"], ["Problem"], ["What was done"]],
    all.map((each) => [each.source_file, count(each.record_number), each.column_name, each.value, each.problem, each.action]),
  ];
}
