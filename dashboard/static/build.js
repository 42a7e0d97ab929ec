// The build control in every page's head: start, follow, cancel, and tell how it ended. Runs that
// were started elsewhere are noticed too.

import { Problem, call, here, json } from "./api.js";
import { element, find, setText, time } from "./elements.js";
import { seconds } from "./format.js";
import { activity, follow, secondsLeft } from "./follow.js";
import { ACTIVE, STATES, outcome } from "./outcome.js";

const LOOK_EVERY = 3000;
let following = null; // the id of the run whose events we get
let newestEnded = null; // the id of the newest run known to have ended
let published = null; // the newest build; undefined before the first, null as long as it is not known
let isAway = false; // whether the last look found no server or no database
let progress = null;
const looking = setInterval(look, LOOK_EVERY);

/** See what goes on and what is published. */
export async function look() {
  if (document.hidden || following !== null) return;
  try {
    const [{ runs }, { builds }] = await Promise.all([json("/runs?limit=2"), json("/builds?limit=1")]);
    if (isAway) comeBack();
    notePublished(builds[0]);
    notice(runs);
  } catch (problem) {
    if (problem.status === 0 || problem.status === 503) goAway(problem);
    else if (problem.status === 401) clearInterval(looking); // Signing in loads the page anew.
  }
}

// Whoever published it: a run, dbt in a terminal, a return to an earlier build.
function notePublished(build) {
  const isNews = published !== null && published?.build !== build?.build;
  published = build;
  if (isNews) document.dispatchEvent(new CustomEvent("elute:published"));
}

function notice(runs) {
  const active = runs.filter(({ state }) => ACTIVE.has(state));
  const going = active.find(({ state }) => state === "running") ?? active[0];
  const ended = runs.find(({ state }) => !ACTIVE.has(state));
  drawLast(ended);
  const isNews = ended && newestEnded !== null && ended.run_id > newestEnded;
  // Who opens the first page is told why it does not show what was built last.
  if (newestEnded === null && isLater(ended) && STATES[ended.state][1] && here().split("?")[0] === "/") tell(outcome(ended));
  newestEnded = Math.max(newestEnded ?? 0, ended?.run_id ?? 0);
  if (isNews) announce(ended);
  if (going) start(going.run_id);
}

async function start(runId) {
  if (following === runId) return;
  following = runId;
  find("outcome").replaceChildren();
  document.dispatchEvent(new CustomEvent("elute:started"));
  try {
    await follow(runId, { ondraw: draw, onend: end });
  } catch {
    stop();
  }
}

function draw(current) {
  progress = current;
  find("progress").hidden = false;
  document.body.classList.add("is-building");
  find("build-button").ariaDisabled = "true";
  find("cancel").hidden = current.isCancelling || current.isInTerminal;
  const bar = find("progress-bar");
  const [done, total] = [current.finished.size, current.total];
  bar.ariaValueMax = String(total ?? 100);
  bar.ariaValueNow = total ? String(done) : null;
  bar.ariaValueText = total ? `${done} of ${total} steps` : "starting";
  bar.firstElementChild.style.inlineSize = total ? `${(100 * done) / total}%` : "0";
  setText(find("progress-steps"), total ? `${done} of ${total}` : "");
  drawWords();
  document.dispatchEvent(new CustomEvent("elute:progress", { detail: current }));
}

function drawWords() {
  if (!progress) return;
  setText(find("progress-title"), `Run ${progress.runId}`);
  setText(find("progress-node"), words(progress));
  const left = secondsLeft(progress);
  setText(find("progress-left"), left === null || progress.isCancelling ? "" : estimate(left));
}

function estimate(left) {
  if (left > 0.5) return `about ${seconds(Math.ceil(left))} left`;
  return left > -2 ? "almost done" : "taking longer than usual";
}

function words({ isCancelling, isInTerminal, isLost, state, current, message }) {
  if (isLost) return "goes on, but the connection is lost; looking for it again";
  if (isCancelling) return "is being cancelled";
  if (isInTerminal) return "goes on in a terminal";
  if (state === "queued") return message?.split(": ")[1] ?? "waits for its turn";
  return current ? activity(current) : "starting";
}

