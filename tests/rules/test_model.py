"""The rules of the data, example by example."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from tests.rules.model import (
    COLUMNS,
    LOOKS,
    Result,
    Row,
    build,
    columns_that_stop_the_build,
    files_that_stop_the_build,
)

EXPORTS = Path(__file__).parents[3] / "shared" / "data"

USERS = "user_id,name,email,signup_date\n1,Alice,alice@example.com,2023-01-01\n2,Bob,,\n"
COMPOUNDS = "compound_id,compound_name,compound_structure\n1,A,C1\n2,B,C2\n3,C,\n"
EXPERIMENTS = ",".join(COLUMNS["user_experiments.csv"]) + "\n"
EMPTY = {"user_experiments.csv": EXPERIMENTS, "compounds.csv": COMPOUNDS}


def build_of(
    users: str = USERS, experiments: str = EXPERIMENTS, compounds: str = COMPOUNDS
) -> Result:
    texts = (users, experiments, compounds)
    return build({file: text.encode() for file, text in zip(COLUMNS, texts, strict=True)})


def build_users(*records: str) -> Result:
    return build_of(users="\n".join((",".join(COLUMNS["users.csv"]), *records)))


def build_experiments(*records: str) -> Result:
    return build_of(experiments=EXPERIMENTS + "\n".join(records))


def issues_of(result: Result) -> list[tuple[int, str, str | None, str, str]]:
    return [
        (row["record_number"], row["column_name"], row["value"], row["problem"], row["action"])
        for row in result.data_issues
    ]


def alice(result: Result) -> Row:
    return result.user_summary[0]


def test_user_summary() -> None:
    result = build_experiments("1,1,1;2,10", "2,1,2;3,15")
    assert result.user_summary == [
        {
            "user_id": 1,
            "name": "Alice",
            "email": "alice@example.com",
            "signup_date": date(2023, 1, 1),
            "experiment_count": 2,
            "avg_experiment_run_time": Decimal("12.5"),
            "compound_id": 2,
            "compound_name": "B",
            "compound_structure": "C2",
        },
        {
            "user_id": 2,
            "name": "Bob",
            "email": None,
            "signup_date": None,
            "experiment_count": 0,
            "avg_experiment_run_time": None,
            "compound_id": None,
            "compound_name": None,
            "compound_structure": None,
        },
    ]
    assert result.data_issues == []


def test_a_tie_goes_to_the_lowest_id() -> None:
    result = build_experiments("1,1,3;2,", "2,1,2;3,", "3,1,1,", "4,2,3,")
    assert alice(result)["compound_id"] == 2
    assert result.user_top_compounds == [
        {"user_id": 1, "compound_id": 2, "compound_name": "B", "experiment_count": 2},
        {"user_id": 1, "compound_id": 3, "compound_name": "C", "experiment_count": 2},
        {"user_id": 2, "compound_id": 3, "compound_name": "C", "experiment_count": 1},
    ]


def test_compound_usage() -> None:
    usage = build_experiments("1,1,3;2,", "2,1,2;3,", "4,2,3,").compound_usage
    assert usage[0] == {
        "compound_id": 1,
        "compound_name": "A",
        "compound_structure": "C1",
        "experiment_count": 0,
        "user_count": 0,
    }
    counts = [(row["compound_id"], row["experiment_count"], row["user_count"]) for row in usage]
    assert counts == [(1, 0, 0), (2, 2, 1), (3, 3, 2)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "key is missing"),
        ("x", "key is not an integer"),
        ("1.5", "key is not an integer, looks like a fraction"),
        ("1|2", "key is not an integer, looks like several ids"),
        ("1E+03", "key is not an integer, looks like scientific notation"),
        ("30 min", "key is not an integer, looks like a number with a unit"),
        ("<0.5", "key is not an integer, looks like a limit"),
        ("1_000", "key is not an integer"),
        ("\uff11", "key is not an integer, looks like characters that are not ASCII"),
        ("+5.0", "duplicate key"),
        ("9223372036854775808", "key is out of range"),
        ("-9223372036854775809", "key is out of range"),
        ("9" * 5000, "key is out of range"),
        ("+05", "duplicate key"),
    ],
)
def test_a_key_that_cannot_be_trusted(text: str, problem: str) -> None:
    result = build_users("5,Eve,,", f"{text},Mallory,,never")
    value = text.strip('"') or None
    assert issues_of(result) == [(2, "user_id", value, problem, "record dropped")]
    assert result.data_issues[0]["record"] == {
        "user_id": value,
        "name": "Mallory",
        "email": None,
        "signup_date": "never",
    }
    assert [row["name"] for row in result.user_summary] == ["Eve"]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("007", 7),
        ("+7", 7),
        ("-0", 0),
        ("-7", -7),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("0" * 5000 + "7", 7),
    ],
)
def test_a_key(text: str, key: int) -> None:
    assert alice(build_users(f"{text},,,"))["user_id"] == key


@pytest.mark.parametrize(
    ("record", "column", "value", "problem"),
    [
        ("5,,1,2", "user_id", None, "user is missing"),
        ("5,one,1,2", "user_id", "one", "user is not an integer"),
        ("5,9223372036854775808,1,2", "user_id", "9223372036854775808", "user is out of range"),
        ("5,3,1,2", "user_id", "3", "unknown user"),
        ("1,3,1,2", "experiment_id", "1", "duplicate key"),
        ("x,3,1,2", "experiment_id", "x", "key is not an integer"),
        (",3,x;9,-1", "experiment_id", None, "key is missing"),
    ],
)
def test_an_experiment_is_dropped_for_its_first_reason(
    record: str, column: str, value: str | None, problem: str
) -> None:
    result = build_experiments("1,1,1,2", record)
    assert issues_of(result) == [(2, column, value, problem, "record dropped")]
    assert alice(result)["experiment_count"] == 1


def test_a_dropped_record_still_holds_its_key() -> None:
    result = build_experiments("1,9,1,2", "01,1,1,2")
    assert [row["problem"] for row in result.data_issues] == ["unknown user", "duplicate key"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-02-29", date(2024, 2, 29)),
        ("0001-01-01", date(1, 1, 1)),
        ("9999-12-31", date(9999, 12, 31)),
        ("2023-02-29", None),
        ("0000-01-01", None),
        ("2023-1-1", None),
        ("2023-01-01T00:00:00", None),
        ("\uff12023-01-01", None),
        ("infinity", None),
    ],
)
def test_signup_date(text: str, value: date | None) -> None:
    result = build_users(f"1,,,{text}")
    assert alice(result)["signup_date"] == value
    found = [(*issue[:3], issue[3].split(LOOKS)[0], issue[4]) for issue in issues_of(result)]
    issue = (1, "signup_date", text, "not a calendar date", "value set to null")
    assert found == ([issue] if value is None else [])


@pytest.mark.parametrize(
    ("text", "date_format", "value"),
    [
        ("15/03/2021", "DD/MM/YYYY", date(2021, 3, 15)),
        ("3/15/2021", "M/D/YYYY", date(2021, 3, 15)),
        ("03/05/2021", "M/D/YYYY", date(2021, 3, 5)),
        ("2021-03-05", "DD/MM/YYYY", date(2021, 3, 5)),
        ("2021-03-05", "YYYY-DD-MM", date(2021, 5, 3)),
        ("3/5/2021", "DD/MM/YYYY", None),
        ("31/02/2021", "DD/MM/YYYY", None),
        ("15.03.2021", "DD/MM/YYYY", None),
    ],
)
def test_dates_of_another_format(text: str, date_format: str, value: date | None) -> None:
    files = {"users.csv": f"user_id,name,email,signup_date\n1,,,{text}\n", **EMPTY}
    result = build({name: content.encode() for name, content in files.items()}, date_format)
    assert alice(result)["signup_date"] == value


@pytest.mark.parametrize(
    ("text", "look"),
    [
        ("15/03/2021", "a date in another format"),
        ("2021.3.15", "a date in another format"),
        ("15 3 2021", "a date in another format"),
        ("2021-03-15T00:00:00Z", "a date with a time"),
        ("15/03/21", "a date with a year of two digits"),
        ("15-Mar-2021", "a date with the name of a month"),
        ("44270", "a day number of a spreadsheet"),
        ("0000-00-00", None),
        ("2021-03-15 BC", None),
    ],
)
def test_what_is_no_date_says_what_it_looks_like(text: str, look: str | None) -> None:
    [issue] = issues_of(build_users(f"1,,,{text}"))
    assert issue[3] == "not a calendar date" + (f", looks like {look}" if look else "")


def test_a_record_that_ends_early_is_kept_and_told() -> None:
    result = build_of(experiments=EXPERIMENTS + "1,1,2\n2,1\nx,1\n")
    early, nulled = "fields missing at its end", "value set to null"
    assert issues_of(result) == [
        (1, "experiment_run_time", None, early, nulled),
        (2, "experiment_compound_ids, experiment_run_time", None, early, nulled),
        (3, "experiment_id", "x", "key is not an integer", "record dropped"),
    ]
    assert alice(result)["experiment_count"] == 2


def test_a_decimal_comma_is_read_where_no_comma_separates() -> None:
    text = EXPERIMENTS.replace(",", "\t") + "1\t1\t\t75,5\n2\t1\t\t-1,5\n3\t1\t\t1,2,3\n"
    result = build_of(experiments=text)
    assert alice(result)["avg_experiment_run_time"] == Decimal("75.5")
    problems = [issue[3] for issue in issues_of(result)]
    assert problems == ["negative", "not a finite number"]


def test_what_nobody_sees_is_shown() -> None:
    [issue] = issues_of(build_users("1\u200b2,,,"))
    assert issue[2] == "1<U+200B>2"
    assert issues_of(build_users("\u200b1\u202f,,,")) == []


def test_values_that_stop_a_build() -> None:
    half = build_experiments("1,1,1;x,<5", "2,1,2;y,3", "3,1,2;2;z,")
    assert columns_that_stop_the_build(half) == []
    more = build_experiments("1,1,1;x;y,<5", "2,1,;,>3", "3,1,,2")
    assert columns_that_stop_the_build(more) == ["experiment_compound_ids", "experiment_run_time"]
    assert columns_that_stop_the_build(more, Fraction(2, 3)) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", "10"),
        ("+.5", "0.5"),
        ("5.", "5"),
        ("1.5E+2", "150"),
        ("-0", "0"),
        ("0e999", "0"),
        ("1e-999", "0"),
        ("0.00005", "0.0001"),
        ("0.000049999999999", "0"),
        ("0.000049999999999999999999999999999999", "0.0001"),
        ("0.0000000000000004", "0"),
        ("2.67495", "2.675"),
        ("123456789012.00005", "123456789012.0001"),
        ("9.999999999999E+11", "999999999999.9"),
        ("0" * 999 + "4", "4"),
    ],
)
def test_run_time(text: str, value: str) -> None:
    result = build_experiments(f"1,1,,{text}")
    assert str(alice(result)["avg_experiment_run_time"]) == value
    assert result.data_issues == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("-1", "negative"),
        ("-1e-999", "negative"),
        ("-1e400", "negative"),
        ("NaN", "not a finite number"),
        ("-Infinity", "not a finite number"),
        ("1e309", "out of range"),
        ("1e12", "out of range"),
        ("9.9E+37", "out of range"),
        ("999999999999.9999999999999995", "out of range"),
        ("999999999999.99999999999999999999e1", "out of range"),
        ("1e0005", "not a finite number"),
        ("0" * 1000 + "4", "not a finite number"),
        ('"1,5"', "not a finite number, looks like a decimal comma"),
        ('"1,500"', "not a finite number, looks like thousands separators or a decimal comma"),
        ("<0.5", "not a finite number, looks like a limit"),
        ("=1+1", "not a finite number, looks like a spreadsheet formula"),
        ("1_000", "not a finite number"),
        ("0x1F", "not a finite number"),
        (".", "not a finite number"),
        ("\uff11", "not a finite number, looks like characters that are not ASCII"),
        ("12 min", "not a finite number, looks like a number with a unit"),
    ],
)
def test_a_bad_run_time_is_null(text: str, problem: str) -> None:
    result = build_experiments(f"1,1,2,{text}", "2,1,2,3")
    issue = (1, "experiment_run_time", text.strip('"'), problem, "value set to null")
    assert issues_of(result) == [issue]
    assert alice(result)["experiment_count"] == 2
    assert alice(result)["avg_experiment_run_time"] == 3


@pytest.mark.parametrize(
    ("texts", "mean"),
    [
        (["1", "2", "2"], "1.6667"),
        (["1", "1", "2"], "1.3333"),
        (["0.0001", "0"], "0.0001"),
        (["0.1", "0.2"], "0.15"),
        (["10", ""], "10"),
        (["1e11", "0", "0"], "3" * 11 + ".3333"),
    ],
)
def test_the_mean_is_exact_and_half_is_rounded_up(texts: list[str], mean: str) -> None:
    result = build_experiments(*(f"{number},1,,{text}" for number, text in enumerate(texts)))
    assert str(alice(result)["avg_experiment_run_time"]) == mean


def test_compound_entries() -> None:
    result = build_experiments("1,1, 3 ;;\t02.0;3;x; 9;1 0;9;" + str(2**63) + ";,5")
    column, ignored = "experiment_compound_ids", "entry ignored"
    assert issues_of(result) == [
        (1, column, "x", "entry is not an integer", ignored),
        (1, column, "9", "unknown compound", ignored),
        (1, column, "1 0", "entry is not an integer, looks like several ids", ignored),
        (1, column, "9", "unknown compound", ignored),
        (1, column, str(2**63), "entry is out of range", ignored),
    ]
    assert [row["experiment_count"] for row in result.compound_usage] == [0, 1, 1]
    assert alice(result)["compound_id"] == 2


def test_input_summary() -> None:
    result = build_experiments("1,1,1;9,-1", "", "2,3,9,x", "3,2,,NaN", "3,,,")
    names = ("source_file", "read", "kept", "dropped", "nulled", "ignored")
    assert [tuple(row[name] for name in names) for row in result.input_summary] == [
        ("users.csv", 2, 2, 0, 0, 0),
        ("user_experiments.csv", 4, 2, 2, 2, 1),
        ("compounds.csv", 3, 3, 0, 0, 0),
    ]
    assert [row["record_number"] for row in result.data_issues] == [1, 1, 2, 3, 4]


def test_a_build_stops() -> None:
    no_experiment = build_of()
    assert files_that_stop_the_build(no_experiment) == ["user_experiments.csv"]
    one_of_five = build_experiments("1,1,,", "2,1,,", "3,1,,", "4,1,,", "4,1,,")
    assert files_that_stop_the_build(one_of_five) == []
    one_of_four = build_experiments("1,1,,", "2,1,,", "3,1,,", "3,1,,")
    assert files_that_stop_the_build(one_of_four) == ["user_experiments.csv"]
    assert files_that_stop_the_build(one_of_four, Fraction(1, 4)) == []


@pytest.mark.skipif(not EXPORTS.is_dir(), reason="the real exports are not beside the checkout")
@pytest.mark.parametrize(("export", "users"), [("take_home", 10), ("second_export", 20)])
def test_real_exports(export: str, users: int) -> None:
    result = build({file: (EXPORTS / export / file).read_bytes() for file in COLUMNS})
    assert result.data_issues == []
    assert len(result.user_summary) == users
    first = alice(result)
    assert (first["user_id"], first["name"]) == (1, "Alice")
    assert (first["experiment_count"], first["compound_id"]) == (2, 2)
    assert first["avg_experiment_run_time"] == Decimal("12.5")
