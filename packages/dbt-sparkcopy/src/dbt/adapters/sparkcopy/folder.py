"""The folder of builds, seen from here and by Spark: a path, or a place in an object store."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from pyarrow.fs import FileSelector, FileSystem, FileType, LocalFileSystem

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo


def is_folder(address: str) -> bool:
    """Whether it can be the address of one; Arrow would take one with credentials, too."""
    return bool(re.match(r"/|s3a?://[\w.-]+([/?]|$)", address))


class Folder(NamedTuple):
    """A folder, or one in it.

    Attributes:
        address: what Spark calls it.
        files: what reads and writes there from here.
        path: what `files` calls it.
    """

    address: str
    files: FileSystem
    path: str

    @classmethod
    def of(cls, address: str) -> Folder:
        """The folder at an address.

        Args:
            address: an absolute path, or `s3://bucket/path` (`s3a:` if the cluster calls it so).
                What follows a question mark there is for Arrow alone, such as `?region=eu-west-1`
                or `?scheme=http&endpoint_override=host:port`.

        Raises:
            OSError: nobody says in which region the bucket is.
        """
        files, path = FileSystem.from_uri(re.sub("^s3a:", "s3:", address))
        if not isinstance(files, LocalFileSystem):
            address = address.partition("?")[0]
        return cls(address.rstrip("/"), files, path.rstrip("/"))

    def __truediv__(self, name: str) -> Folder:
        return Folder(f"{self.address}/{name}", self.files, f"{self.path}/{name}")

    @property
    def name(self) -> str:
        """The last part of its address."""
        return self.address.rpartition("/")[2]

    def make(self) -> None:
        """Make it, and those that it is in.

        Raises:
            OSError: it cannot be made.
        """
        self.files.create_dir(self.path)

    def remove(self) -> None:
        """Remove it with all that is in it, if that can be done."""
        if isinstance(self.files, LocalFileSystem):
            # Arrow would stop at a file that Spark has removed meanwhile.
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            with suppress(OSError):
                self.files.delete_dir(self.path)

    def folders(self) -> list[Folder]:
        """Those in it."""
        return [self / one.base_name for one in self._content() if one.type == FileType.Directory]

    def parts(self) -> list[str]:
        """The paths of the Parquet files of the table that it holds, in their order."""
        return sorted(
            one.path for one in self._content() if re.fullmatch(r"part-.*\.parquet", one.base_name)
        )

    def _content(self) -> list[FileInfo]:
        return self.files.get_file_info(FileSelector(self.path))
