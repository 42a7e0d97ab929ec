"""What a seed node says about its file and its table."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbt.adapters.contracts.connection import AdapterRequiredConfig
from dbt.parser.read_files import generate_dbt_ignore_spec
from dbt_common.clients.system import find_matching
from dbt_common.exceptions import DbtRuntimeError
from seed_csv import OWN_COLUMNS, SeedFile, SeedFileError, absence, refuse_unreadable

_GENERATED = re.compile(r"\bgenerated\s+(always|by\s+default)\s+as\b", re.IGNORECASE)


class Seed:
    """A seed that is to be loaded with COPY.

    Attributes:
        path: the file to load.
        delimiter: the character between its fields, if the file does not say otherwise.
        encoding: of a file without a byte order mark.
        columns: name in the table and declared type of every column, in the table's order.
        extra_columns: columns of the file that are not loaded.
        wanted: name in the file and name in the table of the columns to load.
        kept_in: folder in which the files that were loaded are kept; None if they are not.
    """

    def __init__(self, path: Path, model: Mapping[str, Any], file: SeedFile) -> None:
        config = model["config"]
        declared = _declared(model)
        names = {name.casefold(): name for name in declared}
        # A seed written for this adapter says itself what its table has; any other has the
        # columns of its file, as with dbt-postgres.
        order = list(declared) if _is_strict(model) else [names[c.casefold()] for c in file.columns]
        self.path, self.delimiter, self.encoding = path, config["delimiter"], _encoding(model)
        kept_in = _meta(model).get("csv_kept_in")
        self.kept_in = Path(kept_in).expanduser() if kept_in else None
        self.extra_columns = file.extra_columns
        self.columns = {_stored(name, config): declared[name] for name in order}
        loaded = {column.casefold() for column in (*file.columns, *OWN_COLUMNS)}
        self.wanted = {n: _stored(n, config) for n in order if n.casefold() in loaded}


def seed_for_copy(config: AdapterRequiredConfig, model: Mapping[str, Any]) -> Seed | None:
    """The seed, if every column of it has a declared type; None if dbt-postgres has to load it.

    Args:
        config: the project's configuration.
        model: the seed node, as Jinja has it.

    Raises:
        DbtRuntimeError: the file cannot be read, or lacks a declared column.
    """
    path = _path(config, model)
    try:
        if not _declared(model) or not _is_one_byte(model["config"]["delimiter"]):
            refuse_unreadable(path)
            return None
        with SeedFile(
            path,
            _wanted(model),
            delimiter=model["config"]["delimiter"],
            encoding=_encoding(model),
        ) as file:
            declared = {name.casefold() for name in _declared(model)}
            if all(name.casefold() in declared for name in file.columns):
                return Seed(path, model, file)
        refuse_unreadable(path)
    except SeedFileError as error:
        raise DbtRuntimeError(str(error)) from error
    return None


def refuse_what_dbt_cannot_hash(config: Any) -> None:
    """Name a seed that dbt would stumble over while it parses, with an error that names none.

    To see whether a seed has changed, dbt reads it as UTF-8 if it is not above a size, which dbt
    1.12 lets one set. One that is not read so fails in its own node, as any bad file does.

    Args:
        config: the project's configuration; `dbt debug` has but a profile here.

    Raises:
        DbtRuntimeError: a seed that dbt is going to read is no UTF-8.
    """
    limit = getattr(config.args, "MAXIMUM_SEED_SIZE_MIB", 1) if hasattr(config, "args") else 1
    folders = list(getattr(config, "seed_paths", ()))
    if folders:
        ignored = generate_dbt_ignore_spec(config.project_root)  # type: ignore[no-untyped-call]
        found = find_matching(config.project_root, folders, "*.csv", ignored)
        for path in sorted(Path(file["absolute_path"]) for file in found):
            if limit == 0 or path.stat().st_size <= limit << 20:
                _refuse_other_than_utf8(path)


def _refuse_other_than_utf8(path: Path) -> None:
    try:
        path.read_bytes().decode()
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DbtRuntimeError(
            f"{path.name}, line {line}: byte 0x{error.object[error.start]:02X} is not UTF-8 text, "
            "and dbt reads this seed as such before anything runs. Save the file as UTF-8; or keep "
            "it in a csv_folder; or set the flag maximum_seed_size_mib of dbt 1.12 to -1."
        ) from error


def _path(config: Any, model: Mapping[str, Any]) -> Path:
    folder = _meta(model).get("csv_folder")
    if folder:
        return _in_folder(Path(config.project_root, Path(folder).expanduser()), model)
    # Where dbt itself looks for it; see load_agate_table in dbt's context.
    package = Path()
    if model["package_name"] != config.project_name:
        package = Path(config.packages_install_path, model["package_name"])
    path = Path(config.project_root, package, model["original_file_path"])
    return path if path.exists() else Path(model["root_path"], model["original_file_path"])


def _in_folder(folder: Path, model: Mapping[str, Any]) -> Path:
    path = folder / f"{model['name']}.csv"
    try:
        path.stat()  # `exists` of some Pythons tells a folder out of reach as no file
    except PermissionError as error:
        what = f"the folder {folder} cannot be looked into: {error.strerror}"
        raise DbtRuntimeError(f"{path.name}: {what}. Let user id {os.geteuid()} do so") from error
    except OSError as error:
        where = absence(path)
        raise DbtRuntimeError(f"{path.name} is missing from the folder {where}") from error
    return path


def _declared(model: Mapping[str, Any]) -> dict[str, str]:
    return dict(model["config"].get("column_types") or {})


def _meta(model: Mapping[str, Any]) -> dict[str, Any]:
    return dict(model["config"].get("meta") or {})


def _encoding(model: Mapping[str, Any]) -> str:
    return str(_meta(model).get("csv_encoding") or "utf-8")


def _is_strict(model: Mapping[str, Any]) -> bool:
    """Whether the seed was written for this adapter, so that column_types names all columns."""
    types = _declared(model).values()
    return "csv_folder" in _meta(model) or any(_GENERATED.search(type_) for type_ in types)


def _wanted(model: Mapping[str, Any]) -> list[str] | None:
    if not _is_strict(model):
        return None
    return [name for name, type_ in _declared(model).items() if not _GENERATED.search(type_)]


def _stored(name: str, config: Mapping[str, Any]) -> str:
    """The name as PostgreSQL stores it: it folds what is not quoted to small ASCII letters."""
    if config.get("quote_columns"):
        return name
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)


def _is_one_byte(delimiter: str) -> bool:
    return len(delimiter) == 1 and delimiter.isascii() and delimiter not in '"\r\n\0'
