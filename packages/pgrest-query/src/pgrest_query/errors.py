"""What is wrong with a query, in the members of PostgREST's error bodies."""

from collections.abc import Mapping
from dataclasses import dataclass, field

LONGEST_MESSAGE = 1000  # letters; queries may be longer than anyone reads


@dataclass(eq=False)
class QueryError(Exception):
    """A query that cannot be answered: what is wrong, and what would be right.

    `code` is PostgREST's (`PGRST100`) or PostgreSQL's (`42703`), `status` the HTTP status for it,
    400 or 416, and `headers` are those that belong to the answer.
    """

    message: str
    code: str = "PGRST100"
    status: int = 400
    details: str | None = None
    hint: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.message) > LONGEST_MESSAGE:
            self.message = f"{self.message[:LONGEST_MESSAGE]}…"
        super().__init__(self.message)

    def as_json(self) -> dict[str, str | None]:
        """The body that PostgREST's clients read: `code`, `message`, `details` and `hint`."""
        return {
            "code": self.code,
            "message": self.message,
            "details": self.details,
            "hint": self.hint,
        }
