"""The macros of dbt-pgcopy."""

from pathlib import Path

PACKAGE_PATH = str(Path(__file__).parent)
