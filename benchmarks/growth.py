"""Measure how the cost of a build grows with each thing that there can be more of.

    ELUTE_HOME=/tmp/elute-benchmark ./run_app.sh env   # once, to set up; then, in the checkout:
    "$ELUTE_HOME/venv/bin/python" -m benchmarks.growth [--experiments 500000] [--rounds 3]

A laboratory, and others that have twice as much of one thing, are built in turns. Prints a table.
"""

from __future__ import annotations

import argparse
import os
import statistics
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.generate import Laboratory, generate
from benchmarks.run import measure_build
from elute.commands.tables import table
from elute.environment import environment
from elute.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

# What is measured, and what it is measured against.
AGAINST = {
    "experiments": "usual",
    "users": "usual",
    "compounds": "usual",
    "entries of a list": "usual",
    "experiments of a user": "usual",
    "everything": "usual",
    "2 % wrong": "1 % wrong",
    "30 % wrong": "15 % wrong",
}


def laboratories(experiments: int) -> Mapping[str, Laboratory]:
    """The laboratories, by what they have twice as much of."""
    usual = Laboratory.of(experiments)
    twice = 2 * experiments
    return {
        "usual": usual,
        "experiments": replace(usual, experiments=twice),
        "users": replace(usual, users=2 * usual.users),
        "compounds": replace(usual, compounds=2 * usual.compounds),
        "entries of a list": replace(usual, entries=2 * usual.entries),
        "experiments of a user": replace(usual, users=usual.users // 2),
        "everything": Laboratory(twice, 2 * usual.users, 2 * usual.compounds),
        **{f"{n} % wrong": replace(usual, dirty_share=n / 100) for n in (1, 2, 15, 30)},
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Measure how the cost of a build grows.")
    parser.add_argument("--experiments", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    settings = Settings.from_environment()
    os.environ.update(environment(settings))
    os.environ.update(ELUTE_MAX_DROPPED_RATIO="1", ELUTE_MAX_NULLED_RATIO="1")
    seconds: dict[str, list[float]] = {}
    made = laboratories(arguments.experiments)
    for turn in range(arguments.rounds + 1):  # The first one warms up.
        for name, laboratory in made.items():
            folder = settings.home / "data" / name.replace(" ", "-")
            if turn == 0:
                generate(folder, laboratory)
            elapsed = measure_build(folder, settings.home)["all"]
            if turn:
                seconds.setdefault(name, []).append(elapsed)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    rows = [
        (name, f"{medians[before]:.1f} s", f"{medians[name]:.1f} s",
         f"{medians[name] / medians[before]:.2f}")
        for name, before in AGAINST.items()
    ]  # fmt: skip
    print(table(["twice as many", "before", "after", "times"], rows))


if __name__ == "__main__":
    main()
