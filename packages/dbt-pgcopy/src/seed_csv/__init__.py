"""Reads CSV files as they come out of lab software, and says in plain words what is wrong.

Needs nothing but the standard library, so that a command or a web service can check a file
without loading dbt or a database driver. The rules are in the README of dbt-pgcopy.
"""

from seed_csv.characters import WHITE_SPACE, printable
from seed_csv.checking import Report, check, refuse_unreadable
from seed_csv.errors import SeedFileError
from seed_csv.opening import absence
from seed_csv.seed_file import OWN_COLUMNS, SEPARATOR, SeedFile

__all__ = [
    "OWN_COLUMNS",
    "SEPARATOR",
    "WHITE_SPACE",
    "Report",
    "SeedFile",
    "SeedFileError",
    "absence",
    "check",
    "printable",
    "refuse_unreadable",
]
