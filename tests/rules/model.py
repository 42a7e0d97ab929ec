"""The rules of the data in plain Python: what a build must make of three files.

Slow on purpose. Each comment that begins with "Rule:" quotes DESIGN.md; the lines under it say how
it is understood. Real builds are compared with `build`, so nothing here may be taken from the SQL.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

from tests.rules.reader import (
    FIELDS_MISSING,
    SEPARATOR,
    WHITE_SPACE,
    Fields,
    MalformedFile,
    read_table,
    trim,
)

__all__ = [
    "COLUMNS",
    "LOOKS",
    "PROBLEMS",
    "USER_SUMMARY_COLUMNS",
    "MalformedFile",
    "Result",
    "build",
    "columns_that_stop_the_build",
    "files_that_stop_the_build",
]

Row = dict[str, Any]
Numbered = tuple[int, Fields]

COLUMNS = {
    "users.csv": ("user_id", "name", "email", "signup_date"),
    "user_experiments.csv": (
        "experiment_id",
        "user_id",
        "experiment_compound_ids",
        "experiment_run_time",
    ),
    "compounds.csv": ("compound_id", "compound_name", "compound_structure"),
}
USER_SUMMARY_COLUMNS = (
    "user_id",
    "name",
    "email",
    "signup_date",
    "experiment_count",
    "avg_experiment_run_time",
    "compound_id",
    "compound_name",
    "compound_structure",
)

DROPPED, NULLED, IGNORED = "record dropped", "value set to null", "entry ignored"
PROBLEMS = {
    DROPPED: (
        "key is missing",
        "key is not an integer",
        "key is out of range",
        "duplicate key",
        "user is missing",
        "user is not an integer",
        "user is out of range",
        "unknown user",
    ),
    NULLED: (
        "not a calendar date",
        "fields missing at its end",
        "not a finite number",
        "negative",
        "out of range",
    ),
    IGNORED: ("entry is not an integer", "entry is out of range", "unknown compound"),
}

BIGINT = range(-(2**63), 2**63)
RUN_TIMES_BELOW = 10**12
RUN_TIME_DIGITS = 15
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


@dataclass
class Result:
    """What a build publishes.

    Ids and counts are int, means Decimal, dates `datetime.date`, anything else str; null is None.
    """

    user_summary: list[Row] = field(default_factory=list)
    user_top_compounds: list[Row] = field(default_factory=list)
    compound_usage: list[Row] = field(default_factory=list)
    data_issues: list[Row] = field(default_factory=list)
    input_summary: list[Row] = field(default_factory=list)
    usable: Counter[str] = field(default_factory=Counter)  # values, by their column


class BadValueError(Exception):
    """What is wrong with a value: the end of the name of a problem."""


@dataclass
class Experiment:
    user_id: int
    compound_ids: set[int]
    run_time: Fraction | None


def build(files: Mapping[str, bytes], date_format: str = "YYYY-MM-DD") -> Result:
    """What a build makes of the three files; MalformedFile if one of them cannot be read."""
    # Rule: Records are numbered from 1 after the header; blank lines are not counted.
    tables: dict[str, list[Numbered]] = {
        file: list(enumerate(read_table(file, files[file], columns), start=1))
        for file, columns in COLUMNS.items()
    }
    result = Result()
    issues = result.data_issues
    users = keep_users(tables["users.csv"], issues, date_format)
    compounds = keep_compounds(tables["compounds.csv"], issues)
    experiments = keep_experiments(tables["user_experiments.csv"], users, compounds, issues)
    for user_id in sorted(users):
        own = [experiment for experiment in experiments if experiment.user_id == user_id]
        top = top_compounds(user_id, own, compounds)
        result.user_top_compounds += top
        result.user_summary.append(summary_of(users[user_id], own, top, compounds))
    for compound_id in sorted(compounds):
        result.compound_usage.append(usage_of(compounds[compound_id], experiments))
    places = list(COLUMNS)
    issues.sort(key=lambda row: (places.index(row["source_file"]), row["record_number"]))
    result.usable["signup_date"] = sum(row["signup_date"] is not None for row in users.values())
    for experiment in experiments:
        result.usable["experiment_run_time"] += experiment.run_time is not None
        result.usable["experiment_compound_ids"] += len(experiment.compound_ids)
    result.input_summary = [account_of(file, tables[file], issues) for file in COLUMNS]
    return result


def columns_that_stop_the_build(
    result: Result, max_nulled_ratio: Fraction = Fraction(1, 2)
) -> list[str]:
    """The columns for which a build publishes nothing."""
    # Rule: ... or if more than `ELUTE_MAX_NULLED_RATIO` (default 0.5) of a column's values, or of a
    # file's list entries, could not be used.
    # What a record lacks at its end is no value. A compound named twice in one experiment is one.
    issues = [row for row in result.data_issues if row["action"] != DROPPED and row["value"]]
    unusable = Counter(row["column_name"] for row in issues)
    return [
        column
        for column, count in sorted(unusable.items())
        if count > max_nulled_ratio * (count + result.usable[column])
    ]


def files_that_stop_the_build(
    result: Result, max_dropped_ratio: Fraction = Fraction(2, 10)
) -> list[str]:
    """The files for which a build publishes nothing."""
    # Rule: A build stops before it publishes if a file has no usable record, or if more than
    # `ELUTE_MAX_DROPPED_RATIO` (default 0.2) of a file's records were dropped.
    return [
        row["source_file"]
        for row in result.input_summary
        if row["kept"] == 0 or Fraction(row["dropped"], row["read"]) > max_dropped_ratio
    ]


# From raw to clean: what is kept


def keep_users(records: Iterable[Numbered], issues: list[Row], date_format: str) -> dict[int, Row]:
    """Users by id."""
    users: dict[int, Row] = {}
    seen: set[int] = set()
    for number, record in records:
        report = Reporter("users.csv", number, record, issues)
        user_id = trusted_key("user_id", seen, report)
        if user_id is not None:
            signup_date = value_or_null(
                lambda text: date_of(text, date_format), "signup_date", report
            )
            report.early_end()
            users[user_id] = {**record, "user_id": user_id, "signup_date": signup_date}
    return users


def keep_compounds(records: Iterable[Numbered], issues: list[Row]) -> dict[int, Row]:
    """Compounds by id."""
    compounds: dict[int, Row] = {}
    seen: set[int] = set()
    for number, record in records:
        report = Reporter("compounds.csv", number, record, issues)
        compound_id = trusted_key("compound_id", seen, report)
        if compound_id is not None:
            named = {column: record[column] for column in COLUMNS["compounds.csv"]}
            compounds[compound_id] = {**named, "compound_id": compound_id}
            report.early_end()
    return compounds


def keep_experiments(
    records: Iterable[Numbered],
    users: Mapping[int, Row],
    compounds: Mapping[int, Row],
    issues: list[Row],
) -> list[Experiment]:
    experiments = []
    seen: set[int] = set()
    for number, record in records:
        report = Reporter("user_experiments.csv", number, record, issues)
        if trusted_key("experiment_id", seen, report) is None:
            continue
        user_id = trusted_user(users, report)
        if user_id is None:
            continue
        compound_ids = compounds_named(compounds, report)
        point = record[SEPARATOR] is not None
        run_time = value_or_null(
            lambda text, point=point: run_time_of(text, point), "experiment_run_time", report
        )
        report.early_end()
        experiments.append(Experiment(user_id, compound_ids, run_time))
    return experiments


@dataclass
class Reporter:
    """Writes the issues of one record."""

    # Rule: Every dropped record, nulled value and ignored entry is one row in `data_issues`: source
    # file, record number, column, value, problem, what was done, the whole record as JSON.
    file: str
    number: int
    record: Fields
    issues: list[Row]

    def add(self, action: str, column: str, value: str | None, problem: str) -> None:
        assert problem.partition(LOOKS)[0] in PROBLEMS[action]
        self.issues.append(
            {
                "source_file": self.file,
                "record_number": self.number,
                "column_name": column,
                "value": value and visible(value),
                "problem": problem,
                "action": action,
                "record": {name: self.record[name] for name in COLUMNS[self.file]},
            }
        )

    def early_end(self) -> None:
        # Rule: each record that ends early is one row in `data_issues`. Of a dropped one only why
        # it was dropped.
        missing = self.record[FIELDS_MISSING]
        if missing:
            self.add(NULLED, missing, None, "fields missing at its end")


def trusted_key(column: str, seen: set[int], report: Reporter) -> int | None:
    """The key of a record, or None and an issue if the record is dropped for it."""
    # Rule: A record is dropped only if its key cannot be trusted: `user_id`, `experiment_id` or
    # `compound_id` missing or not an integer
    text = report.record[column]
    if text is None:
        report.add(DROPPED, column, text, "key is missing")
        return None
    try:
        key = integer_of(text)
    except BadValueError as error:
        report.add(DROPPED, column, text, f"key {error}")
        return None
    # Rule: the key already seen (the first record wins)
    # A key counts as seen from its first record on, even if that record is dropped for its user.
    if key in seen:
        report.add(DROPPED, column, text, "duplicate key")
        return None
    seen.add(key)
    return key


def trusted_user(users: Mapping[int, Row], report: Reporter) -> int | None:
    """The user of an experiment, or None and an issue if the experiment is dropped for it."""
    # Rule: an experiment whose `user_id` is not an integer or not a kept user.
    text = report.record["user_id"]
    if text is None:
        report.add(DROPPED, "user_id", text, "user is missing")
        return None
    try:
        user_id = integer_of(text)
    except BadValueError as error:
        report.add(DROPPED, "user_id", text, f"user {error}")
        return None
    if user_id not in users:
        report.add(DROPPED, "user_id", text, "unknown user")
        return None
    return user_id


def value_or_null(parse: Any, column: str, report: Reporter) -> Any:
    """The parsed value. A missing one is null without an issue, a bad one null with an issue."""
    # Rule: Any other bad value becomes null and the record stays
    text = report.record[column]
    if text is None:
        return None
    try:
        return parse(text)
    except BadValueError as error:
        report.add(NULLED, column, text, str(error))
        return None


def compounds_named(compounds: Mapping[int, Row], report: Reporter) -> set[int]:
    # Rule: `experiment_compound_ids` is a list separated by semicolons. Entries are trimmed; empty
    # entries are skipped; an id named twice in one experiment counts once; an entry that is no
    # integer or names no kept compound is ignored.
    # Each ignored entry is an issue of its own, also when the same text is there twice.
    column = "experiment_compound_ids"
    named = set()
    for entry in map(trim, (report.record[column] or "").split(";")):
        if entry == "":
            continue
        try:
            compound_id = integer_of(entry)
        except BadValueError as error:
            report.add(IGNORED, column, entry, f"entry {error}")
            continue
        if compound_id in compounds:
            named.add(compound_id)
        else:
            report.add(IGNORED, column, entry, "unknown compound")
    return named


# From raw to clean: values


LOOKS = ", looks like "
LIMIT = ("[<>~\u2264\u2265\u2248].*", "a limit")
FORMULA = ("=.*", "a spreadsheet formula")
UNIT = (r"[+-]?[0-9]+([.,][0-9]+)? ?[^0-9 .,+-][^0-9]*", "a number with a unit")
OTHER_CHARACTERS = (".*[^ -~].*", "characters that are not ASCII")


def looks_like(text: str, *looks: tuple[str, str]) -> str:
    """The end of the name of a problem: what a text that cannot be used looks like."""
    found = (look for pattern, look in looks if re.fullmatch(pattern, text, re.DOTALL))
    return next((LOOKS + look for look in found), "")


def visible(text: str) -> str:
    # Rule: value (invisible characters made visible, as `<U+200B>6`)
    # White space too, other than a plain space, and whatever steers a terminal.
    return "".join(
        f"<U+{ord(character):04X}>"
        if (character != " " and character in WHITE_SPACE)
        or character in "\u00ad\u180e\u2066\u2067\u2068\u2069"
        or ord(character) < 32
        or 0x7F <= ord(character) < 0xA0
        else character
        for character in text
    )


def integer_of(text: str) -> int:
    # Rule: ASCII digits with an optional sign, within bigint; a fraction of zeros does no harm
    # So +5, 05, 5 and 5.0 are one key, and -0 is 0.
    if not re.fullmatch(r"[+-]?[0-9]+(\.0+)?", text):
        raise BadValueError("is not an integer" + look_of_no_integer(text))
    # Python refuses to read very long numbers, and no number of 20 digits is a bigint.
    digits = text.partition(".")[0].lstrip("+-").lstrip("0") or "0"
    value = int(digits[:20]) * (-1 if text.startswith("-") else 1)
    if value not in BIGINT:
        raise BadValueError("is out of range")
    return value


def look_of_no_integer(text: str) -> str:
    return looks_like(
        text,
        FORMULA,
        LIMIT,
        (r"[+-]?[0-9]{1,3}(,[0-9]{3})+", "thousands separators"),
        (r"[+-]?[0-9]+(\.[0-9]*)?[eE][+-]?[0-9]+", "scientific notation"),
        (r"[+-]?[0-9]+\.[0-9]*", "a fraction"),
        (r"[0-9]+([ ,|/]+[0-9]+)+", "several ids"),
        UNIT,
        OTHER_CHARACTERS,
    )


def date_of(text: str, date_format: str = "YYYY-MM-DD") -> date:
    # Rule: a `signup_date` that is no calendar date (YYYY-MM-DD, or as `ELUTE_DATE_FORMAT` says)
    # From 0001-01-01 to 9999-12-31. Where both fit, the setting wins.
    for written in (date_format, "YYYY-MM-DD"):
        separator = re.sub("[YMD]", "", written)[0]
        lengths = {"YYYY": "4", "MM": "2", "DD": "2", "M": "1,2", "D": "1,2"}
        parts = written.split(separator)
        pattern = f"[{separator}]".join(f"(?P<{p[0]}>[0-9]{{{lengths[p]}}})" for p in parts)
        found = re.fullmatch(pattern, text)
        if found:
            try:
                return date(*(int(found[part]) for part in "YMD"))
            except ValueError:
                # With a month of 13, say, it is not taken to be in that format.
                continue
    raise BadValueError("not a calendar date" + look_of_no_date(text, date_format))


def look_of_no_date(text: str, date_format: str) -> str:
    ranges = {"YYYY": "[0-9]{4}", "MM": "(0[1-9]|1[0-2])", "DD": "(0[1-9]|[12][0-9]|3[01])"}
    ranges |= {"M": "(0?[1-9]|1[0-2])", "D": "(0?[1-9]|[12][0-9]|3[01])"}
    for written in (date_format, "YYYY-MM-DD"):
        separator = re.sub("[YMD]", "", written)[0]
        parts = written.split(separator)
        if re.fullmatch(f"[{separator}]".join(ranges[part] for part in parts), text):
            return ""
    number, another = "(0?[1-9]|[12][0-9]|3[01])", "a date in another format"
    return looks_like(
        text,
        (f"[0-9]{{4}}[-./ ]{number}[-./ ]{number}", another),
        (f"{number}[-./ ]{number}[-./ ][0-9]{{4}}", another),
        (r"[0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4}[ T]+[0-9]{1,2}:.*", "a date with a time"),
        (r"[0-9]{1,2}[-./ ][0-9]{1,2}[-./ ][0-9]{2}", "a date with a year of two digits"),
        (r"[0-9]{1,2}[- .]+[A-Za-z]{3,9}[- .,]+[0-9]{2,4}", "a date with the name of a month"),
        (r"[0-9]{5}", "a day number of a spreadsheet"),
        OTHER_CHARACTERS,
    )


def run_time_of(text: str, has_decimal_comma: bool = False) -> Fraction:
    # Rule: an `experiment_run_time` that is no number from 0 to below 10^12 (...); in a file
    # separated by semicolons or tabs also with a decimal comma. It is kept to 15 digits after the
    # point, rounded half up.
    # At most 1000 characters, an exponent of at most three digits. Minus zero is zero.
    pointed = text.replace(",", ".") if has_decimal_comma else text
    if len(text) > 1000 or not NUMBER.fullmatch(pointed):
        raise BadValueError("not a finite number" + look_of_no_number(text))
    value = Fraction(Decimal(pointed))
    if value < 0:
        raise BadValueError("negative")
    rounded = Fraction(floor(value * 10**RUN_TIME_DIGITS + Fraction(1, 2)), 10**RUN_TIME_DIGITS)
    if rounded >= RUN_TIMES_BELOW:
        raise BadValueError("out of range")
    return rounded


def look_of_no_number(text: str) -> str:
    return looks_like(
        text,
        FORMULA,
        LIMIT,
        (r"[+-]?[0-9]{1,3},[0-9]{3}", "thousands separators or a decimal comma"),
        (r"[+-]?[0-9]{1,3}([., ][0-9]{3})+([.,][0-9]+)?", "thousands separators"),
        (r"[+-]?[0-9]+,[0-9]+", "a decimal comma"),
        UNIT,
        OTHER_CHARACTERS,
    )


# The marts


def summary_of(
    user: Row, experiments: list[Experiment], top: list[Row], compounds: Mapping[int, Row]
) -> Row:
    # Rule: `experiment_count` (experiments kept for the user; 0 if none), `avg_experiment_run_time`
    # (exact mean of the run times that are not null, ...; null if none), `compound_id`,
    # `compound_name`, `compound_structure` (the compound that occurs in most of the user's
    # experiments; the lowest id on a tie; null if none).
    run_times = [each.run_time for each in experiments if each.run_time is not None]
    top_compound: Mapping[str, Any] = compounds[top[0]["compound_id"]] if top else {}
    summary = {
        **user,
        "experiment_count": len(experiments),
        "avg_experiment_run_time": mean_of(run_times),
        **{column: top_compound.get(column) for column in COLUMNS["compounds.csv"]},
    }
    return {column: summary[column] for column in USER_SUMMARY_COLUMNS}


def mean_of(run_times: list[Fraction]) -> Decimal | None:
    # Rule: exact mean of the run times that are not null, rounded to 4 decimals, trailing zeros
    # trimmed; null if none
    # Half is rounded up. Built from digits, because arithmetic on Decimal would round again.
    if not run_times:
        return None
    mean = sum(run_times, Fraction(0)) / len(run_times)
    ten_thousandths, decimals = (mean * 10_000 + Fraction(1, 2)).__floor__(), 4
    while decimals and ten_thousandths % 10 == 0:
        ten_thousandths, decimals = ten_thousandths // 10, decimals - 1
    return Decimal((0, tuple(map(int, str(ten_thousandths))), -decimals))


def top_compounds(
    user_id: int, experiments: list[Experiment], compounds: Mapping[int, Row]
) -> list[Row]:
    # Rule: `user_top_compounds`: every compound that ties for a user's most common one, with the
    # number of experiments.
    counts = Counter(compound_id for each in experiments for compound_id in each.compound_ids)
    return [
        {
            "user_id": user_id,
            "compound_id": compound_id,
            "compound_name": compounds[compound_id]["compound_name"],
            "experiment_count": count,
        }
        for compound_id, count in sorted(counts.items())
        if count == max(counts.values())
    ]


def usage_of(compound: Row, experiments: list[Experiment]) -> Row:
    # Rule: `compound_usage`: per compound, the experiments and the users that used it.
    # A compound that nobody used has a row with zeros.
    using = [each for each in experiments if compound["compound_id"] in each.compound_ids]
    return {
        **compound,
        "experiment_count": len(using),
        "user_count": len({each.user_id for each in using}),
    }


def account_of(file: str, records: list[Numbered], issues: list[Row]) -> Row:
    # Rule: `input_summary` accounts for every record: read = kept + dropped, per file.
    actions = Counter(row["action"] for row in issues if row["source_file"] == file)
    return {
        "source_file": file,
        "read": len(records),
        "kept": len(records) - actions[DROPPED],
        "dropped": actions[DROPPED],
        "nulled": actions[NULLED],
        "ignored": actions[IGNORED],
    }
