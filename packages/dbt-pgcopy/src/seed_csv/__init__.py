"""Reads CSV files as they come out of lab software, and says in plain words what is wrong.

Needs nothing but the standard library, so that a command or a web service can check a file
without loading dbt or a database driver. The rules are in the README of dbt-pgcopy.
"""

from seed_csv.checking import Report, check, refuse_unreadable
from seed_csv.errors import SeedFileError
from seed_csv.seed_file import SeedFile

__all__ = ["Report", "SeedFile", "SeedFileError", "check", "refuse_unreadable"]
