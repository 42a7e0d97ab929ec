"""dbt's own tests for adapters, less what PostgreSQL has not: where they meet our code, or all."""

import importlib
import inspect
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dbt.tests.adapter
import psycopg2
import pytest
from dbt.__version__ import version
from dbt.tests.adapter.empty import _models
from dbt.tests.adapter.ephemeral import test_ephemeral
from dbt.tests.adapter.functions.test_udfs import SqlUDFDefaultArgSupport
from dbt.tests.adapter.hooks.test_model_hooks import BaseTestPrePost
from dbt.tests.adapter.hooks.test_run_hooks import BasePrePostRunHooks
from dbt.tests.adapter.simple_copy.test_copy_uppercase import BaseSimpleCopyUppercase
from dbt.tests.adapter.simple_seed import seeds
from dbt.tests.adapter.simple_seed.test_seed import BaseSimpleSeedWithBOM
from dbt.tests.adapter.utils import fixture_date_spine, fixture_get_intervals_between

NO_MODELS = "a base of other classes, which has nothing to run"
NO_JAVASCRIPT = "dbt-postgres makes no functions in JavaScript"
NO_PYTHON = "dbt-postgres runs no Python, neither models nor functions"
NO_AGGREGATES = "dbt-postgres makes no aggregate functions"
LEFT_OUT = {
    "BaseArrayUtils": NO_MODELS,
    "BaseCachingTest": NO_MODELS,
    "BaseConstraintsColumnsEqual": NO_MODELS,
    "BaseContractSqlHeader": NO_MODELS,
    "BaseDataTypeMacro": NO_MODELS,
    "BaseUtils": NO_MODELS,
    "UDAFBase": NO_MODELS,
    "MaterializedViewBasic": "in test_materialized_views.py",
    "MaterializedViewChanges": "in test_materialized_views.py",
    "MaterializedViewChangesApplyMixin": "in test_materialized_views.py",
    "MaterializedViewChangesContinueMixin": "in test_materialized_views.py",
    "MaterializedViewChangesFailMixin": "in test_materialized_views.py",
    "BaseGetCatalogForSingleRelation": "dbt-postgres finds no single relation for the catalog",
    "BaseClonePossible": "PostgreSQL cannot clone a table",
    "BaseCurrentTimestampNaive": "now() of PostgreSQL knows its time zone",
    "BaseEscapeSingleQuotesBackslash": "PostgreSQL escapes a quote with another, not a backslash",
    "BasePySparkTests": NO_PYTHON,
    "BasePythonEmptyTests": NO_PYTHON,
    "BasePythonIncrementalTests": NO_PYTHON,
    "BasePythonMetaGetTests": NO_PYTHON,
    "BasePythonModelTests": NO_PYTHON,
    "BasePythonSampleTests": NO_PYTHON,
    "BasicPythonUDAF": NO_PYTHON,
    "PythonUDAFDefaultArgSupport": NO_PYTHON,
    "PythonUDFDefaultArgSupport": NO_PYTHON,
    "PythonUDFSupported": NO_PYTHON,
    "PythonUDFVolatilitySupport": NO_PYTHON,
    "PythonUDFWithPackagesSupported": NO_PYTHON,
    "BasicSQLUDAF": NO_AGGREGATES,
    "BasicJSAggregateUDF": NO_JAVASCRIPT,
    "BasicJSUDF": NO_JAVASCRIPT,
    "JSAggregateUDFVolatilityIgnored": NO_JAVASCRIPT,
    "JSUDFDefaultArgSupport": NO_JAVASCRIPT,
    "JSUDFDeterministicVolatility": NO_JAVASCRIPT,
    "JSUDFMultiLineBody": NO_JAVASCRIPT,
    "JSUDFNonDeterministicVolatility": NO_JAVASCRIPT,
    "JSUDFStableVolatilityWarns": NO_JAVASCRIPT,
}
if version < "1.12":
    LEFT_OUT["BaseTestEmptySeedFlag"] = "dbt 1.11 has no such flag for seeds"
# These folders prove SQL of dbt-postgres, which dbt-pgcopy leaves as it is: the classes named here
# show that it is found, or run through code of ours. WHOLE_DBT_SUITE=1 runs the others too.
MEETING_OURS = {
    "constraints": (
        "BaseConstraintQuotedColumn",
        "BaseConstraintsRollback",
        "BaseConstraintsRuntimeDdlEnforcement",
        "BaseModelConstraintsRuntimeEnforcement",
        "BaseTableConstraintsColumnsEqual",
        "BaseTableContractSqlHeader",
    ),
    "functions": ("UDFsBasic",),
    "incremental": ("BaseMicrobatch",),
    "simple_snapshot": ("BaseSimpleSnapshot",),
    "store_test_failures_tests": ("BaseStoreTestFailures",),
    "utils": (
        "BaseCalculateFreshnessMethod",
        "BaseCurrentTimestampAware",
        "BaseDateAdd",
        "BaseValidateSqlMethod",
    ),
}


