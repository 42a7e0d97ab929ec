// The page Messages: what receivers outside were told of runs, the newest first.

import { call } from "./api.js";
import { refuse } from "./build.js";
import { element, plainTable } from "./elements.js";
import { counted, moment } from "./format.js";
import { newestFirst, page } from "./states.js";

const COLUMNS = [["When"], ["Message"], ["Receivers"], ["Again"]];

const load = newestFirst("/messages", "messages", "message_number", "There has been no message yet.", (shown) =>
  plainTable("Messages", COLUMNS, shown.map(row)));

function row({ message_number: number, run_id: run, created_at: when, type, message, deliveries }) {
  const attributes = { type: "button", class: "quiet", "aria-label": `Send again message ${number}` };
  const again = element("button", { ...attributes, onclick: () => resend(number) }, "Send again");
  return [
    element("span", { class: "whole" }, moment(when)),
    element("span", {}, `${message} `, run ? element("a", { href: `/history/${run}` }, `Run ${run}`) : "", ` (${type})`),
    element("span", {}, deliveries.map(became).join("; ") || "none was set"),
    deliveries.length ? again : "",
  ];
}

async function resend(number) {
  try {
    await call(`/messages/${number}/resend`, { method: "POST" });
    await load();
  } catch (problem) {
    refuse(problem);
  }
}

function became({ receiver, attempts, delivered_at: got, next_attempt_at: next, last_answer: answer }) {
  if (!attempts) return `${receiver}: waits`;
  const end = next ? `, next try ${moment(next)}` : got ? "" : ", given up";
  return `${receiver}: ${answer}, ${counted(attempts, "try", "tries")}${end}`;
}

page(load);
