"""Builds that readers see whole: tables that never change, and views pointed at them. No dbt."""

from immutable_builds.publishing import (
    Build,
    drop_unneeded,
    drop_unpublished,
    files_of_builds,
    note_loaded,
    number_of,
    prepare,
    publish,
    table_name,
)
from immutable_builds.queries import named_queries
from immutable_builds.waiting import STAYS, PublishingError, roll_back, transaction

__all__ = [
    "STAYS",
    "Build",
    "PublishingError",
    "drop_unneeded",
    "drop_unpublished",
    "files_of_builds",
    "named_queries",
    "note_loaded",
    "number_of",
    "prepare",
    "publish",
    "roll_back",
    "table_name",
    "transaction",
]
