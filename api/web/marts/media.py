"""The forms that rows are served in, and which of them a client takes."""

from dataclasses import dataclass
from functools import lru_cache

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from api.web.problems import Problem


@dataclass(frozen=True)
class Form:
    """A form of the answer: what it is called in the statements, and its media type."""

    name: str
    media_type: str

    @property
    def content_type(self) -> str:
        """The header that names it."""
        return f"{self.media_type}; charset=utf-8"


JSON = Form("json", "application/json")
OBJECT = Form("object", "application/vnd.pgrst.object+json")
CSV = Form("csv", "text/csv")
NDJSON = Form("ndjson", "application/x-ndjson")
FORMS = (JSON, OBJECT, CSV, NDJSON)
_BY_TYPE = {form.media_type: form for form in FORMS}


@lru_cache(maxsize=256)
def accepted(header: str, forms: tuple[Form, ...] = FORMS) -> Form | None:
    """The form that an Accept header likes best, the first one if it likes several as much."""
    if not header:
        return forms[0]
    accept = parse_accept_header(header, MIMEAccept)
    best = accept.best_match([form.media_type for form in forms])
    return _BY_TYPE[best] if best else None


def negotiated(header: str, forms: tuple[Form, ...] = FORMS) -> Form:
    """The same.

    Raises:
        Problem: 406, it likes none of them.
    """
    form = accepted(header, forms)
    if form is None:
        detail = (
            f"None of {header!r} can be had here; there are "
            f"{', '.join(each.media_type for each in forms)}."
        )
        raise Problem(
            406, "No such form", detail, code="PGRST107", message=detail, details=None, hint=None
        )
    return form
