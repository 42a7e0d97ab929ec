// One run, followed event by event; the server sends all of it again after a lost connection.

import { json } from "./api.js";

const KINDS = ["started", "nodes", "node_started", "node_finished", "finished"];

/** Follow a run to its end: `ondraw` gets its progress at each event, `onend` the run as it ended. */
export async function follow(runId, { ondraw, onend }) {
  const run = await json(`/runs/${runId}`);
  const progress = {
    runId,
    state: run.state,
    isInTerminal: run.trigger === "terminal",
    total: run.node_count,
    finished: new Set(),
    current: null,
    usualSeconds: run.usual_seconds,
    startedAt: run.started_at && Date.parse(run.started_at),
    // The server's clock and ours may differ: time is counted from the last event we saw.
    serverNow: null,
    seenAt: null,
    isLost: false, // the connection, for the moment
    isCancelling: run.cancel_requested_at !== null,
    message: run.message,
  };
  ondraw(progress);
  const source = new EventSource(`/runs/${runId}/events`);
  for (const kind of KINDS) {
    source.addEventListener(kind, ({ data }) => {
      note(progress, kind, JSON.parse(data));
      if (kind !== "finished") return ondraw(progress);
      source.close();
      return json(`/runs/${runId}`).then(onend, onend);
    });
  }
  const notice = (isLost) => () => {
    // It reconnects by itself, unless the server answered with something else than events.
    if (source.readyState === EventSource.CLOSED) return onend(null);
    progress.isLost = isLost;
    return ondraw(progress);
  };
  source.addEventListener("error", notice(true));
  source.addEventListener("open", notice(false));
  return () => source.close();
}

function note(progress, kind, data) {
  progress.serverNow = Date.parse(data.happened_at);
  progress.seenAt = Date.now();
  if (kind === "started") {
    progress.state = "running";
    progress.startedAt ??= progress.serverNow;
  } else if (kind === "nodes") progress.total = data.node_count;
  // The hooks before and after are not among the nodes that dbt counts.
  else if (data.resource_type === "operation") return;
  else if (kind === "node_started") progress.current = data;
  else if (kind === "node_finished") progress.finished.add(data.node);
}

/** The seconds that are left if it goes as usual; null if that is not known. */
export function secondsLeft({ usualSeconds, startedAt, serverNow, seenAt }) {
  if (!usualSeconds || !startedAt || !seenAt) return null;
  return usualSeconds - (serverNow - startedAt + (Date.now() - seenAt)) / 1000;
}

/** What dbt is doing, in words. */
export function activity({ name, resource_type: type }) {
  if (type === "seed") return `loading ${name}.csv`;
  if (type === "model") return `making ${name}`;
  if (type === "test" || type === "unit_test") return `checking ${name.replaceAll("_", " ")}`;
  return name;
}
