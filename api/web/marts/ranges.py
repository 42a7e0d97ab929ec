"""Which rows of how many an answer has, as PostgREST says it."""

from api.web.problems import Problem


def described(offset: int, row_count: int, total: int | None) -> tuple[int, str]:
    """The status and Content-Range of an answer with so many rows after so many others.

    Raises:
        Problem: 416, it begins after the last of the `total` rows.
    """
    if total is not None and offset > total:
        detail = f"There are {total} rows, so none after number {offset}."
        raise not_satisfiable(detail, {"Content-Range": f"*/{total}"})
    status = 206 if total is not None and row_count < total else 200
    rows = f"{offset}-{offset + row_count - 1}" if row_count else "*"
    return status, f"{rows}/{'*' if total is None else total}"


def not_satisfiable(detail: str, headers: dict[str, str] | None = None) -> Problem:
    """The rows asked for are none that could be."""
    return Problem(
        416,
        "Range not satisfiable",
        detail,
        headers=headers,
        code="PGRST103",
        message="Requested range not satisfiable",
        details=detail,
        hint=None,
    )
