"""Hypothesis strategies for the three files: dirty ones that can be read, and ones that cannot.

Numbers are few and small, so that repeated keys, ties, unknown users and unknown compounds are
common; each kind of bad value is among the texts to draw from.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.rules.faults import BREAKS
from tests.rules.model import COLUMNS
from tests.rules.rendering import AWKWARD_TEXTS, TEXTS, WrittenFile, written_files

Record = Mapping[str, str]

INTEGER_SPELLINGS = (
    *("+1", "01", "+02", "0003", " 3 ", "\t4\u00a0", "-0", "0", "+0", "-1", "-01"),
    *("1.0", "2.000", "-1.0", "1\u2003", "\u200b1", "\ufeff1", "\x0b1", "1\n"),
)
LARGE_INTEGERS = (
    "9223372036854775807",
    "+009223372036854775807",
    "-9223372036854775808",
    "0" * 40 + "2",
)
OUT_OF_RANGE = (
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551617",
    "100000000000000000000000000000001",
    "-" + "9" * 500,
)
NOT_INTEGERS = (
    "x",
    "one",
    "+",
    "-",
    "--1",
    "+-1",
    "- 1",
    "1 2",
    "1\u00a02",
    "1.",
    "1.5",
    ".0",
    "1E+03",
    '="0010"',
    "1|2",
    "1/2",
    "<0.5",
    "30 min",
    "1\u202f000",
    "6\u200b6",
    "1\x1c",
    "1e5",
    "1_000",
    "1,000",
    "0x1F",
    "1l",
    "\uff11",
    "\u0663",
    "\u00b2",
    "\u22121",
    "null",
    "NULL",
    "\\N",
    "NaN",
    "Infinity",
    "'1'",
    '"1"',
    "true",
)
LISTS = ("", ";", " ; ;", ";1", "2;", "1;;2", "1 ;\t2;\u00a01", "3;3;3", "1,2", "1\n;2", "9;9;x;x")
DATES = (
    "2023-01-01",
    "2024-02-29",
    "0001-01-01",
    "9999-12-31",
    "2023-02-28",
    "1582-10-10",
    " 2023-12-31 ",
)
NOT_DATES = (
    "2023-02-29",
    "1900-02-29",
    "2023-04-31",
    "2023-13-01",
    "2023-00-10",
    "2023-01-00",
    "0000-01-01",
    "10000-01-01",
    "-2023-01-01",
    "+2023-01-01",
    "2023-1-1",
    "23-01-01",
    "20230101",
    "2023/01/01",
    "01-02-2023",
    "2023-01",
    "2023-W01-1",
    "2023-001",
    "2023-01-01T00:00:00",
    "2023-01-01 00:00",
    "2023-01-01Z",
    "2023-01-01 BC",
    "15/03/2021",
    "3/15/2021",
    "15-Mar-2021",
    "15. March 21",
    "44270",
    "2023-01\u200b-01",
    "\uff12023-01-01",
    "2023\u201001\u201001",
    "Jan 1, 2023",
    "today",
    "now",
    "infinity",
    "epoch",
    "n/a",
)
RUN_TIMES = (
    "0",
    "1",
    "2",
    "10",
    "15",
    "12.5",
    "+7",
    "007.50",
    " 3 ",
    ".5",
    "5.",
    "1e5",
    "1E+2",
    "5.e-1",
    ".5e1",
    "1e005",
    "-0",
    "-0.0",
    "-.0e9",
    "0e999",
    "0.00005",
    "0.00015",
    "0.00004999999999999999999999999999999999999999",
    "2.67495",
    "123456789012.00005",
    "999999999999.9999999999999999999",
    "9.99999999999E+11",
    "0.0000000000000005",
    "0.00000000000000049999",
    "0.1",
    "0.2",
    "1e-7",
    "1e-400",
    "1e-999",
    "0." + "0" * 400 + "1",
    "0" * 999 + "4",
    "." + "3" * 999,
)
TOO_LARGE = (
    "1000000000000",
    "1e12",
    "9.9E+37",
    "9007199254740993",
    "1.7976931348623158e308",
    "1e400",
    "9" * 1000,
)
NOT_FINITE = (
    "0" * 1000 + "4",
    "." + "3" * 1000,
    "1e0005",
    "0e1000",
    "1e-1000",
    "NaN",
    "nan",
    "Infinity",
    "inf",
    "-inf",
    "-Infinity",
    "1,5",
    "1,500",
    "1.234,5",
    "1 234",
    "-1,5",
    ",5",
    "<0.5",
    "\u2264 1",
    "=1+1",
    "5 %",
    "1\u202f000",
    "1_000",
    "0x1F",
    "0b1",
    "1e",
    "e5",
    ".",
    "+",
    "-.",
    "1.2.3",
    "1e1.5",
    "1e 5",
    "1 5",
    "- 1",
    "++1",
    "1f",
    "12 min",
    "\uff11",
    "\u22121",
    "1/2",
    "n/a",
    "null",
    "\\N",
)
NEGATIVE = ("-1", "-.5", "-5.", "-0.0001", "-1e-400", "-1e5", "-1e308")


def mostly(usual: Sequence[str], unusual: Sequence[str]) -> SearchStrategy[str]:
    """The unusual about once in four times. One draw, for there are hundreds in an example."""
    return st.sampled_from([*list(usual) * (3 * len(unusual) // len(usual)), *unusual])


@lru_cache
def identifiers(last: int) -> SearchStrategy[str]:
    """Ids from 1 to `last`, other integers, and texts that are no id."""
    integers = (*INTEGER_SPELLINGS * 3, *LARGE_INTEGERS)
    others = (*OUT_OF_RANGE * 3, *NOT_INTEGERS, *("", " ") * 5)
    return mostly([str(number) for number in range(1, last + 1)], (*integers, *others))


RUN_TIMES_OF_FOUR_DECIMALS = st.integers(0, 999_999).map(lambda n: f"{n // 10_000}.{n % 10_000:04}")
RUN_TIME_TEXTS = (
    st.sampled_from(
        (*RUN_TIMES * 2, "", "", *NOT_FINITE, *TOO_LARGE, *NEGATIVE * 3, *AWKWARD_TEXTS)
    )
    | RUN_TIMES_OF_FOUR_DECIMALS
)
ANY_DATES = st.integers(1, date.max.toordinal()).map(lambda n: date.fromordinal(n).isoformat())
DATE_TEXTS = st.sampled_from((*DATES * 5, "", "", *NOT_DATES, *AWKWARD_TEXTS)) | ANY_DATES


class Records(NamedTuple):
    """How a record of each file is drawn."""

    users: SearchStrategy[Record]
    experiments: SearchStrategy[Record]
    compounds: SearchStrategy[Record]


@lru_cache
def records_of(size: int) -> Records:
    """Records of files that are so many times as large as small ones, with as many ids."""
    user_ids, compound_ids = identifiers(5 * size), identifiers(5 * size)
    entries = st.lists(compound_ids, max_size=6).map(";".join)
    return Records(
        st.fixed_dictionaries(
            {"user_id": user_ids, "name": TEXTS, "email": TEXTS, "signup_date": DATE_TEXTS}
        ),
        st.fixed_dictionaries(
            {
                "experiment_id": identifiers(60 * size),
                "user_id": identifiers(4 * size),
                "experiment_compound_ids": entries | st.sampled_from(LISTS),
                "experiment_run_time": RUN_TIME_TEXTS,
            }
        ),
        st.fixed_dictionaries(
            {"compound_id": compound_ids, "compound_name": TEXTS, "compound_structure": TEXTS}
        ),
    )


@st.composite
def _records(draw: DrawFn, usable: bool, size: int) -> dict[str, list[Record]]:
    """The records of each file."""
    of = records_of(size)
    least = size if size > 1 else usable
    users = draw(st.lists(of.users, min_size=2 * least, max_size=7 * size))
    experiments = draw(st.lists(of.experiments, min_size=6 * least, max_size=14 * size))
    compounds = draw(st.lists(of.compounds, min_size=2 * least, max_size=7 * size))
    if usable:
        # A key that is an integer is kept where it stands first, and experiment 7777 stands nowhere
        # else, so these leave something to keep in each file.
        put_in(draw, users, {**draw(of.users), "user_id": "2"})
        put_in(draw, compounds, {**draw(of.compounds), "compound_id": "3"})
        kept = {"experiment_id": "7777", "user_id": "2"}
        put_in(draw, experiments, {**draw(of.experiments), **kept})
    return dict(zip(COLUMNS, (users, experiments, compounds), strict=True))


def put_in(draw: DrawFn, records: list[Record], record: Record) -> None:
    records.insert(draw(st.integers(0, len(records))), record)


@st.composite
def _written(
    draw: DrawFn, usable: bool, *, plain: bool = False, size: int = 1
) -> dict[str, WrittenFile]:
    records = draw(_records(usable, size))
    return {
        file: draw(written_files(COLUMNS[file], records[file], plain=plain)) for file in COLUMNS
    }


def dirty_files(*, usable: bool = True, size: int = 1) -> SearchStrategy[dict[str, bytes]]:
    """Three files that can be read, with any mix of bad values, by name.

    Those of a larger `size` have that many times as many records, and ids for them.

    With `usable`, something is kept of each file, so that only the ratio of dropped records can
    stop a build; without it, a file may also have no usable record or no record at all.
    """
    return _written(usable, size=size).map(
        lambda written: {file: bytes(content) for file, content in written.items()}
    )


class Malformed(NamedTuple):
    """Three files of which one cannot be read; `line` is where, or None for the file as a whole."""

    files: dict[str, bytes]
    file: str
    line: int | None


FAULTS = tuple(BREAKS)


@st.composite
def malformed_files(draw: DrawFn, fault: str | None = None) -> Malformed:
    """Three dirty files, one of them with exactly one fault: the given one or any of FAULTS."""
    written = draw(_written(usable=True, plain=True))
    files = {file: bytes(content) for file, content in written.items()}
    file = draw(st.sampled_from(list(COLUMNS)))
    fault = fault or draw(st.sampled_from(FAULTS))
    files[file], line = draw(BREAKS[fault](written[file], COLUMNS[file]))
    return Malformed(files, file, line)
