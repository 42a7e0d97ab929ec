// The builds whose tables are kept, and what changed from one of them to another.

import { Problem, json } from "./api.js";
import { element } from "./elements.js";
import { count, counted, day } from "./format.js";

const PATIENCE = 10000; // milliseconds to wait for a sentence that a page can do without

/** The builds that still have their tables, the newest first. */
export async function keptBuilds() {
  const found = [];
  let page;
  do {
    page = await json(`/builds${found.length ? `?before=${found.at(-1).build}` : ""}`);
    found.push(...page.builds);
  } while (page.next && found.at(-1).is_kept);
  return found.filter(({ is_kept: isKept }) => isKept);
}

/** The page that compares two builds. */
export function comparison(before, after) {
  return `/compare?from=${before.build}&to=${after.build}`;
}

/** Say in an element how the users changed with a build; nothing if that is not known, or late. */
export async function tellChanges(target, isWanted = () => true) {
  try {
    const builds = await keptBuilds();
    const index = builds.findIndex(isWanted);
    const [after, before] = [builds[index], builds[index + 1]];
    target.dataset.build = after?.build;
    if (!after || !before) return target.replaceChildren();
    const path = `/builds/${after.build}/changes/user_summary?from=${before.build}&select=change,rows:count()`;
    const rows = await json(path, { signal: AbortSignal.timeout(PATIENCE) });
    if (target.dataset.build === String(after.build)) target.replaceChildren(...sentence(before, after, rows));
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    target.replaceChildren();
  }
}

function sentence(before, after, rows) {
  const [added, changed, removed] = ["added", "changed", "removed"].map(
    (kind) => rows.find(({ change }) => change === kind)?.rows ?? 0,
  );
  const text = `${counted(added, "new user")}, ${count(changed)} changed, ${count(removed)} gone`;
  return [`Since the build of ${day(before.published_at)}: `, element("a", { href: comparison(before, after) }, text), "."];
}
