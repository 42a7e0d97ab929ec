// One run, followed event by event; the server sends all of it again after a lost connection.

import { at, json } from "./api.js";

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
  const close = listen(at(`/runs/${runId}/events`), ({ kind, data, isOver }) => {
    if (kind === "finished") {
      close();
      return json(`/runs/${runId}`).then(onend, onend);
    }
    // It reconnects by itself, unless the server answered with something else than events.
    if (isOver) return onend(null);
    if (data) note(progress, kind, JSON.parse(data));
    else progress.isLost = kind === "error";
    return ondraw(progress);
  });
}

/** Hear the events at an address, with the other tabs where the browser can; how to stop. */
function listen(address, ontold) {
  if (!globalThis.SharedWorker) return listenAlone(address, ontold);
  const { port } = new SharedWorker(new URL("listen.js", import.meta.url));
  const close = () => {
    port.postMessage({});
    port.onmessage = null;
  };
  port.onmessage = ({ data }) => ontold(data);
  port.postMessage({ address: new URL(address, location.href).href, kinds: KINDS });
  addEventListener("pagehide", close, { once: true });
  return close;
}

function listenAlone(address, ontold) {
  const source = new EventSource(address);
  for (const kind of KINDS) source.addEventListener(kind, ({ data }) => ontold({ kind, data }));
  source.addEventListener("open", () => ontold({ kind: "open" }));
  source.addEventListener("error", () =>
    ontold({ kind: "error", isOver: source.readyState === EventSource.CLOSED }),
  );
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
