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

const TRIGGERS = {
  http: "HTTP",
  schedule: "the schedule",
  "file change": "a changed file",
  "first build": "the first start",
  terminal: "a terminal",
};

/** Who or what asked for a run. */
export function asker({ trigger, requested_by: who, request_count: times }) {
  const more = times > 1 ? `; ${count(times)} requests` : "";
  return `${TRIGGERS[trigger] ?? trigger}${who ? ` (${who})` : ""}${more}`;
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
    texts: [run.error ?? KEPT, ADVICE[run.error_kind] ?? ""],
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
  const links = dropped ? [element("a", { href: "/quality" }, "See what was left out")] : [];
  const took = run.seconds === null ? "" : `, in ${seconds(run.seconds)}`;
  return { title: `Run ${run.run_id} is done${took}.`, texts, links };
}
