"""The SQL in queries.sql, by name."""

import re
from pathlib import Path

_NAMED = re.compile(r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL)
QUERIES = dict(_NAMED.findall(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")))
