"""Which addresses a folder may have, and that a path is taken as it is."""

from pathlib import Path

import pytest
from dbt.adapters.sparkcopy.folder import Folder, is_folder


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("s3://lab?region=eu-west-1", "lab"),
        ("s3://lab/a/b=c.d/?region=eu-west-1", "lab/a/b=c.d"),
        ("s3://lab/elute?endpoint_override=store:9000&scheme=http", "lab/elute"),
    ],
)
def test_a_place_in_an_object_store_is_s3a_to_spark(address: str, path: str) -> None:
    assert is_folder(address)
    build = Folder.of(address) / "build"
    assert (build.address, build.path, build.name) == (
        f"s3a://{path}/build",
        f"{path}/build",
        "build",
    )


@pytest.mark.parametrize(
    "address",
    [
        "", "/", "folder", "s3://", "s3:///elute", "gs://lab/elute", "s3a://lab/elute",
        "s3://id:secret@lab/elute", "s3://lab/elute?access_key=id", "s3://lab/elute?scheme=ftp",
        # Hadoop would take each of these for another folder than Arrow does, or for none.
        "s3://lab/my folder", "s3://lab/my%20folder", "s3://lab//elute", "s3://lab/a#b", "s3://lab/é",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(address: str) -> None:
    assert not is_folder(address)


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    root = Folder.of(f"{tmp_path}/50% of it? s3://é/")
    assert root.folders() == []
    build = root / "build"
    build.make()
    assert (tmp_path / "50% of it? s3://é" / "build").is_dir()
    assert [folder.name for folder in root.folders()] == ["build"]
    build.remove()
    assert root.folders() == []
    build.remove()
