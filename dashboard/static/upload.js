// One file's box: drop or choose a file, read the check's answer, replace.

import { Problem, json, newestOnly } from "./api.js";
import { refuse } from "./build.js";
import { element } from "./elements.js";
import { bytes, count, counted } from "./format.js";

/** The box for an input file and where its answers appear; `onreplaced` is called after a change. */
export function uploader(input, onreplaced) {
  const answer = element("div", { class: "answer", role: "status" });
  const newest = newestOnly((signal, file) => checked({ input, file, answer, onreplaced }, signal));
  const check = (file) => file && newest(file);
  const id = `choose-${input.name}`;
  const box = element(
    "div",
    { class: "drop" },
    "Drop a new file here, or ",
    element("label", { for: id }, `choose a file for ${input.name}`),
    element("input", { id, type: "file", accept: ".csv,.xlsx,text/csv", onchange: ({ target }) => {
      check(target.files[0]);
      target.value = ""; // So that the same file can be chosen again, once it is mended.
    } }),
  );
  const over = (isOver) => (event) => {
    event.preventDefault();
    box.classList.toggle("over", isOver);
  };
  box.addEventListener("dragover", over(true));
  box.addEventListener("dragleave", over(false));
  box.addEventListener("drop", (event) => {
    over(false)(event);
    check(event.dataTransfer.files[0]);
  });
  return [box, answer];
}

async function checked(upload, signal) {
  const { input, file, answer } = upload;
  answer.replaceChildren(element("p", { class: "quiet" }, `Checking ${file.name} …`));
  try {
    const found = await put(input, file, "?dry_run=1", signal);
    answer.replaceChildren(offer(upload, found));
  } catch (problem) {
    tell(answer, problem, `${file.name} cannot be used`);
  }
}

function put(input, file, query, signal) {
  return json(`/inputs/${input.name}${query}`, {
    method: "PUT",
    body: file,
    signal,
    headers: { "Content-Type": "text/csv" },
  });
}

function offer(upload, found) {
  const { input, file, answer } = upload;
  const before = input.exists ? `, instead of ${count(input.records)}` : "";
  const ignored = found.extra_columns?.length ? ` Columns ignored: ${found.extra_columns.join(", ")}.` : "";
  return element(
    "div",
    { class: found.stops.length ? "notice bad" : "notice good" },
    element("p", {}, element("strong", {}, `${file.name} can be ${found.stops.length ? "read" : "used"}. `),
      `${counted(found.records, "record")}${before}, ${bytes(file.size)}.${ignored}`),
    ...found.stops.map((text) => element("p", {},
      element("strong", {}, "With the other files as they are, a build would stop. "), text)),
    element("p", {}, "Nothing has been replaced yet."),
    element("p", { class: "actions" },
      element("button", { type: "button", class: "primary", onclick: () => replace(upload) }, `Replace ${input.name}`),
      element("button", { type: "button", onclick: () => answer.replaceChildren() }, "Leave it")),
  );
}

async function replace({ input, file, answer, onreplaced }) {
  try {
    await put(input, file, "");
  } catch (problem) {
    return tell(answer, problem, `${input.name} was not replaced`);
  }
  await onreplaced();
  const build = () => {
    document.getElementById("replaced")?.remove();
    document.dispatchEvent(new CustomEvent("elute:build"));
  };
  const place = document.getElementById(`file-${input.name}`).parentElement.querySelector(".answer");
  return place.replaceChildren(
    element(
      "div",
      { class: "notice good", id: "replaced" },
      element("p", {}, element("strong", {}, `${input.name} is replaced. `),
        "The file it replaced is kept. The results change with the next build."),
      element("p", { class: "actions" },
        element("button", { type: "button", class: "primary", onclick: build }, "Build with it now")),
    ),
  );
}

function tell(answer, problem, title) {
  if (!(problem instanceof Problem)) throw problem;
  if (problem.status === 401) {
    answer.replaceChildren();
    return refuse(problem);
  }
  return answer.replaceChildren(
    element(
      "div",
      { class: "notice bad" },
      element("p", {}, element("strong", {}, `${title}.`)),
      element("p", {}, problem.message),
      element("p", {}, "Mend that, then drop the file here again."),
    ),
  );
}
