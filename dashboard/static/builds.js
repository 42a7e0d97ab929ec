// The builds whose tables are kept, what changed from one of them to another, and their marts.

import { Problem, json } from "./api.js";
import { element } from "./elements.js";
import { count, counted, day, isSameDay } from "./format.js";

const AT_ONCE = 20;
const MOST_BUILDS = 10; // in a trend
const PATIENCE = 10000; // milliseconds to wait for a sentence that a page can do without

/** The builds that still have their tables, the newest first. */
export async function keptBuilds() {
  const found = [];
  let page;
  do {
    const before = found.length ? `&before=${found.at(-1).build}` : "";
    page = await json(`/builds?limit=${AT_ONCE}${before}`);
    found.push(...page.builds);
  } while (page.next && found.at(-1).is_kept);
  return found.filter(({ is_kept: isKept }) => isKept);
}

/** What is promised; null if the API has a problem, for what a page can do without. */
export async function orNothing(promise) {
  try {
    return await promise;
  } catch (problem) {
    if (problem instanceof Problem) return null;
    throw problem;
  }
}

/** The newest of these builds that have a mart, the oldest first, each with its rows of it. */
export async function withRows(builds, mart) {
  const having = builds.filter(({ marts }) => marts.some(({ name }) => name === mart)).slice(0, MOST_BUILDS).reverse();
  if (!having.length) return [];
  const rows = await json(`/builds/marts/${mart}?build=gte.${having[0].build}`);
  return having.map((build) => ({ ...build, rows: rows.filter(({ build: number }) => number === build.build) }));
}

/** The page that compares two builds. */
export function comparison(before, after) {
  return `/compare?from=${before.build}&to=${after.build}`;
}

/** What the newest of these builds is held against: the last one of an earlier day, or else the one before it. */
export function earlier([newest, ...older]) {
  const recent = older.slice(0, MOST_BUILDS - 1);
  return recent.find(({ published_at: then }) => !isSameDay(then, newest.published_at)) ?? recent[0];
}

/** Say in an element how the users changed from one build to another; nothing if that is not known, or late. */
export async function tellChanges(target, before, after) {
  target.dataset.build = after?.build;
  if (!after || !before) return target.replaceChildren();
  const path = `/builds/${after.build}/changes/user_summary?from=${before.build}&select=change,rows:count()`;
  const rows = await orNothing(json(path, { signal: AbortSignal.timeout(PATIENCE) }));
  if (target.dataset.build !== String(after.build)) return; // It is to tell of another by now.
  target.replaceChildren(...(rows ? sentence(before, after, rows) : []));
}

function sentence(before, after, rows) {
  const [added, changed, removed] = ["added", "changed", "removed"].map(
    (kind) => rows.find(({ change }) => change === kind)?.rows ?? 0,
  );
  const text = added + changed + removed
    ? `${counted(added, "new user")}, ${count(changed)} changed, ${count(removed)} gone`
    : "no user has changed";
  return [`Since the build of ${day(before.published_at)}: `, element("a", { href: comparison(before, after) }, text), "."];
}
