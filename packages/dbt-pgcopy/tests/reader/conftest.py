"""Tests of the CSV reader alone: no dbt, no database."""

from collections.abc import Callable
from pathlib import Path

import pytest
from seed_csv import SeedFile


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes bytes, or text as UTF-8, to a file and returns its path."""

    def write(content: bytes | str, name: str = "users.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def loaded(csv_file: Callable[..., Path]) -> Callable[..., str]:
    """What COPY is given for a file with these contents."""

    def load(content: bytes | str, columns: list[str] | None = None, **options: object) -> str:
        with SeedFile(csv_file(content), columns, **options) as file:
            parts = [(part.columns, b"".join(part.chunks)) for part in file.copy_parts()]
            assert {columns for columns, _ in parts} <= {file.columns}
            return b"".join(data for _, data in parts).decode()

    return load
