"""Files as spreadsheets and instruments write them: built for real, or said in words."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import SAMPLE
from tests.integration.conftest import Laboratory

GOLDEN = Path(__file__).with_name("golden") / "user_summary.csv"
Row = list[str]
ISSUES = (
    "select column_name, value, problem, action from marts.data_issues where record_number > 72"
)


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def rows_of(name: str) -> list[Row]:
    return [[field.strip() for field in row] for row in csv.reader(io.StringIO(text_of(name)))]


def text_of(name: str) -> str:
    return SAMPLE[name].decode()


def written(name: str, change: Callable[[Row], Row], separator: str = ",") -> str:
    """The sample with each record changed, its fields quoted where they must be."""
    header, *records = rows_of(name)
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerows([header, *map(change, records)])
    return text.getvalue()


def with_decimal_comma(row: Row) -> Row:
    return [*row[:3], row[3].replace(".", ",") if row[3] else row[3]]


def with_only_decimal_commas(row: Row) -> Row:
    return [*row[:3], row[3].partition(".")[0] + ",5"]


def as_a_data_frame(row: Row) -> Row:
    ids = ";".join(f"{entry.strip()}.0" for entry in row[2].split(";") if entry.strip())
    return [f"{row[0]}.0", f"{row[1]}.0", ids, row[3]]


HANDS: dict[str, tuple[dict[str, bytes], dict[str, str]]] = {
    "a spreadsheet": (
        {
            "users.csv": written("users.csv", list, "\t").encode("utf-16"),
            "user_experiments.csv": (
                "sep=;\n" + written("user_experiments.csv", with_decimal_comma, ";") + ";;;\n" * 5
            ).encode(),
            "compounds.csv": ("\ufeff\ufeff" + text_of("compounds.csv") + " ,,\r\n\x1a").encode(),
        },
        {},
    ),
    "a data frame": (
        {"user_experiments.csv": written("user_experiments.csv", as_a_data_frame).encode()},
        {},
    ),
    "Windows": (
        {name: text_of(name).replace("\n", "\r\n").encode("cp1252") for name in SAMPLE},
        {"ELUTE_CSV_ENCODING": "cp1252"},
    ),
    "Britain": (
        {
            "users.csv": written(
                "users.csv", lambda row: [*row[:3], "/".join(reversed(row[3].split("-")))]
            ).encode()
        },
        {"ELUTE_DATE_FORMAT": "DD/MM/YYYY"},
    ),
}


@pytest.mark.parametrize("hand", HANDS)
def test_the_same_files_in_another_hand_give_the_same_marts(
    laboratory: Laboratory, hand: str
) -> None:
    files, settings = HANDS[hand]
    laboratory.write(files)
    result = laboratory.build(**settings)
    assert result.returncode == 0, result.stdout + result.stderr
    assert laboratory.user_summary_as_csv() == GOLDEN.read_text(encoding="utf-8")
    [separator] = laboratory.rows('select distinct "_separator" from raw.user_experiments')
    assert separator["_separator"] == (";" if hand == "a spreadsheet" else None)


def test_odd_records_are_kept_or_their_issues_say_what_they_look_like(
    laboratory: Laboratory,
) -> None:
    odd = [
        "900,1,8",
        '901,1,"8\n",5',
        '902,1,"8;\n10",5',
        "903,\u200b1\u202f,\u200e8,5",
        '904,1,"1|2;1,234;=""0010"";6\u200b6",30 min',
        '905,1,8,"75,5"',
        "906,1,8,<0.5",
        "1E+03,1,8,5",
        "907,1",
    ]
    text = text_of("user_experiments.csv").rstrip("\n") + "\n" + "\n".join(odd) + "\n"
    laboratory.write({"user_experiments.csv": text.encode()})
    result = laboratory.build()
    assert result.returncode == 0, result.stdout + result.stderr
    found = {tuple(row.values()) for row in laboratory.rows(ISSUES)}
    entry, number = "entry is not an integer, looks like", "not a finite number, looks like"
    entries, time = "experiment_compound_ids", "experiment_run_time"
    ignored, nulled, early = "entry ignored", "value set to null", "fields missing at its end"
    assert found == {
        (time, None, early, nulled),
        (f"{entries}, {time}", None, early, nulled),
        (entries, "1|2", f"{entry} several ids", ignored),
        (entries, "1,234", f"{entry} thousands separators", ignored),
        (entries, '="0010"', f"{entry} a spreadsheet formula", ignored),
        (entries, "6<U+200B>6", f"{entry} characters that are not ASCII", ignored),
        (time, "30 min", f"{number} a number with a unit", nulled),
        (time, "75,5", f"{number} a decimal comma", nulled),
        (time, "<0.5", f"{number} a limit", nulled),
        (
            "experiment_id",
            "1E+03",
            "key is not an integer, looks like scientific notation",
            "record dropped",
        ),
    }
    assert "looks like a number with a unit" in result.stdout


UNUSABLE = {
    "decimal commas": (
        {
            "user_experiments.csv": written(
                "user_experiments.csv", with_only_decimal_commas
            ).encode()
        },
        "values of experiment_run_time could not be used",
        (
            "not a finite number, looks like a decimal comma",
            "Save the file with a decimal point, or with semicolons between the columns, or set",
        ),
    ),
    "dates in another format": (
        HANDS["Britain"][0],
        "users.csv: 14 of 14 values of signup_date could not be used (100.0 %), more than the 50 %",
        (
            "not a calendar date, looks like a date in another format (14 of them), such as “",
            "Set ELUTE_DATE_FORMAT to how the dates are written, such as DD/MM/YYYY, or set",
        ),
    ),
    "lists with bars": (
        {
            "user_experiments.csv": written(
                "user_experiments.csv", lambda row: [*row[:2], "1|2", row[3]]
            ).encode()
        },
        "entries of experiment_compound_ids could not be used (100.0 %)",
        ("entry is not an integer, looks like several ids", "such as “1|2”. Mend the file, or"),
    ),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_column_of_which_little_can_be_used_is_not_published(
    laboratory: Laboratory, case: str
) -> None:
    files, finding, words = UNUSABLE[case]
    laboratory.write(files)
    result = laboratory.build()
    assert result.returncode == 1
    said = in_one_line(result.stderr)
    assert all(part in said for part in (finding, *words)), said
    assert laboratory.rows("select * from builds.publications") == []


def test_a_higher_ratio_lets_it_through(laboratory: Laboratory) -> None:
    laboratory.write(UNUSABLE["dates in another format"][0])
    assert laboratory.build(ELUTE_MAX_NULLED_RATIO="1").returncode == 0


ESCAPE = "\x1b[2J\x1b]0;x\x07\u202e"


def test_text_of_a_file_does_not_steer_the_terminal(laboratory: Laboratory) -> None:
    name = f"Amara {ESCAPE}Okafor"
    text = text_of("users.csv").replace("Amara Okafor", name)
    text = "\n".join(f"{line},{ESCAPE}" for line in text.splitlines())
    laboratory.write({"users.csv": text.replace(f",{ESCAPE}", f",x{ESCAPE}y", 1).encode()})
    results = [laboratory.elute("check"), laboratory.build()]
    laboratory.write({"users.csv": f"user_id,{ESCAPE}\n1,2\n".encode()})
    results += [laboratory.elute("check"), laboratory.build()]
    assert [result.returncode for result in results] == [0, 0, 1, 1]
    for result in results:
        said = result.stdout + result.stderr
        assert "<U+001B>[2J" in said
        assert [part for part in ("\x1b[2J", "\x1b]", "\x07", "\u202e") if part in said] == []


def test_a_file_under_almost_its_name_is_named(laboratory: Laboratory) -> None:
    (laboratory.files / "users.csv").rename(laboratory.files / "Users.csv")
    assert "but there is a Users.csv" in in_one_line(laboratory.build().stderr)
    assert "but there is a Users.csv" in laboratory.elute("check").stdout
