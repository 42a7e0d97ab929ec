"""The header Prefer (RFC 7240): what a client asks for beside the rows."""

from dataclasses import dataclass

from pgrest_query.errors import QueryError

_COUNTS = ("count=exact", "count=planned", "count=estimated")
_HANDLING = ("handling=strict", "handling=lenient")
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
    handling = next((word for word in words if word in _HANDLING), "")
    known = (*_COUNTS, *_HANDLING)
    unknown = [word for word in words if word not in known and not word.startswith(_OF_WRITING)]
    if unknown and handling == "handling=strict":
        raise QueryError(
            "Invalid preferences given with handling=strict",
            code="PGRST122",
            details=f"Invalid preferences: {', '.join(unknown)}",
        )
    count = "count=exact" if any(word in _COUNTS for word in words) else ""
    return Preferences(bool(count), ", ".join(filter(None, (count, handling))))