class HookNames:
    """The tests of hooks know the names of one certain server."""

    @pytest.fixture(scope="class")
    def test_data_dir(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("data")
        columns = (
            "test_state text, target_dbname text, target_host text, target_name text, "
            "target_schema text, target_type text, target_user text, target_pass text, "
            "target_threads int, run_started_at text, invocation_id text, thread_id text"
        )
        for kind in ("model", "run"):
            table = "{schema}" + f".on_{kind}_hook"
            (folder / f"seed_{kind}.sql").write_text(
                f"drop table if exists {table}; create table {table} ({columns})"
            )
        return folder

    def get_ctx_vars(self, *arguments: Any, **options: Any) -> Any:
        found = super().get_ctx_vars(*arguments, **options)  # type: ignore[misc]
        for context in found if isinstance(found, list) else [found]:
            assert context["target_type"] == "pgcopy"
            context.update(target_dbname="dbt", target_type="postgres", target_user="root")
        return found


class EphemeralNames:
    """So do these, in the SQL that they expect in a file."""

    @pytest.fixture(autouse=True)
    def names(self, project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def read(path: str, _mode: str) -> io.StringIO:
            text = Path(path).read_text(encoding="utf-8")
            text = text.replace(f'"{project.database}"', '"dbt"')
            return io.StringIO(text.replace(project.test_schema, "test_test_ephemeral"))

        monkeypatch.setattr(test_ephemeral, "open", read, raising=False)


class FileWithMark:
    """This looks for a file beside the test."""

    @pytest.fixture(scope="class")
    def project(self, project: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
        project.test_dir = tmp_path_factory.mktemp("seeds")
        text = "\ufeff" + seeds.seed__actual_csv
        (project.test_dir / "seed_bom.csv").write_text(text, encoding="utf-8")
        return project


class MixedCaseDatabase:
    """These want a database with capitals in its name."""

    @pytest.fixture(scope="class")
    def dbt_profile_target(
        self, dbt_profile_target: dict[str, Any], worker: str
    ) -> Iterator[dict[str, Any]]:
        session = psycopg2.connect("")
        session.autocommit = True
        name = f"dbtMixedCase_{worker}"
        with session.cursor() as cursor:
            cursor.execute(f'create database "{name}"')
            yield dbt_profile_target | {"dbname": name}
            cursor.execute(f'drop database "{name}" with (force)')
        session.close()


class DefaultArguments:
    expect_default_arg_support = True


CHANGES: dict[type, type] = {
    BaseTestPrePost: HookNames,
    BasePrePostRunHooks: HookNames,
    test_ephemeral.BaseEphemeralMulti: EphemeralNames,
    test_ephemeral.BaseEphemeralNested: EphemeralNames,
    SqlUDFDefaultArgSupport: DefaultArguments,
    BaseSimpleCopyUppercase: MixedCaseDatabase,
    BaseSimpleSeedWithBOM: FileWithMark,
}
# The others do without manifest.json, the writing of which is a fifth of their time.
WITH_ARTIFACTS = {
    "BaseCloneNotPossible",
    "BaseCloneSameSourceAndTarget",
    "BaseCloneSameTargetAndState",
    "BaseDocsGenReferences",
    "BaseDocsGenerate",
    "BaseEmpty",
}
# Some models of dbt's ask for the type of the adapter, and know only so many; one wants a column
# in capitals, which PostgreSQL folds where the column is made.
FIXTURES = {
    fixture_date_spine: ("== 'postgres'", "== 'pgcopy'"),
    fixture_get_intervals_between: ("== 'postgres'", "== 'pgcopy'"),
    _models: ('"MY_VALUE"', '"my_value"'),
}


@pytest.fixture(autouse=True, scope="module")
def as_for_postgres() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module, change in FIXTURES.items():
            for name, text in inspect.getmembers(module, lambda member: isinstance(member, str)):
                patch.setattr(module, name, text.replace(*change))
        yield


@pytest.fixture(autouse=True, scope="class")
def artifacts(request: pytest.FixtureRequest) -> Iterator[None]:
    bases = {base.__name__ for base in request.cls.mro()} if request.cls else set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_WRITE_JSON", str(bool(bases & WITH_ARTIFACTS)))
        yield


def suite() -> Iterator[type]:
    """Every class of dbt.tests.adapter that has tests, in a fixed order."""
    root = Path(next(iter(dbt.tests.adapter.__path__)))
    # Not pkgutil, which passes over the folders that have no __init__.py.
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        module = importlib.import_module(".".join(("dbt.tests.adapter", *parts)))
        for name, member in inspect.getmembers(module, inspect.isclass):
            own = member.__module__ == module.__name__ and not name.startswith(("Test", "_"))
            if own and any(attribute.startswith("test_") for attribute in dir(member)):
                yield member


def is_met(base: type) -> bool:
    """Whether it runs through code of ours, or everything is to run."""
    folder = base.__module__.split(".")[3]
    is_ours = base.__name__ in MEETING_OURS.get(folder, [base.__name__])
    return is_ours or "WHOLE_DBT_SUITE" in os.environ


BASES = {base.__name__: base for base in suite()}
for name in sorted(BASES.keys() - LEFT_OUT.keys()):
    if not is_met(BASES[name]):
        continue
    changes = tuple(change for base, change in CHANGES.items() if issubclass(BASES[name], base))
    vars()[f"Test{name}"] = type(f"Test{name}", (*changes, BASES[name]), {})


def test_nothing_is_left_out_that_is_not_there() -> None:
    met = {name for names in MEETING_OURS.values() for name in names}
    assert LEFT_OUT.keys() | WITH_ARTIFACTS | met <= BASES.keys()
