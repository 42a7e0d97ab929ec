// A table that sorts, filters and pages on the server. Its state is the page's address, and the
// address is the API's own query: ?name=ilike.*wei*&order=experiment_count.desc

import { Problem, newestOnly, rows } from "./api.js";
import { downloads } from "./downloads.js";
import { element, find, setText, shown } from "./elements.js";
import { boxes, complaints, conditions, parameter, quoted, restore } from "./filters.js";
import { count, wholeNumber } from "./format.js";

const LOGIC = new Set(["and", "or", "not.and", "not.or"]);
// A filter in the API's query language, whatever column it names.
const FILTER = /^(not\.)?(in\.\(|(eq|neq|gte?|lte?|i?like|i?match|is|isdistinct|(pl|ph|w)?fts|c[sd]|ov)(\(\w+\))?\.)/;
const LISTED = /("(\\.|[^"\\])*"|[^,"])+/g; // the columns of select=
const VIEW = new Set(["order", "limit", "offset", "select", "as_of"]);
const TYPING_PAUSE = 50; // milliseconds
const AS_OF = {
  title: "Not as of a time",
  detail: "This page shows what is published now, and takes no as_of. The API has what was published then, and Runs lead to every build.",
};

/** One table of the page; `cells` has functions that draw a column's value, by column name. */
export class DataTable {
  constructor(id, { cells = {}, singular }) {
    this.table = find(id);
    this.mart = this.table.dataset.mart;
    this.usualOrder = this.table.dataset.order;
    this.cells = cells;
    this.names = [singular, `${singular}s`];
    this.status = find(`${id}-status`);
    this.pager = find(`${id}-pager`);
    this.clearer = find(`${id}-clear`);
    this.columns = [...this.table.querySelectorAll("th[data-column]")];
    this.chooser = document.getElementById(`${id}-columns`);
    this.load = newestOnly((signal) => this.ask(signal));
    this.listen();
    this.readAddress();
  }

  listen() {
    for (const head of this.columns) {
      head.querySelector("button")?.addEventListener("click", () => this.sortBy(head.dataset.column));
    }
    for (const box of boxes(this.table)) {
      box.addEventListener("input", () => this.filterSoon());
    }
    for (const button of this.pager.querySelectorAll("button")) {
      button.addEventListener("click", () => this.turn(button.value));
    }
    this.pager.querySelector("select").addEventListener("change", () => this.resize());
    this.clearer.addEventListener("click", () => this.filterBy([]));
    this.chooser?.addEventListener("change", () => this.choose());
    addEventListener("popstate", () => {
      this.readAddress();
      this.go(this.offset, null);
    });
  }

  readAddress() {
    const query = new URLSearchParams(location.search);
    this.order = query.get("order") ?? this.usualOrder;
    this.limit = wholeNumber(query.get("limit")) || 50;
    this.offset = wholeNumber(query.get("offset"));
    this.moment = query.get("as_of");
    this.others = restore(this.table, [...query].filter((each) => this.isCondition(...each)));
    this.pager.querySelector("select").value = String(this.limit);
    const selected = this.chooser && query.get("select")?.match(LISTED);
    for (const box of this.choices()) box.checked = selected?.includes(quoted(box.value)) ?? true;
    this.showColumns();
  }

  /** Whether a parameter is a filter, not one of this page or of whoever made a link to it. */
  isCondition(name, text) {
    const [column] = name.split("->"); // The rest is a path into JSON.
    if (VIEW.has(name)) return false;
    return LOGIC.has(name) || FILTER.test(text) || this.columns.some(({ dataset }) => parameter(dataset.column) === column);
  }

  choices() {
    return [...(this.chooser?.querySelectorAll("input") ?? [])];
  }

  /** Show the columns that are ticked; all of them if none is. */
  choose() {
    const boxes = this.choices();
    if (!boxes.some(({ checked }) => checked)) for (const box of boxes) box.checked = true;
    this.showColumns();
    this.go(this.offset);
  }

  showColumns() {
    this.choices().forEach(({ checked }, index) => {
      for (const line of this.table.tHead.rows) line.cells[index].hidden = !checked;
    });
  }

  shownColumns() {
    return this.columns.filter(({ hidden }) => !hidden);
  }

  /** The conditions and the order: what a download of this view asks for. */
  query() {
    const query = new URLSearchParams(this.conditions());
    query.set("order", this.order);
    const chosen = this.shownColumns().map(({ dataset }) => quoted(dataset.column));
    if (chosen.length < this.columns.length) query.set("select", chosen.join(","));
    return query;
  }

  conditions() {
    return [...conditions(this.table), ...this.others];
  }

  isFiltered() {
    return this.conditions().length > 0;
  }

  sortBy(column) {
    // A key is never null, and its index has no such order.
    const name = quoted(column);
    const nulls = name === this.table.dataset.tie ? "" : ".nullslast";
    this.order = this.order === `${name}.asc` ? `${name}.desc${nulls}` : `${name}.asc`;
    this.go(0);
  }

  filterSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.go(0, "replaceState"), TYPING_PAUSE);
  }

  /** Show only what fulfils these conditions: [["experiment_count", "gte.5"], …]. */
  filterBy(wanted) {
    this.others = restore(this.table, wanted);
    this.go(0);
  }

  lastOffset() {
    return Math.max(0, Math.ceil(this.total / this.limit) - 1) * this.limit;
  }

  turn(where) {
    const last = this.lastOffset();
    const targets = { first: 0, back: this.offset - this.limit, on: this.offset + this.limit, last };
    this.go(Math.min(last, Math.max(0, targets[where])));
  }

  resize() {
    this.limit = Number(this.pager.querySelector("select").value);
    this.go(0);
  }

  go(offset, record = "pushState") {
    clearTimeout(this.timer); // What was typed is in the query by now.
    this.offset = offset;
    const query = this.query();
    if (this.order === this.usualOrder) query.delete("order");
    if (this.limit !== 50) query.set("limit", this.limit);
    if (offset) query.set("offset", offset);
    const text = readable(query);
    if (record) history[record](null, "", location.pathname + (text && `?${text}`));
    return this.load().catch((problem) => {
      if (!(problem instanceof Problem)) throw problem; // Of a problem the status tells.
    });
  }

  /** Ask the server and draw its answer, the rows before their number. */
  async ask(signal) {
    if (this.moment !== null) throw new Problem(400, AS_OF);
    this.table.setAttribute("aria-busy", "true");
    const query = this.query();
    // The key makes the order of equal rows, and so the pages, the same each time.
    query.set("order", [this.order, this.table.dataset.tie].filter(Boolean).join(","));
    query.set("limit", this.limit);
    query.set("offset", this.offset);
    try {
      const { rows: found } = await rows(this.mart, query, { signal });
      const isPast = !found.length && this.offset > 0; // There were more rows when the address was noted.
      if (!isPast) this.draw(found);
      downloads(this);
      this.total = await this.countAll(found.length, signal);
      if (isPast) return this.go(this.lastOffset(), "replaceState");
      setText(this.status, [this.summary(found.length), ...complaints(this.table)].join(". "));
      this.drawPager();
    } catch (problem) {
      if (!signal.aborted) setText(this.status, problem.message);
      throw problem;
    } finally {
      if (!signal.aborted) this.table.removeAttribute("aria-busy");
    }
  }

  /** How many rows there are on all pages, when this one has so many. */
  async countAll(length, signal) {
    if (length < this.limit && (length || !this.offset)) return this.offset + length;
    const query = new URLSearchParams([...this.conditions(), ["limit", 0]]);
    return (await rows(this.mart, query, { isCounted: true, signal })).total;
  }

  draw(found) {
    this.table.tBodies[0].replaceChildren(
      ...(found.length ? found.map((row) => this.row(row)) : [this.emptyRow()]),
    );
    for (const head of this.columns) head.ariaSort = this.direction(head.dataset.column);
    this.clearer.hidden = !this.isFiltered();
  }

  row(row) {
    return element("tr", {}, ...this.shownColumns().map(({ dataset }) => this.cell(row, dataset)));
  }

  cell(row, { column, kind }) {
    const value = row[column];
    const drawn = (value === null ? null : this.cells[column]?.(value, row)) ?? shown(value);
    return element("td", { class: kind === "number" || kind === "id" ? "number" : null }, drawn);
  }

  emptyRow() {
    const text = this.isFiltered() ? `No ${this.names[1]} match these filters.` : `No ${this.names[1]}.`;
    return element("tr", {}, element("td", { colspan: this.columns.length, class: "empty" }, text));
  }

  direction(column) {
    const name = quoted(column);
    if (this.order !== name && !this.order.startsWith(`${name}.`)) return "none";
    return this.order.startsWith(`${name}.desc`) ? "descending" : "ascending";
  }

  summary(shown) {
    if (!shown) return `0 ${this.names[1]}`;
    const range = `${count(this.offset + 1)} to ${count(this.offset + shown)} of ${count(this.total)}`;
    return `${range} ${this.total === 1 ? this.names[0] : this.names[1]}`;
  }

  drawPager() {
    const atStart = this.offset === 0;
    const atEnd = this.offset + this.limit >= this.total;
    for (const button of this.pager.querySelectorAll("button")) {
      // Not `disabled`: that would take the focus away from whoever has just pressed it.
      button.ariaDisabled = String(["first", "back"].includes(button.value) ? atStart : atEnd);
    }
    this.pager.hidden = atStart && atEnd && this.total <= 25;
  }
}

/** The query with the signs that may stand as they are, so that people can read it. */
function readable(query) {
  return String(query).replaceAll("%2C", ",").replaceAll("%40", "@").replaceAll("%3A", ":");
}
