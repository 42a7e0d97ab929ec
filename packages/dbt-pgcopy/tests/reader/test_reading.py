"""The rules of reading, one by one. What COPY is given is compared byte for byte."""

from collections.abc import Callable
from pathlib import Path

import pytest
from seed_csv import SeedFile, check

Loaded = Callable[..., str]


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2\n3,4\n",
        "a,b\n1,2\n3,4",
        "\ufeffa,b\n1,2\n3,4\n",
        "a,b\r\n1,2\r\n3,4\r\n",
        "a,b\n1,2\r\n3,4\n",
        "\n \t\r\n\u00a0\na,b\n\n1,2\n\t\n3,4\n\n\n",
        "a,\tb\n1,\t2\n3,\t4\n",
        "a , b\n 1 ,\u00a02\u00a0\n\t3\t, 4 \n",
        "a,b\n" + " " * 50 + "1,2\n3,4\n",
    ],
)
def test_the_same_table_in_many_forms(loaded: Loaded, content: str) -> None:
    assert loaded(content).replace('"', "") == "1,2\n3,4\n"


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ('"1","2"', '"1","2"'),
        ('1,\t"Alice, PhD"', '1,"Alice, PhD"'),
        ('1, "2" \t', '1,"2"'),
        ('1," 2\t"', '1,"2"'),
        ('1,"\u00a02\u00a0"', '"1","2"'),
        ('1,"a ""b"" c"', '1,"a ""b"" c"'),
        ('1,"""b"""', '"1","""b"""'),
        ('1,"x\ny"', '1,"x\ny"'),
        ('1,"x\r\ny"', '1,"x\r\ny"'),
        ("1,x\ry", '"1","x\ry"'),
        ('1,5" pipe', '"1","5"" pipe"'),
        ('1,a""b', '"1","a""""b"'),
        ("1,", "1,"),
        ('1,""', "1,"),
        ('1,"  "', '"1",'),
        ("1, \t", "1,"),
        (",", ","),
        ("1,null", "1,null"),
        ("1,NULL", "1,NULL"),
        ("1,\\N", "1,\\N"),
        ("1,\\.", '"1","\\."'),
        ("\\.,2", '"\\.","2"'),
        ("1,\v2\u2003", "1,\v2\u2003"),
        ("1,Zoë", "1,Zoë"),
    ],
)
def test_a_record(loaded: Loaded, line: str, given: str) -> None:
    assert loaded(f"a,b\n{line}\n") == f"{given}\n"


@pytest.mark.parametrize(
    ("content", "given"),
    [("a\n1\n\n \n2", '"1"\n"2"\n'), ('a\n1\n""\n', '"1"\n\n'), ("a\n\\.\n1\n", '"\\."\n"1"\n')],
)
def test_one_column(loaded: Loaded, content: str, given: str) -> None:
    assert loaded(content) == given


def test_columns_are_matched_without_regard_to_case_or_order(csv_file: Callable[..., Path]) -> None:
    with SeedFile(csv_file('B , "A"\n2,1\n'), ["a", "b"]) as file:
        assert file.columns == ("b", "a")
        assert b"".join(file.copy_chunks()) == b"2,1\n"


@pytest.mark.parametrize(
    ("content", "given"),
    [
        ("a,note,b,\n1,x,2,\n3,y,4,\n", "1,2\n3,4\n"),
        ('a,note,b,\n1,"x,y",2,\n"3",,"4",""\n', '1,2\n"3","4"\n'),
        ('a,note,b,\n1,5" pipe,2,\n', '"1","2"\n'),
        ("a,note,b,\n,,,\n", ",\n"),
    ],
)
def test_extra_columns_are_left_out_and_named(
    loaded: Loaded, csv_file: Callable[..., Path], content: str, given: str
) -> None:
    assert loaded(content, ["a", "b"]) == given
    assert check(csv_file(content), ["a", "b"]).extra_columns == ("note", "column 4 (no name)")


def test_a_chunk_may_be_read_twice(csv_file: Callable[..., Path]) -> None:
    with SeedFile(csv_file("a,b\n1,2\n")) as file:
        assert list(file.copy_chunks()) == list(file.copy_chunks())


@pytest.mark.parametrize(("delimiter", "line"), [(";", "1;2"), ("\t", "1\t2"), ("|", " 1 | 2 ")])
def test_another_delimiter(loaded: Loaded, delimiter: str, line: str) -> None:
    given = loaded(f"a{delimiter}b\n{line}\n{delimiter}\n", delimiter=delimiter)
    assert given == f"1{delimiter}2\n{delimiter}\n"


def test_check_says_what_is_in_a_file(csv_file: Callable[..., Path]) -> None:
    report = check(csv_file("User_ID,Name,note\n1,Alice,\n\n2,Bob,x\n"), ["user_id", "name"])
    assert report.file == "users.csv"
    assert report.records == 2
    assert report.columns == ("User_ID", "Name", "note")
    assert report.extra_columns == ("note",)
    assert report.problems == ()


def test_another_name_for_messages(csv_file: Callable[..., Path]) -> None:
    report = check(csv_file("", "upload-1234.tmp"), name="users.csv")
    assert str(report.problems[0]).startswith("users.csv: the file is empty")
