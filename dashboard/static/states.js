// What a page shows when it cannot show what it is for: nothing built yet, a token needed, no
// database. Each says what to do. And lists that are shown a page at a time.

import { Problem, here, json } from "./api.js";
import { refuse } from "./build.js";
import { element, find } from "./elements.js";

const PAGE = 30; // of a list, at once
const MOST = 500; // that the API gives at once
const NOT_BUILT = "Not built yet"; // as the API calls it

/** Draw the page with `load`, again whenever a build is published, and say so if it cannot be. */
export function page(load) {
  const draw = async () => {
    try {
      await load();
      show(null);
      performance.mark("elute:ready");
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      show(problem);
    }
  };
  document.addEventListener("elute:published", draw);
  document.addEventListener("elute:back", draw);
  return draw();
}

/**
 * Loads the newest of a list, and older ones at the press of the button `older`.
 *
 * `path` gives them as `name`, numbered by `key`; `table` makes a table of all that are loaded, the
 * newest first, for the element `name`. `empty` is said where there are none.
 */
export function newestFirst(path, name, key, empty, table) {
  let shown = [];

  async function load(before) {
    // One more than is shown tells whether there is any.
    const limit = before ? PAGE : Math.max(PAGE, Math.min(shown.length + 1, MOST));
    const wanted = new URLSearchParams({ limit, ...(before && { before }) });
    const { [name]: found, next } = await json(`${path}?${wanted}`);
    if (before && shown.at(-1)[key] !== before) return; // A second click has asked for the same.
    shown = before ? [...shown, ...found] : found;
    find("older").hidden = next === null;
    find(name).replaceChildren(shown.length ? table(shown) : element("p", { class: "panel" }, empty));
  }
  find("older").addEventListener("click", () => load(shown.at(-1)[key]).catch(refuse));
  return () => load();
}

function show(problem) {
  const state = find("state");
  find("content").hidden = problem !== null;
  find("waiting").hidden = true;
  state.hidden = problem === null;
  state.replaceChildren(...(problem ? panel(problem) : []));
}

function panel(problem) {
  const { title, text, actions } = describe(problem);
  return [
    element("h2", {}, title),
    element("p", {}, ...[text].flat()),
    element("p", { class: "actions" }, ...actions),
  ];
}

function describe(problem) {
  if (problem.title === NOT_BUILT) {
    return {
      title: "No results yet",
      text: [
        element("span", { class: "when-building" }, "A build is going on. What it finds appears here by itself."),
        element("span", { class: "when-idle" },
          "Nothing has been built so far. Put your three files in place, or keep the sample, and build."),
      ],
      actions: [buildButton("Build now"), link("/files", "Look at the files")],
    };
  }
  if (problem.status === 401) {
    const back = encodeURIComponent(here());
    return {
      title: "Sign in to see this",
      text: "These results are protected by a token. Whoever set Elute up has it.",
      actions: [link(`/sign-in?next=${back}`, "Sign in", "button primary")],
    };
  }
  if (problem.status === 0 || problem.status === 503) {
    return {
      title: problem.title,
      text: `${problem.message} This page tries again by itself.`,
      actions: problem.body.rebuild ? [buildButton("Build it again", problem.body.rebuild)] : [],
    };
  }
  const isMissing = problem.status === 404;
  return {
    title: isMissing ? "There is nothing here" : problem.title,
    text: isMissing ? "What this address names is not there, or not any more." : problem.message,
    actions: [link("/", "Back to the results")],
  };
}

function buildButton(text, path) {
  const build = () => document.dispatchEvent(new CustomEvent("elute:build", { detail: path }));
  return element("button", { type: "button", class: "primary when-idle", onclick: build }, text);
}

function link(href, text, style = "button") {
  return element("a", { href, class: style }, text);
}
