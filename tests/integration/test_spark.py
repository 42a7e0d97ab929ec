"""Builds on a Spark cluster: a master, two workers and a Connect server on this machine."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import boto3  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from moto.server import ThreadedMotoServer

from scripts.spark_cluster import Cluster
from tests.integration.conftest import (
    EXPLAINING,
    EXPLAINING_VIEWS,
    LIMIT,
    MARTS,
    Completed,
    Laboratory,
)
from tests.integration.test_build import EXPORTS
from tests.rules.strategies import dirty_files
from tests.service import Service, serving, until

RATIOS = {"ELUTE_MAX_DROPPED_RATIO": "1", "ELUTE_MAX_NULLED_RATIO": "1"}
WORKERS = ("worker0", "worker1")
PUBLISHED = (*MARTS, *EXPLAINING, *EXPLAINING_VIEWS)
STAYS = "What was published before stays."


def files_of(name: str) -> dict[str, bytes]:
    """The files of the real export of that name; none if it is not beside this checkout."""
    exports = [path for path in EXPORTS if path.name == name]
    return {path.name: path.read_bytes() for export in exports for path in export.glob("*.csv")}


class Spark:
    """The cluster, and builds on it.

    Attributes:
        cluster: its processes.
        folder: what a build makes is in a folder there.
    """

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder

    @property
    def settings(self) -> dict[str, str]:
        """What has Elute build on it."""
        return {
            "ELUTE_ENGINE": "spark",
            "SPARK_REMOTE": self.cluster.remote,
            "ELUTE_SPARK_FOLDER": str(self.folder),
        }

    def build(self, laboratory: Laboratory, **variables: str) -> Completed:
        return laboratory.build(**RATIOS, **self.settings | variables)

    @contextmanager
    def without_workers(self) -> Iterator[None]:
        """Meanwhile no job comes to its end by itself."""
        for name in WORKERS:
            self.cluster.kill(name)
        try:
            yield
        finally:
            for name in WORKERS:
                self.cluster.start_worker(name)

    def is_at_work(self) -> bool:
        """Whether a build is somewhere in the middle."""
        return any(self.folder.glob("dbt_*/intermediate__*"))

    def has_left_nothing(self) -> bool:
        return not any(self.folder.iterdir())


@pytest.fixture(scope="module")
def one_spark() -> Iterator[Spark]:
    if not os.environ.get("SPARK_HOME"):
        pytest.fail("set SPARK_HOME to a Spark, such as the folder of the package pyspark")
    with tempfile.TemporaryDirectory() as name:
        cluster, folder = Cluster(Path(name, "cluster")), Path(name, "the cluster's")
        folder.mkdir()
        bucket = Path(name, "bucket")
        bucket.mkdir()
        # Hadoop's client of S3 is in no package that can be installed here: what Spark calls
        # s3a://elute is a folder to it, where `object_store` mounts that bucket.
        Path(name, "spark-defaults.conf").write_text(
            "spark.hadoop.fs.s3a.impl org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme\n"
            "spark.hadoop.fs.viewfs.overload.scheme.target.file.impl "
            "org.apache.hadoop.fs.LocalFileSystem\n"
            f"spark.hadoop.fs.viewfs.mounttable.elute.link./builds file://{bucket}/builds\n"
        )
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("SPARK_CONF_DIR", name)
            # To compile as quickly as can be pays here: no Java machine lives for long.
            environment.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
            try:
                cluster.start()
                yield Spark(cluster, folder)
            finally:
                cluster.stop()


@pytest.fixture
def spark(one_spark: Spark) -> Spark:
    """With its Connect server, which the test before may have killed."""
    if "connect" not in one_spark.cluster.processes:
        one_spark.cluster.start_connect()
    return one_spark


@pytest.fixture
def object_store(spark: Spark) -> Iterator[dict[str, str]]:
    """A server of S3 with a bucket `elute`, and what has a build use it."""
    bucket, key = spark.folder.with_name("bucket"), spark.folder.with_name("key")
    key.write_text("id:secret")
    key.chmod(0o600)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        endpoint = "{}:{}".format(*server.get_host_and_port())
        boto3.client(
            "s3",
            endpoint_url=f"http://{endpoint}",
            region_name="us-east-1",
            aws_access_key_id="id",
            aws_secret_access_key="secret",
        ).create_bucket(Bucket="elute")
        options = f"url=http://{endpoint},use_path_request_style,passwd_file={key}"
        mount = ["s3fs", "elute", str(bucket), "-o", options]
        if not shutil.which("s3fs") or subprocess.run(mount, check=False).returncode:
            pytest.skip("no file system can be mounted here")
        try:
            yield {
                "ELUTE_SPARK_FOLDER": f"s3://elute/builds?scheme=http&endpoint_override={endpoint}",
                "AWS_ACCESS_KEY_ID": "id",
                "AWS_SECRET_ACCESS_KEY": "secret",
            }
        finally:
            subprocess.run(["umount", "--lazy", str(bucket)], check=True)
    finally:
        server.stop()


@pytest.fixture(scope="module", autouse=True)
def one_pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def published(laboratory: Laboratory) -> list[dict[str, list[str]]]:
    """By table and view, the rows of each build that was published, as text."""
    builds = laboratory.rows("select tables from builds.publications order by build")
    return [
        {name: _rows(laboratory, build["tables"][name]["table"]) for name in PUBLISHED}
        for build in builds
    ]


def _rows(laboratory: Laboratory, table: str) -> list[str]:
    return sorted(
        row["row"] for row in laboratory.rows(f'select t::text as row from builds."{table}" t')
    )


def assert_equal_on_both(laboratory: Laboratory) -> None:
    """The two builds that were published have the same rows, and one of them is of Spark."""
    first, second = published(laboratory)
    for name in PUBLISHED:
        assert first[name] == second[name], name
    engines = laboratory.rows("select versions ->> 'spark' as spark from builds.publications")
    assert sorted(row["spark"] is None for row in engines) == [False, True]


def test_a_malformed_file_is_named_with_its_line(laboratory: Laboratory, spark: Spark) -> None:
    laboratory.write({"users.csv": b"user_id,name,email,signup_date\n1,A\n2,B,b,2021-03-15,x\n"})
    build = spark.build(laboratory)
    assert build.returncode == 1
    assert "users.csv, line 3: 5 fields where 4 are expected" in build.stderr
    assert STAYS in " ".join(build.stderr.split())
    assert spark.has_left_nothing()


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        ("4k", r"\.csv cannot be staged in {folder}/dbt_\w+: its disk is full\. "),
        ("16k", r"A disk of the Spark cluster, or of the folder of its builds, is full\. "),
    ],
    ids=["a file", "a table"],
)
def test_a_full_disk_stops_the_build_in_a_sentence(
    laboratory: Laboratory, spark: Spark, size: str, reason: str
) -> None:
    small = spark.folder.with_name("small")
    small.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "elute", str(small)]
    if os.geteuid() or subprocess.run(mount, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        build = spark.build(laboratory, ELUTE_SPARK_FOLDER=str(small))
        assert build.returncode == 1
        said = " ".join(build.stderr.split())  # It is wrapped.
        assert re.search(f"{reason.format(folder=small)}.*{STAYS}$", said)
        assert "SQLSTATE" not in said
        assert not any(small.iterdir())
    finally:
        # Lazily: Spark leaves a file open that it could not write, until its memory is tidied up.
        subprocess.run(["umount", "--lazy", str(small)], check=True)


def test_the_folder_may_be_in_an_object_store(
    laboratory: Laboratory, spark: Spark, object_store: dict[str, str]
) -> None:
    laboratory.write(files_of("take_home"))
    left = spark.folder.with_name("bucket") / "builds" / ("dbt_" + "0" * 32)
    left.mkdir(parents=True)
    (left / "part-0.parquet").write_bytes(b"of a build that was killed")
    build = spark.build(laboratory, **object_store)
    assert build.returncode == 0, build.stdout + build.stderr
    assert laboratory.build(**RATIOS).returncode == 0
    assert_equal_on_both(laboratory)
    assert not any(left.parent.iterdir())
    assert spark.has_left_nothing()
    elsewhere = object_store["ELUTE_SPARK_FOLDER"].replace("elute", "nowhere")
    build = spark.build(laboratory, **object_store | {"ELUTE_SPARK_FOLDER": elsewhere})
    assert build.returncode == 1
    said = " ".join(build.stderr.split())  # It is wrapped.
    assert f"No folder can be made in {elsewhere}: " in said
    assert "The specified bucket does not exist" in said
    assert STAYS in said


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


def test_engines_take_turns_and_a_killed_worker_does_no_harm(
    laboratory: Laboratory, spark: Spark, one_pool: ThreadPoolExecutor
) -> None:
    laboratory.write(files_of("take_home"))
    running = one_pool.submit(spark.build, laboratory)
    until(spark.is_at_work, LIMIT)
    spark.cluster.kill("worker0")
    spark.cluster.start_worker("worker0")
    build = laboratory.build(**RATIOS)
    assert build.returncode == 0, build.stderr
    assert "Another run holds the run lock 'elute'" in build.stdout
    on_spark = running.result()
    assert on_spark.returncode == 0, on_spark.stdout + on_spark.stderr
    assert_equal_on_both(laboratory)


def test_the_server_is_killed_and_the_next_build_works(
    laboratory: Laboratory, spark: Spark, one_pool: ThreadPoolExecutor
) -> None:
    laboratory.write(files_of("second_export"))
    assert laboratory.build(**RATIOS).returncode == 0
    before = laboratory.marts()
    address = f"{spark.cluster.remote}/;user_agent=secret-of-the-laboratory"
    running = one_pool.submit(spark.build, laboratory, SPARK_REMOTE=address)
    until(spark.is_at_work, LIMIT)
    spark.cluster.kill("connect")
    build = running.result()
    spark.cluster.start_connect()
    assert build.returncode == 1
    said = " ".join(build.stderr.split())  # It is wrapped.
    assert f"The Spark server {spark.cluster.remote} does not answer" in said
    assert "secret-of-the-laboratory" not in build.stdout + build.stderr
    assert "JVM" not in build.stderr
    assert laboratory.marts() == before
    assert spark.has_left_nothing()
    again = spark.build(laboratory)
    assert again.returncode == 0, again.stdout + again.stderr
    assert_equal_on_both(laboratory)


def test_a_build_that_is_stopped_or_killed_leaves_nothing_at_work(
    built: Laboratory, spark: Spark, tmp_path: Path
) -> None:
    before, log = built.marts(), tmp_path / "said.log"
    with spark.without_workers(), log.open("wb") as file:
        killed = built.start_build(file.fileno(), **spark.settings)
        until(spark.cluster.jobs, LIMIT)
        os.kill(killed.pid, signal.SIGKILL)
        assert killed.wait() == -signal.SIGKILL
        left = spark.cluster.jobs()
        stopped = built.start_build(file.fileno(), **spark.settings)
        until(lambda: not spark.cluster.jobs() & left, LIMIT)
        until(spark.cluster.jobs, LIMIT)
        os.kill(stopped.pid, signal.SIGTERM)
        assert stopped.wait() == 128 + signal.SIGTERM
        until(lambda: not spark.cluster.jobs(), LIMIT)
    assert f"Stopped. {STAYS}" in " ".join(log.read_text().split())
    assert built.marts() == before
    assert spark.has_left_nothing()


def test_the_service_builds_explains_and_cancels(spark: Spark) -> None:
    with serving(**spark.settings) as service:
        until(lambda: state(service, 1) == "succeeded", LIMIT)
        assert service.ask("GET", "/runs/1").json["is_warm"]
        assert "Already current" in service.ask("POST", "/trigger-etl").json["message"]
        for path in ("/etl-results/1/explain", "/compounds/2/explain"):
            assert service.ask("GET", path).json["is_consistent"], path
        until(lambda: service.ask("GET", "/docs/").status == 200, LIMIT)
        with spark.without_workers():
            service.ask("POST", "/trigger-etl?force=1&wait=0")
            until(spark.cluster.jobs, LIMIT)
            service.ask("DELETE", "/runs/2")
            until(lambda: state(service, 2) == "cancelled", LIMIT)
            until(lambda: not spark.cluster.jobs(), LIMIT)
        assert spark.has_left_nothing()
        spark.cluster.kill("connect")
        answer = service.ask("POST", "/trigger-etl?force=1&wait=300")
        assert answer.status == 503
        assert f"The Spark server {spark.cluster.remote} does not answer" in answer.json["message"]


def state(service: Service, run: int) -> str:
    return str(service.ask("GET", f"/runs/{run}").json.get("state"))  # It may not be there yet.
