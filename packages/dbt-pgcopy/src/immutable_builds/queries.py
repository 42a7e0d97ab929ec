"""SQL in files, each statement by its name; those of this package are in queries.sql."""

import re
from pathlib import Path

_NAMED = re.compile(r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL)


def named_queries(file: Path) -> dict[str, str]:
    """The statements of a file, each below a line `-- name: …`."""
    return dict(_NAMED.findall(file.read_text(encoding="utf-8")))


QUERIES = named_queries(Path(__file__).with_suffix(".sql"))
