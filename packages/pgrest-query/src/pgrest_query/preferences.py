"""The header Prefer (RFC 7240): what a client asks for beside the rows."""

from dataclasses import dataclass

from pgrest_query.errors import QueryError

_COUNTS = ("count=exact", "count=planned", "count=estimated")
# What PostgREST knows besides: no matter where nothing is written, so neither obeyed nor refused.
_OF_WRITING = ("resolution=", "return=", "tx=", "missing=", "max-affected=")


@dataclass(frozen=True)
class Preferences:
    """What is preferred; `applied` is what the header Preference-Applied says, or nothing."""

    wants_count: bool = False
    applied: str = ""


def preferences(header: str) -> Preferences:
    """Read the header.

    An estimate that is asked for is exact here. Of two values of one preference the first holds.

    Raises:
        QueryError: `handling=strict` is among them, and one that is not known.
    """
    words = [word.strip() for word in header.split(",") if word.strip()]
    handling = next((word for word in words if word in ("handling=strict", "handling=lenient")), "")
    if handling == "handling=strict":
        _refuse_unknown(words)
    wants_count = any(word in _COUNTS for word in words)
    applied = [*(["count=exact"] if wants_count else []), *([handling] if handling else [])]
    return Preferences(wants_count, ", ".join(applied))


def _refuse_unknown(words: list[str]) -> None:
    unknown = [
        word
        for word in words
        if word not in (*_COUNTS, "handling=strict", "handling=lenient")
        and not word.startswith(_OF_WRITING)
    ]
    if unknown:
        raise QueryError(
            "Invalid preferences given with handling=strict",
            code="PGRST122",
            details=f"Invalid preferences: {', '.join(unknown)}",
        )
