"""A small Spark cluster on this machine: a master, two workers, a Connect server, as processes.

`SPARK_HOME=… python scripts/spark_cluster.py FOLDER` starts it, says where it is, and ends it at
Ctrl-C. SPARK_HOME is a Spark, such as the folder `pyspark` of the package of that name; FOLDER is
for what it writes.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
LIMIT = 300.0  # seconds; much longer than a start takes
_CONNECT = "org.apache.spark.sql.connect.service.SparkConnectServer"
_DEPLOY = "org.apache.spark.deploy"


class Cluster:
    """The processes; `start` them, and `stop` them at the end.

    Args:
        folder: for logs and what workers write.
        workers: how many there are, each with one core.
        memory: of an executor, and of the Connect server.
        listen: address and port of the Connect server; by default any free port, on this machine
            alone.
    """

    def __init__(
        self, folder: Path, workers: int = 2, memory: str = "1g", listen: str = f"{HOST}:"
    ) -> None:
        self._folder, self._workers, self._memory = folder, workers, memory
        self._master, self._master_web, free, self._connect_web = _free_ports(4)
        self._address, _, port = listen.rpartition(":")
        self._connect = int(port or free)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def remote(self) -> str:
        """The address for SPARK_REMOTE."""
        return f"sc://{HOST}:{self._connect}"

    def start(self) -> None:
        """Start all processes, and wait until the Connect server answers."""
        self._spark_class(
            "master", f"{_DEPLOY}.master.Master", f"--port={self._master}",
            f"--webui-port={self._master_web}", f"--host={HOST}",
        )  # fmt: skip
        self._until(lambda: self.alive_workers() == 0, "master")
        for number in range(self._workers):
            self.start_worker(f"worker{number}")
        self.start_connect()
        self._until(lambda: self.alive_workers() == self._workers, "master")

    def start_worker(self, name: str) -> None:
        """Start a worker, which the master knows of a little later."""
        self._spark_class(
            name, f"{_DEPLOY}.worker.Worker", f"--host={HOST}", "--webui-port=0", "--cores=1",
            f"--memory={self._memory}", f"--work-dir={self._folder / name}",
            f"spark://{HOST}:{self._master}",
        )  # fmt: skip

    def start_connect(self) -> None:
        """Start the Connect server, and wait until it answers."""
        settings = {
            "spark.driver.bindAddress": HOST,
            "spark.driver.host": HOST,
            "spark.ui.port": str(self._connect_web),
            "spark.sql.catalogImplementation": "in-memory",
            "spark.sql.warehouse.dir": str(self._folder / "warehouse"),
            # Many small parts are quicker than a few large ones: what is counted of one stays in
            # the processor's cache. Of little data there are few all the same.
            "spark.sql.shuffle.partitions": str(16 * self._workers),
            "spark.sql.adaptive.advisoryPartitionSizeInBytes": "8m",
            # It plans and has no rows to work on, so compiling what it runs twice is not worth it.
            "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
            "spark.connect.grpc.binding.address": self._address,
            "spark.connect.grpc.binding.port": str(self._connect),
        }
        self._run(
            "connect", "spark-submit", f"--class={_CONNECT}",
            f"--master=spark://{HOST}:{self._master}",
            f"--executor-memory={self._memory}", "--executor-cores=1",
            *(f"--conf={name}={value}" for name, value in settings.items()), "spark-internal",
        )  # fmt: skip
        self._until(lambda: _answers(self._connect), "connect")

    def kill(self, name: str) -> None:
        """End a process at once, as a crash does, and with it what it has started."""
        process = self.processes.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """End all."""
        for name in reversed(list(self.processes)):
            self.processes[name].terminate()
            with suppress(subprocess.TimeoutExpired):
                self.processes[name].wait(20)
            self.kill(name)

    def alive_workers(self) -> int:
        """How many workers the master knows to be there; -1 if it does not say yet."""
        with suppress(OSError, ValueError):  # At first its answer is empty.
            return int(_json(self._master_web, "json/")["aliveworkers"])
        return -1

    def jobs(self) -> set[int]:
        """The jobs that the Connect server has not done yet."""
        [application] = _json(self._connect_web, "api/v1/applications")
        path = f"api/v1/applications/{application['id']}/jobs?status=running"
        return {job["jobId"] for job in _json(self._connect_web, path)}

    def _until(self, holds: Callable[[], bool], name: str) -> None:
        end = time.monotonic() + LIMIT
        while not holds():
            if time.monotonic() > end or self.processes[name].poll() is not None:
                raise RuntimeError(f"{name} has not started: see {self._folder / name}.log.")
            time.sleep(0.1)

    def _spark_class(self, name: str, *arguments: str) -> None:
        # These want name and value apart.
        parts = [part for argument in arguments for part in argument.split("=", 1)]
        self._run(name, "spark-class", *parts)

    def _run(self, name: str, program: str, *arguments: str) -> None:
        home = Path(os.environ["SPARK_HOME"])
        self._folder.mkdir(parents=True, exist_ok=True)
        # An address for SPARK_REMOTE would have the server look for another one.
        environment = {k: v for k, v in os.environ.items() if k != "SPARK_REMOTE"}
        memory = self._memory if name == "connect" else "256m"
        environment |= {"SPARK_LOCAL_IP": HOST, "SPARK_DAEMON_MEMORY": memory}
        # It takes an eighth less of a processor in all than what Java chooses by itself.
        environment.setdefault("JAVA_TOOL_OPTIONS", "-XX:+UseParallelGC")
        with (self._folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [home / "bin" / program, *arguments],
                env=environment,
                cwd=self._folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def _free_ports(count: int) -> list[int]:
    servers = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return ports


def _json(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://{HOST}:{port}/{path}") as answer:
        return json.load(answer)


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--listen", default=f"{HOST}:")
    given = arguments.parse_args()
    cluster = Cluster(given.folder.absolute(), listen=given.listen)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        cluster.start()
        print(f"export SPARK_REMOTE={cluster.remote}", flush=True)
        os.wait()  # If one ends, so do the others, and who has started us may start us again.
        sys.exit("A process of the cluster has ended; its log is in the folder.")
    except KeyboardInterrupt:
        pass
    finally:
        cluster.stop()
