"""dbt's own tests of materialized views, which want to be told how a database is looked into."""

from typing import Any

import pytest
from dbt.adapters.base.relation import BaseRelation
from dbt.tests.adapter.materialized_view import files
from dbt.tests.adapter.materialized_view.basic import MaterializedViewBasic
from dbt.tests.adapter.materialized_view.changes import (
    MaterializedViewChanges,
    MaterializedViewChangesApplyMixin,
    MaterializedViewChangesContinueMixin,
    MaterializedViewChangesFailMixin,
)
from dbt.tests.util import get_model_file, set_model_file

WITH_INDEX = files.MY_MATERIALIZED_VIEW.replace(
    "materialized='materialized_view',",
    "materialized='materialized_view', indexes=[{'columns': ['id']}],",
)
KINDS = {"r": "table", "v": "view", "m": "materialized_view"}


class OnPostgresql:
    @pytest.fixture(scope="class", autouse=True)
    def models(self) -> dict[str, str]:
        return {
            "my_table.sql": files.MY_TABLE,
            "my_view.sql": files.MY_VIEW,
            "my_materialized_view.sql": WITH_INDEX,
        }

    @staticmethod
    def query_relation_type(project: Any, relation: BaseRelation) -> str | None:
        query = f"select relkind::text from pg_class where oid = to_regclass('{relation}')"
        found = project.run_sql(query, fetch="one")
        return found and KINDS[found[0]]


class TestMaterializedViewBasic(OnPostgresql, MaterializedViewBasic):
    @staticmethod
    def insert_record(project: Any, table: BaseRelation, record: tuple[int, int]) -> None:
        project.run_sql(f"insert into {table} (id, value) values {record}")

    @staticmethod
    def refresh_materialized_view(project: Any, materialized_view: BaseRelation) -> None:
        project.run_sql(f"refresh materialized view {materialized_view}")

    @staticmethod
    def query_row_count(project: Any, relation: BaseRelation) -> int:
        return int(project.run_sql(f"select count(*) from {relation}", fetch="one")[0])


class Changes(OnPostgresql, MaterializedViewChanges):
    """An index is what may change without making the view anew; no other change is looked for."""

    test_change_is_applied_via_replace = None
    test_change_is_not_applied_via_replace = None

    @staticmethod
    def check_start_state(project: Any, materialized_view: BaseRelation) -> None:
        assert indexed_columns(project, materialized_view) == ["id"]

    @staticmethod
    def change_config_via_alter(project: Any, materialized_view: BaseRelation) -> None:
        model = get_model_file(project, materialized_view)
        set_model_file(project, materialized_view, model.replace("['id']", "['value']"))

    @staticmethod
    def check_state_alter_change_is_applied(project: Any, materialized_view: BaseRelation) -> None:
        assert indexed_columns(project, materialized_view) == ["value"]


class TestChangesApply(Changes, MaterializedViewChangesApplyMixin):
    pass


class TestChangesContinue(Changes, MaterializedViewChangesContinueMixin):
    pass


class TestChangesFail(Changes, MaterializedViewChangesFailMixin):
    pass


def indexed_columns(project: Any, relation: BaseRelation) -> list[str]:
    query = (
        "select attname from pg_index join pg_attribute on attrelid = indexrelid "
        f"where indrelid = '{relation}'::regclass"
    )
    return [column for (column,) in project.run_sql(query, fetch="all")]
