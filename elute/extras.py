"""What is not installed unless it is asked for: `arrow`, `apprise` and `spark`."""

from pathlib import Path

_LOCKS = Path(__file__).resolve().parents[1]


def how_to_install(name: str, python: str = "") -> str:
    """What to do to have an extra, as the end of a sentence; an image has neither pip nor locks."""
    lock = f"requirements-{name}.txt"
    if not (_LOCKS / lock).exists():
        return f"build the image with --build-arg EXTRAS={name}"
    pip = f"{python} -m pip" if python else "pip"
    return f"{pip} install --no-deps --require-hashes -r {lock}"
