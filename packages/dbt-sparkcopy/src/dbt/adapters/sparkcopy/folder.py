"""The folder of builds, seen from here and by Spark: a path, or a place in an object store."""

from __future__ import annotations

import re
import shutil
from typing import NamedTuple
from urllib.parse import parse_qsl

from pyarrow.fs import (
    FileInfo,
    FileSelector,
    FileSystem,
    FileType,
    LocalFileSystem,
    S3FileSystem,
    resolve_s3_region,
)

_OPTION = r"(region|endpoint_override)=[^&]+|scheme=https?"
_ADDRESS = re.compile(rf"/+[^/].*|s3://[\w.-]+(/[\w.=-]+)*/?(\?(({_OPTION})(&|$))+)?", re.ASCII)


def is_folder(address: str) -> bool:
    """Whether it is an absolute path, or `s3://…` without credentials; see `Folder.of`."""
    return bool(_ADDRESS.fullmatch(address))


class Folder(NamedTuple):
    """A folder on a disk or in an object store.

    Attributes:
        address: what Spark calls it.
        filesystem: what reads and writes there from here.
        path: what `filesystem` calls it.
    """

    address: str
    filesystem: FileSystem
    path: str

    @classmethod
    def of(cls, address: str) -> Folder:
        """The folder at an address.

        Args:
            address: an absolute path, or `s3://bucket/path`, which is `s3a:` to Spark. What
                follows a question mark there is not for Spark: `?region=eu-west-1`, or
                `?endpoint_override=host:port&scheme=http` of another store than Amazon's.

        Raises:
            OSError: the region of the bucket cannot be found.
        """
        if address.startswith("/"):
            path = address.rstrip("/")
            return cls(path, LocalFileSystem(), path)
        place, _, given = address.partition("?")
        path = place.removeprefix("s3://").rstrip("/")
        options = dict(parse_qsl(given))
        if not options.keys() & {"region", "endpoint_override"}:
            options["region"] = resolve_s3_region(path.partition("/")[0])
        # In the background Arrow would hold whatever the network has not taken yet.
        return cls(f"s3a://{path}", S3FileSystem(background_writes=False, **options), path)

    def __truediv__(self, name: str) -> Folder:
        return Folder(f"{self.address}/{name}", self.filesystem, f"{self.path}/{name}")

    @property
    def name(self) -> str:
        """The last part of its address."""
        return self.address.rpartition("/")[2]

    def make(self) -> None:
        """Make it, and those that it is in.

        Raises:
            OSError: it cannot be made.
        """
        if isinstance(self.filesystem, LocalFileSystem):
            self.filesystem.create_dir(self.path)
        else:
            # An object store has no folders. A file, which Spark does not read because of its
            # name, shows that we may write there.
            self.filesystem.open_output_stream(f"{self.path}/_made").close()

    def remove(self) -> None:
        """Remove it with all that is in it; on a disk, as much of it as can be removed.

        Raises:
            OSError: it cannot be removed from an object store.
        """
        if isinstance(self.filesystem, LocalFileSystem):
            # Arrow would stop at a file that Spark has removed meanwhile.
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            self.filesystem.delete_dir(self.path)

    def folders(self) -> list[Folder]:
        """Those in it; none if it is not there.

        Raises:
            OSError: it cannot be listed.
        """
        return [self / one.base_name for one in self._content() if one.type == FileType.Directory]

    def parts(self) -> list[str]:
        """The paths of the Parquet files of the table that it holds, in their order.

        Raises:
            OSError: it cannot be listed.
        """
        return sorted(
            one.path for one in self._content() if re.fullmatch(r"part-.*\.parquet", one.base_name)
        )

    def _content(self) -> list[FileInfo]:
        return self.filesystem.get_file_info(FileSelector(self.path, allow_not_found=True))
