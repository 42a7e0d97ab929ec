// The page Data quality: each file's account, the reasons, and the records themselves.

import { rows } from "./api.js";
import { comparison, keptBuilds, orNothing, withRows } from "./builds.js";
import { element, facts, find, none, plainTable, unseen } from "./elements.js";
import { contains } from "./filters.js";
import { count, counted, day } from "./format.js";
import { plot } from "./plot.js";
import { page } from "./states.js";
import { DataTable } from "./table.js";

const REASONS =
  "select=source_file,column_name,problem,action,records:count(),first:record_number.min()&order=source_file.desc,column_name,problem";

const issues = new DataTable("issues", {
  singular: "problem",
  cells: {
    record_number: count,
    value: (value) => element("code", {}, value),
    record: wholeRecord,
  },
});

page(async () => {
  const [inputs, reasons] = await Promise.all([
    rows("input_summary", "order=source_file.desc"),
    rows("data_issues", REASONS),
    issues.load(),
  ]);
  find("inputs").replaceChildren(...inputs.rows.map(account));
  find("reasons").replaceChildren(reasonTable(reasons.rows));
  find("records").hidden = !reasons.rows.length;
  find("content").hidden = false; // The plots are drawn in the size they have.
  await trends(inputs.rows.map(({ source_file: file }) => file));
});

/** How many records were left out, build by build, of each file of which any was. */
async function trends(files) {
  const builds = (await orNothing(keptBuilds().then((kept) => withRows(kept, "input_summary")))) ?? [];
  find("trends").replaceChildren();
  for (const file of files) {
    const marks = builds.flatMap((build, index) => mark(build, builds[index - 1], file));
    if (marks.length < 2 || !marks.some(({ value }) => value)) continue;
    const figure = element("figure", { class: "plot" });
    find("trends").append(figure);
    plot(figure, {
      title: `Left out of ${file}`,
      note: "build by build, the newest on the right; each leads to what it changed",
      marks,
      axis: "Build",
      singular: "record",
    });
  }
}

function mark(build, before, file) {
  const input = build.rows.find(({ source_file: name }) => name === file);
  if (!input) return [];
  return [{
    label: `Build ${build.build}, ${day(build.published_at)}`,
    tick: String(build.build),
    value: input.records_dropped,
    href: before && comparison(before, build),
  }];
}

function account(input) {
  const { source_file: file, records_read: read, records_kept: kept, records_dropped: dropped } = input;
  const share = (part) => (read ? (100 * part) / read : 0);
  const bar = element("div", { class: "split", "aria-hidden": "true" });
  for (const [name, part] of [["kept", kept], ["dropped", dropped]]) {
    const piece = element("span", { class: name });
    piece.style.inlineSize = part ? `max(3px, ${share(part)}%)` : "0";
    bar.append(piece);
  }
  return element(
    "section",
    { class: "card" },
    element("h2", {}, file),
    bar,
    facts([
      ["Records read", count(read)],
      ["Kept", count(kept)],
      ["Left out", count(dropped)],
      ["Values set to null", count(input.values_nulled)],
      ["Entries ignored", count(input.entries_ignored)],
    ]),
  );
}

function reasonTable(reasons) {
  if (!reasons.length) {
    return element("p", { class: "panel" }, "Nothing was left out: every record and every value could be used.");
  }
  const columns = [["File"], ["Column"], ["Problem"], ["What was done"], ["How often", true], ["First record", true], [unseen("Show")]];
  return plainTable(
    "Problems by file and reason",
    columns,
    reasons.map((reason) => [
      reason.source_file,
      reason.column_name,
      reason.problem,
      reason.action,
      count(reason.records),
      count(reason.first),
      narrower(reason),
    ]),
  );
}

function narrower({ source_file: file, column_name: column, problem, records }) {
  const conditions = [
    ["source_file", `ilike.${contains(file)}`],
    ["column_name", `ilike.${contains(column)}`],
    ["problem", `eq.${problem}`], // One problem may be the beginning of another.
  ];
  const onclick = () => {
    issues.filterBy(conditions);
    find("issues-status").scrollIntoView({ block: "center" });
  };
  const label = `Show ${counted(records, "record")}: ${file}, ${problem}`;
  return element("button", { type: "button", class: "quiet", "aria-label": label, onclick }, "Show");
}

function wholeRecord(record, { column_name: atFault }) {
  const written = ([name, value]) => [name, element("span", { class: name === atFault && "bad" }, value ?? none())];
  return facts(Object.entries(record).map(written), "facts record");
}
