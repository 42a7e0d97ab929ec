"""The Dockerfile and docker-compose.yml agree with the program, so far as shows without Docker."""

import os
import re
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from elute import extras
from elute.commands import build
from elute.environment import dbt_environment
from elute.settings import CHECKOUT, VARIABLES, Settings
from scripts import spark_cluster

DOCKERFILE = re.sub(r"\\\n\s*", "", (CHECKOUT / "Dockerfile").read_text(encoding="utf-8"))
BUILD, _, IMAGE = DOCKERFILE.split("\nFROM ")[1:]
COMPOSE: dict[str, Any] = yaml.safe_load(
    (CHECKOUT / "docker-compose.yml").read_text(encoding="utf-8")
)
SETTINGS = {variable.name for variable in VARIABLES}
# What the image sets itself, what is nothing to set there, and the address that is published.
IMAGE_ONLY = {"ELUTE_HOME", "ELUTE_SEEDS_DIR", "ELUTE_HOST", "ELUTE_INSECURE", "ELUTE_PORT"}
NOT_THERE = {"ELUTE_POSTGRES_USER", "SPARK_REMOTE"}


def environment_of_image() -> dict[str, str]:
    [line] = re.findall(r"(?m)^ENV (.*)$", IMAGE)
    return dict(entry.split("=", 1) for entry in line.split())


def test_the_image_sets_what_there_is_to_set() -> None:
    elute = {name for name in environment_of_image() if name.startswith("ELUTE_")}
    assert elute <= SETTINGS


def test_plain_dbt_finds_the_project_in_the_image() -> None:
    given = environment_of_image()
    settings = Settings.from_environment({"ELUTE_HOME": given["ELUTE_HOME"]})
    wanted = {
        name: value.replace(str(CHECKOUT), "/elute")
        for name, value in dbt_environment(settings).items()
    }
    assert {name: given[name] for name in wanted} == wanted


def test_the_image_has_what_the_program_reads() -> None:
    copied = set(" ".join(re.findall(r"(?m)^COPY (.*) \S+$", BUILD)).split())
    assert {
        "api",
        "dashboard",
        "elute",
        "dbt_project",
        "seeds",
        "profiles.yml",
        "pyproject.toml",
    } <= copied
    assert all((CHECKOUT / name).exists() for name in copied)
    ignored = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{name}" for name in copied} <= set(ignored)


