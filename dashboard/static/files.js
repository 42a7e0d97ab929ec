// The page Files: what is loaded, and a new file in its place once it has been checked.

import { json } from "./api.js";
import { element, facts, find } from "./elements.js";
import { bytes, count, moment } from "./format.js";
import { page } from "./states.js";
import { uploader } from "./upload.js";

const LOCKED = "Elute may not write to this folder, so put new files there yourself.";

async function draw() {
  // Somebody is looking at what the check says; a build elsewhere must not take it away.
  if (document.querySelector(".answer .actions")) return;
  await drawCards();
}

async function drawCards() {
  const { inputs } = await json("/inputs");
  find("files").replaceChildren(...inputs.map(card));
}

function card(input) {
  const place = element("section", { class: "card", "aria-labelledby": `file-${input.name}` });
  place.append(
    element("h2", { id: `file-${input.name}` }, input.name),
    facts([
      ["Records", input.exists ? count(input.records) : "no such file yet"],
      ...(input.exists ? [["Size", bytes(input.bytes)], ["Changed", moment(input.modified_at)]] : []),
      ...(input.extra_columns?.length ? [["Columns ignored", input.extra_columns.join(", ")]] : []),
    ]),
    ...(input.workbook ? [newer(input)] : (input.problems ?? []).map(bad)),
    input.exists
      ? element("p", { class: "step" }, element("a", { href: `/inputs/${input.name}`, download: input.name }, "Download"))
      : "",
    ...(input.can_be_replaced ? uploader(input, drawCards) : [element("p", { class: "quiet" }, LOCKED)]),
  );
  return place;
}

function newer({ name, workbook }) {
  return element("p", { class: "notice step" }, `${workbook} is newer: the next build makes ${name} from it.`);
}

function bad({ line, reason }) {
  return element("p", { class: "notice bad step" }, line ? `Line ${line}: ${reason}` : reason);
}

// A file that misses its box by a little must not be opened instead of the page.
for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());

page(draw);
