"""The rules of reading, one by one. What COPY is given is compared byte for byte."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from seed_csv import SeedFile, SeedFileError, check

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
        ('"",', ","),
        ("1,null", "1,null"),
        ("1,NULL", "1,NULL"),
        ("1,\\N", "1,\\N"),
        ("1,\\.", '"1","\\."'),
        ("\\.,2", '"\\.","2"'),
        ("1,\v2\u2003", "1,2"),
        ("1,\u200b2\ufeff", "1,2"),
        ('1,"2\n"', '1,"2"'),
        ("1,\x1c2", "1,\x1c2"),
        ("1,2\u20283", "1,2\u20283"),
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
        assert [list(part.chunks) for part in file.copy_parts()] == [[b"2,1\n"]]


@pytest.mark.parametrize(
    ("content", "given"),
    [
        ("a,note,b,\n1,x,2,\n3,y,4,\n", "1,2\n3,4\n"),
        ('a,note,b,\n1,"x,y",2,\n"3",,"4",""\n', '1,2\n"3","4"\n'),
        ('a,note,b,\n1,5" pipe,2,\n', '"1","2"\n'),
        ("a,note,b,\n,x,,\n", ",\n"),
    ],
)
def test_extra_columns_are_left_out_and_named(
    loaded: Loaded, csv_file: Callable[..., Path], content: str, given: str
) -> None:
    assert loaded(content, ["a", "b"]) == given
    assert check(csv_file(content), ["a", "b"]).extra_columns == ("note", "column 4 (no name)")


def test_a_file_may_be_read_twice(csv_file: Callable[..., Path]) -> None:
    for content in ("a,b\n1,2\n", "a,b\n1,2\n".encode("utf-16")):
        with SeedFile(csv_file(content)) as file:
            first, second = ([list(part.chunks) for part in file.copy_parts()] for _ in range(2))
            assert first == second == [[b"1,2\n"]]


@pytest.mark.parametrize(("delimiter", "line"), [(";", "1;2"), ("\t", "1\t2"), ("|", " 1 | 2 ")])
def test_another_delimiter(loaded: Loaded, delimiter: str, line: str) -> None:
    given = loaded(f"a{delimiter}b\n{line}\n{delimiter}\n", delimiter=delimiter)
    assert given == f"1{delimiter}2\n"


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_semicolons_and_tabs_are_found_out(csv_file: Callable[..., Path], delimiter: str) -> None:
    content = "name,x;user_id\n;1\nA;2\n".replace(";", delimiter).replace(",x", "")
    with SeedFile(csv_file(content), ["user_id", "name"]) as file:
        assert file.delimiter == delimiter
        given = f"{delimiter}1\nA{delimiter}2\n".encode()
        assert [list(part.chunks) for part in file.copy_parts()] == [[given]]


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "\ufeffsep=;", "sep=; \r"])
def test_a_file_may_say_what_separates_it(csv_file: Callable[..., Path], line: str) -> None:
    with SeedFile(csv_file(f"{line}\na;b\n1;2\n\n3\n"), ["a", "b"]) as file:
        assert file.delimiter == ";"
        with pytest.raises(SeedFileError, match="line 5: 1 field where 2"):
            [list(part.chunks) for part in file.copy_parts()]


def test_a_record_may_end_early_where_that_is_asked_for(csv_file: Callable[..., Path]) -> None:
    path = csv_file('note,A,b,c\nx,1,"2",3\nx,1\nx\nx,1,2,3\n')
    with SeedFile(path, ["c", "b", "a", "_fields_missing"], chunk_size=12) as file:
        parts = [(part.columns, b"".join(part.chunks).decode()) for part in file.copy_parts()]
    assert parts == [
        (("a", "b", "c"), '1,"2",3\n'),
        (("a", "b", "c", "_fields_missing"), '"1",,,"b, c"\n,,,"a, b, c"\n"1","2","3",\n'),
    ]
    assert check(path, ["a", "b", "c", "_fields_missing"]).records == 4


def test_a_record_that_lacks_a_column_that_nobody_wants_lacks_nothing(
    csv_file: Callable[..., Path],
) -> None:
    path = csv_file("a,b,note\n1,2\n1\n1,2,x\n")
    with SeedFile(path, ["a", "b", "_fields_missing"]) as file:
        rows = [b"".join(part.chunks) for part in file.copy_parts()]
    assert rows == [b'"1","2",\n"1",,"b"\n"1","2",\n']


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_byte_order_mark_says_the_encoding(csv_file: Callable[..., Path], encoding: str) -> None:
    path = csv_file(("a,b\n" + "1,Zoë\n" * 100_000).encode(encoding))
    with SeedFile(path, encoding="cp1252") as file:
        [data] = [b"".join(part.chunks) for part in file.copy_parts()]
        assert data.decode() == "1,Zoë\n" * 100_000
        assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_another_encoding_by_its_name(loaded: Loaded) -> None:
    assert loaded("a,b\n1,5 €\n".encode("cp1252"), encoding="cp1252") == "1,5 €\n"


@pytest.mark.parametrize("content", ["a,b\n1,2\n\x1a", "\ufeff\ufeffa,b\n1,2\x1a\x1a"])
def test_marks_at_both_ends_are_no_text(loaded: Loaded, content: str) -> None:
    assert loaded(content) == "1,2\n"


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
