// The builds whose tables are kept.

import { json } from "./api.js";

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
