// How a run ended, in plain words, and what to do about it.

import { element } from "./elements.js";
import { count, counted, seconds } from "./format.js";

const KEPT = "The results are still those of the last good build.";
const ADVICE = {
  input: "Mend that file and put it in place on the page Files, then build again.",
  build: "If the message does not say what to change, the log of the run shows where it stopped.",
  database: "Build again in a moment; 'elute check' on the server says what is wrong if it stays.",
  elute: "The log of the run and Elute's own log on the server have the details.",
};

/** Words for a state: [name, is it bad]. */
export const STATES = {
  queued: ["waiting", false],
  running: ["running", false],
  succeeded: ["succeeded", false],
  failed: ["failed", true],
  cancelled: ["cancelled", false],
  stopped: ["stopped with its worker", true],
  crashed: ["broke off", true],
};

/** States of a run that has not ended. */
export const ACTIVE = new Set(["queued", "running"]);

const TRIGGERS = {
  schedule: "the schedule",
  "file change": "a changed file",
  "first build": "the first start",
  terminal: "a terminal",
};

const BROWSER = /^(Mozilla|Firefox|Edg|OPR|Chrome|Safari)\//;
const HERE = new Set(["127.0.0.1", "::1"]);
const ADDRESS = /^(\d+\.){3}\d+$|:/; // No name has a colon.

/** Who or what asked for a run: "the page, by anna", "a script on this machine", "the schedule". */
export function asker({ trigger, requested_by: who }) {
  return TRIGGERS[trigger] ?? caller(who);
}

// The API writes "anna, 127.0.0.1, curl/8.5.0": the token's name and the program may be missing.
export function caller(who) {
  const parts = (who ?? "").split(", ");
  const index = parts.findIndex((part) => ADDRESS.test(part));
  const [name, address, program] = [parts[index - 1], parts[index], parts[index + 1]];
  const place = HERE.has(address) ? " on this machine" : "";
  return `${BROWSER.test(program) ? "the page" : `a script${place}`}${name ? `, by ${name}` : ""}`;
}

/** The same with all that is known: the address, the program, how many asked. */
export function askerInFull(run) {
  const { requested_by: who, request_count: times } = run;
  return [asker(run), who && ` (${who})`, times > 1 && `; ${count(times)} requests`].filter(Boolean).join("");
}

/** A label for a state. */
export function badge(state) {
  const [text] = STATES[state] ?? [state];
  return element("span", { class: `badge ${state}` }, text);
}

/** A title, paragraphs and links that tell how a run ended. */
export function outcome(run) {
  if (run.state === "succeeded") return success(run);
  const number = `Run ${run.run_id}`;
  const details = element("a", { href: `/history/${run.run_id}` }, "See this run");
  if (run.state === "cancelled") return { title: `${number} was cancelled.`, texts: [KEPT], links: [] };
  if (run.state !== "failed") {
    return {
      title: `${number} broke off.`,
      texts: [run.error ?? "Its worker or the database went away; it is run again.", KEPT],
      links: [details],
      isBad: true,
    };
  }
  const files = element("a", { href: "/files" }, "Go to Files");
  return {
    title: `${number} failed.`,
    texts: [(run.error ?? KEPT).replace(/^The build failed\. /, ""), ADVICE[run.error_kind] ?? ""],
    links: run.error_kind === "input" ? [files, details] : [details],
    isBad: true,
  };
}

function success(run) {
  const inputs = run.inputs ?? [];
  const sum = (name) => inputs.reduce((total, input) => total + input[name], 0);
  const dropped = sum("records_dropped");
  const texts = inputs.length
    ? [`${counted(sum("records_read"), "record")} read, ${dropped ? count(dropped) : "none"} left out.`]
    : [];
  if (run.warnings.length) texts.push(`${counted(run.warnings.length, "warning")}: ${run.warnings.join(", ")}.`);
  const links = dropped ? [element("a", { href: "/quality" }, "See what was left out")] : [];
  const took = run.seconds === null ? "" : `, in ${seconds(run.seconds)}`;
  return { title: `Run ${run.run_id} is done${took}.`, texts, links };
}
