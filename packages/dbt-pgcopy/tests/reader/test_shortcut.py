"""The shortcut must be taken where it can be: that it is never taken wrongly, properties show."""

import pytest
from seed_csv.shortcut import Shortcut


def prove(chunk: str) -> str | None:
    proven = Shortcut(2, (0, 1), ",").prove(chunk.encode())
    return proven and proven.data.decode()


@pytest.mark.parametrize(
    ("chunk", "given"),
    [
        ("1,a b\n2,é\n", "1,a b\n2,é\n"),
        ("1,a", "1,a\n"),
        ("1,\ta\n2 ,  b\r\n\n\u00a03,c\n", "1,a\n2,b\n3,c\n"),
        ('"1","a, b"\n"2",""\n', '"1","a, b"\n"2",\n'),
        ('1,\t"a ""b"""\n"2" , " c"\r\n', '1,"a ""b"""\n"2","c"\n'),
        ('"a\nb","c\r\nd"\n', '"a\nb","c\r\nd"\n'),
        ("\n\n", ""),
        ("," + "\n,\n\n" * 1000, ""),
        ("1,a\n,\n \u200b,\u2003\n\n2,b", "1,a\n2,b\n"),
        ("\v1,a\f\u2028\n", "1,a\n"),
        (',"a"\n"",""\n,\n', ',"a"\n,\n'),
        ('1,"a\n"\n', '1,"a"\n'),
    ],
)
def test_taken(chunk: str, given: str) -> None:
    assert prove(chunk) == given


@pytest.mark.parametrize(
    "chunk",
    [
        "1\n2,3,4\n",
        "1,a\0\n",
        "1,\\.\n",
        "1,a\rb\n",
        '1,5" pipe and 6" pipe\n',
        '1,"a"b\n',
        '1,"a\n',
        '1,"  "\n',
        '1,"\u00a0a"\n',
        '1,"""a"\n',
        '1,x""y\n',
        "1," + " " * 100 + "a\n",
    ],
)
def test_left_to_the_careful_parser(chunk: str) -> None:
    assert prove(chunk) is None
