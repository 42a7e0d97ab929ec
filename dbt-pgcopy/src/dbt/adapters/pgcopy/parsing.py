"""Keeps one unreadable seed from ending dbt before anything runs."""

from pathlib import Path

from dbt.contracts.files import FilePath


def leave_unreadable_seeds_to_their_node() -> None:
    """Let dbt parse a project in which a seed is no UTF-8.

    To see whether a seed has changed, dbt reads every one of up to 1 MB as UTF-8 while it parses;
    a single Latin-1 byte ends it with a codec error that names no file. A larger one is known by
    its path alone, so a seed that is no UTF-8 is called too large here. Its own node then fails,
    and says why. From 1.12 on, dbt has the setting maximum_seed_size_mib, though for all seeds.
    """
    too_large = FilePath.seed_too_large

    def seed_too_large(self: FilePath) -> bool:
        return bool(too_large(self)) or not _is_utf8(Path(self.full_path))

    FilePath.seed_too_large = seed_too_large  # type: ignore[method-assign]


def _is_utf8(path: Path) -> bool:
    try:
        path.read_bytes().decode()
    except UnicodeDecodeError:
        return False
    return True
