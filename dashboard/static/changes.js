// The page Changes: what was changed over HTTP, and by whom, the newest first.

import { element, none, plainTable } from "./elements.js";
import { moment } from "./format.js";
import { newestFirst, page } from "./states.js";

const COLUMNS = [["When"], ["Who"], ["What"], ["From"]];
const ACTIONS = {
  trigger: "started",
  rebuild: "built an earlier build again, in",
  cancel: "cancelled",
  upload: "replaced",
  return: "returned to",
  resend: "sent again",
};

const load = newestFirst("/audit", "changes", "change_number", "Nothing has been changed yet.", (shown) =>
  plainTable("Changes", COLUMNS, shown.map(row)));

function row({ changed_at: when, who, action, subject, asked_from: from }) {
  const run = /^run (\d+)$/.exec(subject);
  const what = run ? element("a", { href: `/history/${run[1]}` }, subject) : subject;
  return [
    element("span", { class: "whole" }, moment(when)),
    who ?? none(),
    element("span", {}, `${ACTIONS[action] ?? action} `, what),
    from,
  ];
}

page(load);
