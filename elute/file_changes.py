"""Which records of the input files are not the same in two builds, in the files that are kept."""

from typing import Any

from psycopg2 import sql
from seed_csv import OWN_COLUMNS

from elute.database.history import Published
from elute.database.sessions import Session
from elute.inputs import columns
from elute.rehearsal import load, rolled_back
from elute.settings import Settings

MOST_RECORDS = 200  # of a file, that are listed
_NUMBER = {"record_number": "bigint generated always as identity"}
# As bags, for nothing says that the keys of a file are good.
_COMPARED = """
with both_files as (
    select -1 as sign, * from pg_temp.before
    union all
    select 1, * from pg_temp.after
),

different as (
    select
        {columns},
        sum(sign) as difference,
        min(record_number) filter (where sign = -1) as number_before,
        min(record_number) filter (where sign = 1) as number_after
    from both_files
    group by {columns}
    having sum(sign) <> 0
),

listed as (
    select
        case when difference > 0 then 'added' else 'removed' end as change,
        case when difference > 0 then number_after else number_before end as record_number,
        abs(difference) as times,
        json_build_object({pairs}) as record
    from different
    order by length({key}), {key}, change desc, record_number
    limit {most}
)

select
    coalesce(sum(difference) filter (where difference > 0), 0)::bigint,
    coalesce(-sum(difference) filter (where difference < 0), 0)::bigint,
    (select coalesce(json_agg(listed), '[]') from listed)
from different
"""


def between(
    session: Session, settings: Settings, before: Published, after: Published
) -> dict[str, Any]:
    """What differs, by file: how many records were added and removed, and MOST_RECORDS of them.

    A record that was changed is one that was removed and one that was added. Those that are alike
    are listed once, with the number of the first, and `times`.

    Args:
        session: in autocommit mode, of a user who may make temporary tables.
        settings: where files are kept.
        before: the one build.
        after: the other.

    Raises:
        psycopg2.errors.QueryCanceled: it takes too long.
    """
    files, not_kept = [], []
    for name in columns():
        digests = [build.files.get(name) for build in (before, after)]
        if digests[0] == digests[1]:
            files.append({"name": name, "added": 0, "removed": 0, "records": []})
        elif all(digest and (settings.kept_files / digest).exists() for digest in digests):
            files.append({"name": name, **_compared(session, settings, name, before, after)})
        else:
            not_kept.append(name)
    return {"build": after.build, "from": before.build, "files": files, "not_kept": not_kept}


def _compared(
    session: Session, settings: Settings, name: str, before: Published, after: Published
) -> dict[str, Any]:
    compared = columns()[name]
    # The reader's own are not compared, but it takes no short record where they are not declared.
    types = {**dict.fromkeys((*compared, *OWN_COLUMNS), "text"), **_NUMBER}
    pairs = (part for column in compared for part in (sql.Literal(column), sql.Identifier(column)))
    statement = sql.SQL(_COMPARED).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, compared)),
        pairs=sql.SQL(", ").join(pairs),
        key=sql.Identifier(compared[0]),
        most=sql.Literal(MOST_RECORDS),
    )
    with rolled_back(session) as cursor:
        for table, build in (("before", before), ("after", after)):
            encoding = build.options.get("csv_encoding", settings.csv_encoding)
            load(cursor, table, types, settings.kept_files / build.files[name], encoding)
        cursor.execute(statement)
        [[added, removed, records]] = cursor.fetchall()
    return {"added": added, "removed": removed, "records": records}