def test_the_image_keeps_what_the_program_reads() -> None:
    sources = [
        path for name in ("api", "dashboard", "elute") for path in (CHECKOUT / name).rglob("*.py")
    ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    read = set(re.findall(r'CHECKOUT / "([^"]+)"', text)) - {"run_app.sh"}  # which is asked for
    copied = set(" ".join(re.findall(r"(?m)^COPY (.*) \S+$", BUILD)).split())
    [removed] = re.findall(r"rm -rf (.*?) &&", BUILD)
    gone = {name for name in copied for pattern in removed.split() if fnmatch(name, pattern)}
    assert "requirements.txt" in read
    assert read <= copied - gone


def test_the_image_runs_as_an_account_of_its_own_with_a_number() -> None:
    assert re.search(r"(?m)^ARG ELUTE_UID=[1-9]\d+$", IMAGE)
    assert re.search(r"(?m)^USER \$\{ELUTE_UID\}$", IMAGE)


def test_the_image_serves_on_the_port_it_exposes() -> None:
    default = {variable.name: variable.default for variable in VARIABLES}["ELUTE_PORT"]
    assert re.search(rf"(?m)^EXPOSE {default}$", IMAGE)
    assert re.search(r'(?m)^CMD \["elute", "serve"\]$', IMAGE)


def test_compose_passes_every_setting_on() -> None:
    for name in ("api", "worker"):
        given = COMPOSE["services"][name]["environment"]
        known = {key for key in given if key.startswith(("PG", "ELUTE_"))}
        assert known == SETTINGS - IMAGE_ONLY - NOT_THERE


def test_compose_checks_each_part_and_publishes_on_this_machine_only() -> None:
    services = COMPOSE["services"]
    assert set(services) == {"db", "api", "worker", "spark"}
    for service in services.values():
        assert service["healthcheck"]["test"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    for name in ("api", "worker"):
        needed = {"db", "spark"} if name == "worker" else {"db"}
        assert services[name]["depends_on"].keys() == needed
        assert services[name]["depends_on"]["db"] == {"condition": "service_healthy"}
        assert (
            services[name]["environment"]["PGDATABASE"]
            == services["db"]["environment"]["POSTGRES_DB"]
        )


def test_the_first_build_waits_for_spark_where_there_is_one() -> None:
    services = COMPOSE["services"]
    assert services["spark"]["profiles"] == ["spark"]
    needed = services["worker"]["depends_on"]["spark"]
    assert needed == {"condition": "service_healthy", "required": False}
    assert services["spark"]["healthcheck"]["start_period"] == f"{spark_cluster.LIMIT:.0f}s"


def test_compose_names_a_server_that_is_new_enough() -> None:
    assert COMPOSE["services"]["db"]["image"] == "postgres:${POSTGRES_VERSION:-15}"


def test_secrets_come_from_outside() -> None:
    for service in COMPOSE["services"].values():
        for name, value in service.get("environment", {}).items():
            if "TOKEN" in name:
                assert value == f"${{{name}:-}}"
            if "PASSWORD" in name:
                assert value == "${PGPASSWORD:-elute-local}"


def start(
    data: Path, seeds: Path, path: str = os.environ["PATH"]
) -> "subprocess.CompletedProcess[str]":
    script = CHECKOUT / "scripts" / "container.sh"
    return subprocess.run(
        [script, "echo", "started"],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": path, "ELUTE_HOME": str(data), "ELUTE_SEEDS_DIR": str(seeds)},
    )


def test_the_container_leaves_files_that_are_there_alone(tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    result = start(tmp_path, tmp_path / "seeds")
    assert (result.returncode, result.stdout) == (0, "started\n")
    assert list((tmp_path / "seeds").iterdir()) == []


def test_the_container_says_what_a_folder_lacks(tmp_path: Path) -> None:
    result = start(tmp_path / "missing", tmp_path)
    assert result.returncode == 1
    assert "cannot write to" in result.stderr
    assert f"-v NAME:/data elute -R {os.getuid()} /data" in result.stderr


def test_the_container_says_that_a_folder_of_files_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = start(tmp_path, tmp_path / "file" / "seeds")
    assert (result.returncode, result.stdout) == (1, "")
    assert f"There is no folder {tmp_path}/file/seeds (ELUTE_SEEDS_DIR)" in result.stderr


def test_the_container_says_how_another_user_id_can_be_had(tmp_path: Path) -> None:
    # As `id` is where the image has no account of that id, and another volume is of no help.
    program = tmp_path / "id"
    program.write_text('#!/bin/sh\necho 12345\n[ "$1" = -u ]\n', encoding="utf-8")
    program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    result = start(tmp_path / "missing", tmp_path, path)
    assert (result.returncode, result.stdout) == (1, "")
    assert "--build-arg ELUTE_UID=12345" in result.stderr
    assert "volume" not in result.stderr


def test_containers_are_confined() -> None:
    for name, service in COMPOSE["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges"], name
        assert "cap_add" not in service, name


def test_a_build_in_a_container_names_no_script_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 'eval "$(./run_app.sh env)"' in build.next_steps()
    monkeypatch.setattr(build, "CHECKOUT", tmp_path)
    assert 'eval "$(elute env)"' in build.next_steps()
    assert "run_app.sh" not in build.next_steps()


def test_an_image_that_lacks_an_extra_names_no_lock_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "-r requirements-arrow.txt" in extras.how_to_install("arrow")
    monkeypatch.setattr(extras, "_LOCKS", tmp_path)
    assert extras.how_to_install("arrow") == "build the image with --build-arg EXTRAS=arrow"