function end(run) {
  stop();
  if (run?.run_id) {
    newestEnded = Math.max(newestEnded ?? 0, run.run_id);
    announce(run);
  }
  look();
}

function stop() {
  following = null;
  progress = null;
  find("progress").hidden = true;
  document.body.classList.remove("is-building");
  find("build-button").ariaDisabled = "false";
}

function announce(run) {
  tell(outcome(run));
  document.dispatchEvent(new CustomEvent("elute:ended", { detail: run }));
}

function tell({ title, texts = [], links = [], isBad = false }) {
  const close = () => find("outcome").replaceChildren();
  find("outcome").replaceChildren(
    element(
      "div",
      { class: isBad ? "notice bad" : "notice good" },
      element("p", {}, element("strong", {}, title), " ", ...texts.slice(0, 1)),
      ...texts.slice(1).map((text) => element("p", {}, text)),
      links.length ? element("p", { class: "links" }, ...links) : null,
      element("button", { type: "button", class: "quiet close", onclick: close }, "Close"),
    ),
  );
}

/** Whether a run ended after what is shown was published, and published nothing. */
function isLater(run) {
  return run && run.state !== "succeeded" && !(Date.parse(run.finished_at) < Date.parse(published?.published_at));
}

/** When what is shown was published, and whether it is of an earlier build; and how a later run ended. */
function drawLast(run) {
  const earlier = published?.returns_to;
  const said = published
    ? [told(published.run_id, earlier ? `Build ${earlier} again, published` : "Published", published.published_at)]
    : [];
  if (isLater(run)) {
    const [text, isBad] = STATES[run.state];
    said.push(told(run.run_id, `Last build ${text}`, run.finished_at ?? run.requested_at, isBad));
  }
  find("last-build").replaceChildren(...said.flatMap((each, index) => (index ? [", ", each] : [each])));
}

function told(runId, text, when, isBad) {
  const link = element("a", { href: runId ? `/history/${runId}` : "/history", class: isBad ? "bad" : null }, text);
  return element("span", { class: "whole" }, link, " ", time(when));
}

async function build(path = "/runs") {
  if (find("build-button").ariaDisabled === "true") return;
  find("outcome").replaceChildren();
  try {
    const run = await json(path, { method: "POST" });
    if (ACTIVE.has(run.state)) start(run.run_id);
    else tellCurrent(run);
  } catch (problem) {
    refuse(problem);
  }
}

function tellCurrent({ message }) {
  const again = () => build("/runs?force=1");
  const button = element("button", { type: "button", class: "quiet", onclick: again }, "Build all the same");
  tell({ title: "Nothing has changed.", texts: [message.split(" ?force")[0]], links: [button] });
}

async function cancel() {
  progress.isCancelling = true;
  draw(progress);
  try {
    await call(`/runs/${progress.runId}`, { method: "DELETE" });
  } catch (problem) {
    if (problem.status !== 409) refuse(problem); // 409: it had just ended.
  }
}

/** Say why something was not done; for want of a token, where to enter it. */
export function refuse(problem) {
  if (!(problem instanceof Problem)) throw problem;
  const back = encodeURIComponent(here());
  const signIn = element("a", { href: `/sign-in?next=${back}` }, "Sign in");
  if (problem.status === 401) {
    const title = problem.title === "Only for reading"
      ? "The token that you have signed in with may only read." : "This needs a token.";
    tell({ title, texts: ["Whoever set Elute up has one for it."], links: [signIn] });
  } else tell({ title: `${problem.title}.`, texts: [problem.message], isBad: true });
}

function goAway(problem) {
  isAway = true;
  find("trouble").replaceChildren(
    element("p", { class: "notice bad" }, element("strong", {}, `${problem.title}. `), problem.message),
  );
}

function comeBack() {
  isAway = false;
  find("trouble").replaceChildren();
  document.dispatchEvent(new CustomEvent("elute:back"));
}

find("build-button").addEventListener("click", () => build());
find("cancel").addEventListener("click", cancel);
document.addEventListener("elute:build", ({ detail }) => build(detail ?? "/runs"));
document.addEventListener("visibilitychange", look);
setInterval(drawWords, 1000);
look();
