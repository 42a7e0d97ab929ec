"""The characters that nobody sees: which of them are trimmed, and how the others are shown."""

import re

# Unicode's white space, but for the space itself.
_SPACES = "\t\n\v\f\r\x85\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# Of no width: joiners, marks of direction, byte order marks.
_INVISIBLE = "\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff"
_CONTROL = "\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"

_TRIMMED = re.compile(f"[ {_SPACES}{_INVISIBLE}]")
WHITE_SPACE = "".join(_TRIMMED.findall("".join(map(chr, range(0x10000)))))
# What `bytes.strip` takes off by itself.
ASCII_WHITE_SPACE = " \t\n\v\f\r"
_WIDE = re.compile(
    rb"\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2(?:\x80[\x80-\x8f\xa8-\xaf]|\x81[\x9f-\xa4])"
    rb"|\xe3\x80\x80|\xef\xbb\xbf"
)
_WIDE_LEADS = (b"\xc2", b"\xe1", b"\xe2", b"\xe3", b"\xef")
_ASCII = bytes(range(128))
_HIDDEN = re.compile(f"[{_SPACES}{_INVISIBLE}{_CONTROL}\u00ad\u180e]")
_UNSAFE = re.compile(f"[{_CONTROL}]")


def wide_white_space(text: bytes) -> set[bytes]:
    """Those characters of `WHITE_SPACE` in UTF-8 that have more than one byte there."""
    # Looking for one byte costs next to nothing, and taking the rest away less than looking at it.
    if not any(lead in text for lead in _WIDE_LEADS):
        return set()
    return set(_WIDE.findall(text.translate(None, _ASCII)))


def visible(text: str) -> str:
    """The text with every character that cannot be seen as its number, such as ``<U+200B>``."""
    return _HIDDEN.sub(_numbered, text)


def printable(text: str) -> str:
    """The text without what a terminal obeys: escape sequences, new lines, marks of direction."""
    return _UNSAFE.sub(_numbered, text)


def _numbered(found: re.Match[str]) -> str:
    return f"<U+{ord(found[0]):04X}>"
