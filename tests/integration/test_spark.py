"""Builds on a Spark cluster: a master, two workers and a Connect server on this machine."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from scripts.spark_cluster import Cluster
from tests.integration.conftest import LIMIT, MARTS, Completed, Laboratory
from tests.integration.test_build import EXPORTS
from tests.rules.strategies import dirty_files
from tests.service import until

RATIOS = {"ELUTE_MAX_DROPPED_RATIO": "1", "ELUTE_MAX_NULLED_RATIO": "1"}
STAYS = "What was published before stays."
needs_exports = pytest.mark.skipif(
    not EXPORTS, reason="the real exports are not beside this checkout"
)


def files_of(name: str) -> dict[str, bytes]:
    """The files of the real export of that name."""
    [export] = (path for path in EXPORTS if path.name == name)
    return {path.name: path.read_bytes() for path in export.glob("*.csv")}


class Spark:
    """The cluster, and builds on it.

    Attributes:
        cluster: its processes.
        folder: what a build makes is in a folder there.
    """

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder

    def build(self, laboratory: Laboratory, **variables: str) -> Completed:
        spark = {"SPARK_REMOTE": self.cluster.remote, "ELUTE_SPARK_FOLDER": str(self.folder)}
        return laboratory.build("--target", "spark", **RATIOS, **spark | variables)

    def is_at_work(self) -> bool:
        """Whether a build is somewhere in the middle."""
        return any(self.folder.glob("dbt_*/intermediate__*"))

    def has_left_nothing(self) -> bool:
        return not any(self.folder.iterdir())


@pytest.fixture(scope="module")
def spark() -> Iterator[Spark]:
    if not os.environ.get("SPARK_HOME"):
        pytest.fail("set SPARK_HOME to a Spark, such as the folder of the package pyspark")
    with tempfile.TemporaryDirectory() as name:
        cluster, folder = Cluster(Path(name, "cluster")), Path(name, "folder")
        folder.mkdir()
        try:
            cluster.start()
            yield Spark(cluster, folder)
        finally:
            cluster.stop()


@pytest.fixture(scope="module", autouse=True)
def one_pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def published(laboratory: Laboratory) -> list[dict[str, list[str]]]:
    """By mart, the rows of each build that was published, as text."""
    builds = laboratory.rows("select tables from builds.publications order by build")
    return [
        {mart: _rows(laboratory, build["tables"][mart]["table"]) for mart in MARTS}
        for build in builds
    ]


def _rows(laboratory: Laboratory, table: str) -> list[str]:
    return sorted(
        row["row"] for row in laboratory.rows(f'select t::text as row from builds."{table}" t')
    )


def assert_equal_on_both(laboratory: Laboratory) -> None:
    """The two builds that were published have the same marts, and one of them is of Spark."""
    first, second = published(laboratory)
    for mart in MARTS:
        assert first[mart] == second[mart], mart
    engines = laboratory.rows("select versions ->> 'spark' as spark from builds.publications")
    assert sorted(row["spark"] is None for row in engines) == [False, True]


def test_a_malformed_file_is_named_with_its_line(laboratory: Laboratory, spark: Spark) -> None:
    laboratory.write({"users.csv": b"user_id,name,email,signup_date\n1,A\n2,B,b,2021-03-15,x\n"})
    build = spark.build(laboratory)
    assert build.returncode == 1
    assert "users.csv, line 3: 5 fields where 4 are expected" in build.stderr
    assert STAYS in " ".join(build.stderr.split())
    assert spark.has_left_nothing()


def test_a_full_disk_stops_the_build_in_a_sentence(laboratory: Laboratory, spark: Spark) -> None:
    small = spark.folder.with_name("small")
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "elute", str(small)]
    if os.geteuid() or subprocess.run(mount, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        build = spark.build(laboratory, ELUTE_SPARK_FOLDER=str(small))
        assert build.returncode == 1
        said = " ".join(build.stderr.split())  # It is wrapped.
        assert f"cannot be staged in {small}" in said
        assert f": its disk is full. {STAYS}" in said
        assert not any(small.iterdir())
    finally:
        # Lazily: Spark leaves a file open that it could not write, until its memory is tidied up.
        subprocess.run(["umount", "--lazy", str(small)], check=True)


@settings(
    max_examples=1,
    derandomize=True,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(files=dirty_files(size=60))
def test_dirty_files_give_the_same_marts(
    laboratory: Laboratory, spark: Spark, files: dict[str, bytes]
) -> None:
    laboratory.write(files)
    build = spark.build(laboratory)
    assert build.returncode == 0, build.stdout + build.stderr
    assert laboratory.build(**RATIOS).returncode == 0
    assert_equal_on_both(laboratory)
    assert spark.has_left_nothing()


@needs_exports
def test_engines_take_turns_and_give_the_same_marts(
    laboratory: Laboratory, spark: Spark, one_pool: ThreadPoolExecutor
) -> None:
    laboratory.write(files_of("take_home"))
    running = one_pool.submit(spark.build, laboratory)
    until(spark.is_at_work, LIMIT)
    build = laboratory.build(**RATIOS)
    assert build.returncode == 0, build.stderr
    assert "Another run holds the run lock 'elute'" in build.stdout
    assert running.result().returncode == 0
    assert_equal_on_both(laboratory)


@needs_exports
def test_a_worker_that_is_killed_does_no_harm(
    laboratory: Laboratory, spark: Spark, one_pool: ThreadPoolExecutor
) -> None:
    laboratory.write(files_of("second_export"))
    assert laboratory.build(**RATIOS).returncode == 0
    running = one_pool.submit(spark.build, laboratory)
    until(spark.is_at_work, LIMIT)
    spark.cluster.kill("worker0")
    spark.cluster.start_worker("worker0")
    build = running.result()
    assert build.returncode == 0, build.stdout + build.stderr
    assert_equal_on_both(laboratory)


def test_the_server_is_killed_and_the_next_build_works(
    built: Laboratory, spark: Spark, one_pool: ThreadPoolExecutor
) -> None:
    before = built.marts()
    address = f"{spark.cluster.remote}/;user_agent=secret-of-the-laboratory"
    running = one_pool.submit(spark.build, built, SPARK_REMOTE=address)
    until(spark.is_at_work, LIMIT)
    spark.cluster.kill("connect")
    build = running.result()
    assert build.returncode == 1
    assert f"The Spark server {spark.cluster.remote} does not answer" in build.stderr
    assert "secret-of-the-laboratory" not in build.stdout + build.stderr
    assert "JVM" not in build.stderr
    assert built.marts() == before
    assert spark.has_left_nothing()
    spark.cluster.start_connect()
    again = spark.build(built)
    assert again.returncode == 0, again.stdout + again.stderr
    assert_equal_on_both(built)
