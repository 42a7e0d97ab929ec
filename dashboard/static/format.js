// Numbers, times and names as people read them.

const INTEGER = new Intl.NumberFormat("en");
const ROUNDED = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const WEEKDAY = new Intl.DateTimeFormat("en-GB", { weekday: "long" });
const HOUR = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });

/** 100000 as 100,000. */
export function count(value) {
  return value === null || value === undefined ? "none" : INTEGER.format(BigInt(value));
}

/** The whole number that an address has; 0 if it has none. */
export function wholeNumber(text) {
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
}

/** A name with the unit of what it names, if that is known. */
export function withUnit(name, unit) {
  return unit ? `${name} (${unit})` : name;
}

/** "1 record", "2 records". */
export function counted(value, singular, plural = `${singular}s`) {
  return `${count(value)} ${Number(value) === 1 ? singular : plural}`;
}

/** A measured number, short; the exact one belongs in a table. */
export function short(value) {
  return value === null || value === undefined ? "none" : ROUNDED.format(Number(value));
}

/** A whole number with all its digits, any other short. */
export function exact(value) {
  return Number.isInteger(value) ? count(value) : short(value);
}

/** A difference: "+14", "−3", "±0". */
export function signed(value) {
  return value ? `${value < 0 ? "−" : "+"}${exact(Math.abs(value))}` : "±0";
}

/** A duration: 0.84 s, 12 s, 3 min 5 s. */
export function seconds(value) {
  if (value === null || value === undefined) return "";
  if (value === 0) return "0 s";
  if (value < 10) return `${value.toFixed(value < 1 ? 2 : 1)} s`;
  if (value < 100) return `${Math.round(value)} s`;
  const whole = Math.round(value);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** A date and time, in the reader's time zone. */
export function moment(text) {
  return text ? MOMENT.format(new Date(text)) : "";
}

/** The same as people say it: "today, 14:05", "Tuesday, 14:05", or the date of what is longer ago. */
export function day(text) {
  const then = new Date(text);
  if (Date.now() - then >= 6 * 86400e3) return moment(text);
  return `${isSameDay(text, new Date()) ? "today" : WEEKDAY.format(then)}, ${HOUR.format(then)}`;
}

/** Whether two times are of one day, in the reader's time zone. */
export function isSameDay(one, other) {
  return new Date(one).toDateString() === new Date(other).toDateString();
}

/** "5 min. ago"; of what is longer ago than an hour the day and the time, as `day` has it. */
export function ago(text) {
  const minutes = Math.round((new Date(text) - Date.now()) / 60e3);
  if (minutes <= -60) return day(text);
  return minutes < 0 ? RELATIVE.format(minutes, "minute") : "just now";
}

/** A size of a file. */
export function bytes(value) {
  if (value < 1000) return `${value} bytes`;
  const [unit, size] = value < 1e6 ? ["kB", 1e3] : ["MB", 1e6];
  return `${ROUNDED.format(value / size)} ${unit}`;
}
