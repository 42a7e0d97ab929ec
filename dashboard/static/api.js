// Calls of Elute's HTTP API: the same addresses that docs/api.md shows for curl and pandas.

/** What went wrong, in the API's own words (application/problem+json). */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? "The server gave no reason.");
    this.status = status;
    this.title = body.title ?? "It did not work";
    this.body = body;
  }
}

/** The address of a path of Elute's, which a proxy may have put under a prefix. */
export function at(path) {
  return `${document.documentElement.dataset.root}${path}`;
}

/** The path of this page, as `at` takes it. */
export function here() {
  const { root } = document.documentElement.dataset;
  return location.pathname.slice(root.length) + location.search;
}

/** Call the API; the response, or a Problem. Status 0 is a server that cannot be reached. */
export async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(at(path), { cache: "no-cache", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, {
      title: "Elute does not answer",
      detail: "It may have been stopped. This page looks for it again every few seconds.",
    });
  }
  if (response.ok) return response;
  throw new Problem(response.status, await problemBody(response));
}

async function problemBody(response) {
  try {
    return parse(await response.text());
  } catch {
    return { title: `Status ${response.status}` };
  }
}

/** The JSON at a path. */
export async function json(path, options = {}) {
  return parse(await (await call(path, options)).text());
}

/**
 * The same function, of whose calls only the newest goes on.
 *
 * `work` is given a signal for its requests first, which the next call aborts; an overtaken call gives nothing.
 */
export function newestOnly(work) {
  let pending;
  return async (...given) => {
    pending?.abort();
    pending = new AbortController();
    const { signal } = pending;
    try {
      return await work(signal, ...given);
    } catch (problem) {
      if (!signal.aborted) throw problem;
    }
  };
}

/** Rows of a mart, how many there are in all, and when they were published. */
export async function rows(mart, query = "", { isCounted = false, signal } = {}) {
  const headers = { Accept: "application/json", ...(isCounted && { Prefer: "count=exact" }) };
  const response = await call(`/marts/${mart}${query && `?${query}`}`, { headers, signal });
  const total = (response.headers.get("Content-Range") ?? "").split("/")[1];
  return {
    rows: parse(await response.text()),
    total: total === undefined || total === "*" ? null : Number(total),
    publishedAt: response.headers.get("Last-Modified"),
  };
}

/** The unit of a mart's column, as its contract states it; "" if it states none. */
export async function unitOf(mart, column) {
  const found = (await json("/marts")).find(({ name }) => name === mart);
  return found?.columns.find(({ name }) => name === column)?.unit ?? "";
}

/** JSON as JavaScript has it, but for numbers that it would not keep exactly: those stay text. */
export function parse(text) {
  return JSON.parse(text, (_key, value, context) =>
    typeof value === "number" && context?.source !== undefined && String(value) !== context.source
      ? exact(value, context.source)
      : value,
  );
}

function exact(value, source) {
  const isLong = /^-?\d+$/.test(source) || source.replace(/\D/g, "").length > 15;
  return isLong || String(value).includes("e") ? source : value;
}
