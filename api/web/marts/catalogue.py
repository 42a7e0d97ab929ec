"""Which marts are served, and what is in them: what their dbt contracts say.

A mart is a model in `dbt_project/models/marts` whose YAML has columns with types. It is served
unless its config says `meta: {served: false}`. The files are read again when they have changed.
"""

import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pgrest_query import Column as QueryColumn
from pgrest_query import Table

from api.settings import CHECKOUT

MODELS = CHECKOUT / "dbt_project" / "models"
SCHEMA = "marts"
LOOK_AGAIN_SECONDS = 1.0
_DOC_BLOCK = re.compile(r"(?s){%-?\s*docs\s+(\w+)\s*-?%}(.*?){%-?\s*enddocs\s*-?%}")
_DOC_CALL = re.compile(r"{{\s*doc\(\s*['\"](\w+)['\"]\s*\)\s*}}")
_SAME_TYPES = {"dec": "numeric", "decimal": "numeric", "int": "integer", "bool": "boolean"}
_NUMBERS = frozenset(
    {"smallint", "integer", "bigint", "numeric", "real", "double precision", "float"}
)


@dataclass(frozen=True)
class Column:
    """A column of a mart. `data_type` is PostgreSQL's name of its type, such as `bigint`."""

    name: str
    data_type: str
    description: str
    nullable: bool

    @cached_property
    def is_number(self) -> bool:
        """Whether it can be summed."""
        return self.data_type.partition("(")[0].strip() in _NUMBERS


@dataclass(frozen=True, eq=False)
class Mart:
    """A mart that is served. `key` names the columns that tell its rows apart, if any do."""

    name: str
    description: str
    columns: list[Column]
    key: tuple[str, ...] = ()

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """Its columns by their names."""
        return {column.name: column for column in self.columns}

    @cached_property
    def table(self) -> Table:
        """Its table, to be queried."""
        columns = tuple(QueryColumn(column.name, column.data_type) for column in self.columns)
        return Table(SCHEMA, self.name, columns, self.key)


def read(models: Path = MODELS) -> dict[str, Mart]:
    """The marts that the project in this folder serves, by name."""
    blocks: dict[str, str] = {}
    for file in sorted(models.rglob("*.md")):
        blocks.update(_DOC_BLOCK.findall(file.read_text(encoding="utf-8")))
    found = {}
    for file in sorted((models / SCHEMA).rglob("*.y*ml")):
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        for model in content.get("models", []):
            if _is_served(model):
                found[model["name"]] = _mart(model, blocks)
    return found


class _Catalogue:
    """The marts as last read, and when to look whether the files have changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._marts: dict[str, Mart] = {}
        self._files: list[tuple[str, int, int]] = []
        self._look_again = 0.0

    def marts(self) -> dict[str, Mart]:
        # Once there is something, nobody waits for the one who looks.
        if time.monotonic() >= self._look_again and self._lock.acquire(blocking=not self._files):
            try:
                self._look()
            finally:
                self._lock.release()
        return self._marts

    def _look(self) -> None:
        if time.monotonic() < self._look_again:
            return
        files = sorted(_signatures())
        if files != self._files:
            self._marts, self._files = read(), files
        self._look_again = time.monotonic() + LOOK_AGAIN_SECONDS


_CATALOGUE = _Catalogue()


def marts() -> dict[str, Mart]:
    """The marts that are served, by name."""
    return _CATALOGUE.marts()


def _signatures() -> Iterator[tuple[str, int, int]]:
    for pattern in ("*.md", f"{SCHEMA}/**/*.y*ml"):
        for file in MODELS.rglob(pattern):
            status = file.stat()
            yield str(file), status.st_mtime_ns, status.st_size


def _is_served(model: Mapping[str, Any]) -> bool:
    meta = {**model.get("meta", {}), **model.get("config", {}).get("meta", {})}
    is_typed = any("data_type" in column for column in model.get("columns", []))
    return is_typed and meta.get("served", True) is not False


def _mart(model: Mapping[str, Any], blocks: Mapping[str, str]) -> Mart:
    key = _key(model)
    return Mart(
        name=model["name"],
        description=_described(model, blocks),
        columns=[
            Column(
                name=column["name"],
                data_type=_SAME_TYPES.get(column["data_type"], column["data_type"]),
                description=_described(column, blocks),
                nullable=column["name"] not in key and not _has(column, "not_null"),
            )
            for column in model["columns"]
        ],
        key=key,
    )


def _key(model: Mapping[str, Any]) -> tuple[str, ...]:
    for constraint in model.get("constraints", []):
        if constraint["type"] == "primary_key":
            return tuple(constraint["columns"])
    return tuple(column["name"] for column in model["columns"] if _has(column, "primary_key"))


def _has(column: Mapping[str, Any], constraint: str) -> bool:
    return any(entry["type"] == constraint for entry in column.get("constraints", []))


def _described(entry: Mapping[str, Any], blocks: Mapping[str, str]) -> str:
    text = _DOC_CALL.sub(lambda call: blocks.get(call[1], "").strip(), entry.get("description", ""))
    return " ".join(text.split())
