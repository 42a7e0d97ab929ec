"""How the parts lean on each other: one way, and never in a circle."""

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from elute.settings import CHECKOUT

# Each may import from those after it.
LAYERS = ("dashboard", "api", "elute")
PACKAGES = {
    path.parent.name: path.parent
    for path in sorted((CHECKOUT / "packages").glob("*/src/*/__init__.py"))
}
DBT_PARTS = sorted((CHECKOUT / "packages").glob("*/src/dbt/adapters/*/__init__.py"))


@cache
def modules() -> dict[str, Path]:
    """Every module of the program, by its dotted name."""
    found = {}
    for layer in LAYERS:
        for path in sorted((CHECKOUT / layer).rglob("*.py")):
            name = ".".join(path.relative_to(CHECKOUT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def imported(path: Path) -> Iterator[str]:
    """The dotted names that a file imports, wherever in it; for checks of types alone, too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}: a relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def arrows() -> dict[str, set[str]]:
    """What each module imports of the others."""
    return {
        name: (set(imported(path)) & modules().keys()) - {name} for name, path in modules().items()
    }


@cache
def folder_arrows() -> dict[str, set[str]]:
    """What each folder within a layer imports of the others, and of modules that are in none."""
    found: dict[str, set[str]] = {}
    for name, targets in arrows().items():
        found.setdefault(folder(name), set()).update(map(folder, targets - {folder(name)}))
    return {name: targets - {name} for name, targets in found.items()}


def folder(module: str) -> str:
    """That of a module within a layer; the module itself if it is in none."""
    return ".".join(module.split(".")[:2])


def layer(module: str) -> int:
    """The place of a module's layer among LAYERS."""
    return LAYERS.index(module.partition(".")[0])


def test_imports_run_one_way() -> None:
    wrong = [
        f"{name} imports {target}"
        for name, targets in arrows().items()
        for target in targets
        if layer(target) < layer(name)
    ]
    assert not wrong


@pytest.mark.parametrize("graph", [arrows, folder_arrows])
def test_nothing_imports_itself_by_way_of_others(graph: Callable[[], dict[str, set[str]]]) -> None:
    done: set[str] = set()

    def walk(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way[way.index(name) :], name))
        if name not in done:
            for target in sorted(graph()[name]):
                walk(target, (*way, name))
            done.add(name)

    for name in graph():
        walk(name, ())


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_knows_nothing_of_elute(package: str) -> None:
    for path in PACKAGES[package].rglob("*.py"):
        assert not {name.partition(".")[0] for name in imported(path)} & set(LAYERS), path


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_used_by_its_door(package: str) -> None:
    wrong = [
        f"{name} imports {target}"
        for name, path in modules().items()
        for target in imported(path)
        if target.startswith(f"{package}.") and f"{target.replace('.', '/')}.py" in _files(package)
    ]
    assert not wrong


def _files(package: str) -> set[str]:
    folder = PACKAGES[package].parent
    return {path.relative_to(folder).as_posix() for path in PACKAGES[package].rglob("*.py")}


@pytest.mark.parametrize("door", DBT_PARTS, ids=lambda door: door.parent.name)
def test_one_adapter_uses_another_by_its_door(door: Path) -> None:
    name = f"dbt.adapters.{door.parent.name}."
    wrong = [
        f"{path} imports {target}"
        for other in DBT_PARTS
        if other != door
        for path in other.parent.rglob("*.py")
        for target in imported(path)
        if target.startswith(name) and (door.parent / f"{target.removeprefix(name)}.py").exists()
    ]
    assert not wrong
