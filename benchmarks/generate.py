"""Write the three CSV files of a laboratory of any size, the same bytes for the same arguments.

The shape follows the real exports: experiments in the order they were run, about 20 a user, 2.5
compounds an experiment, and one record in 500 with something wrong with it. A user works on a few
compounds of their own and now and then on any of the others, some of them far more popular than
the rest.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from pathlib import Path

EXPERIMENTS_PER_USER = 20
OWN_COMPOUNDS = 10
OWN_SHARE = 0.85
BATCH = 50_000


@dataclass(frozen=True)
class Laboratory:
    """How much there is of what.

    Attributes:
        experiments: records of user_experiments.csv, dirty ones included.
        users: records of users.csv.
        compounds: records of compounds.csv.
        entries: the most compounds of an experiment; it has from one to as many.
        dirty_share: of the experiments that have something wrong with them.
    """

    experiments: int
    users: int
    compounds: int = 2_000
    entries: int = 4
    dirty_share: float = 1 / 500

    @classmethod
    def of(cls, experiments: int) -> Laboratory:
        """The usual one with that many experiments."""
        return cls(experiments, max(10, experiments // EXPERIMENTS_PER_USER))


def write_users(folder: Path, count: int) -> None:
    """Write users.csv with ids 1 to `count`."""
    with (folder / "users.csv").open("w", encoding="utf-8", newline="") as file:
        file.write("user_id,name,email,signup_date\n")
        for start in range(1, count + 1, BATCH):
            file.writelines(
                f"{i},User {i},user{i}@lab.example,2{i % 15:03}-{1 + i % 12:02}-{1 + i % 28:02}\n"
                for i in range(start, min(start + BATCH, count + 1))
            )


def write_compounds(folder: Path, count: int) -> None:
    """Write compounds.csv with ids 1 to `count`."""
    with (folder / "compounds.csv").open("w", encoding="utf-8", newline="") as file:
        file.write("compound_id,compound_name,compound_structure\n")
        file.writelines(
            f"{i},Compound {i},C{6 + i % 30}H{8 + i % 40}N{1 + i % 5}O{1 + i % 7}\n"
            for i in range(1, count + 1)
        )


def dirty(line: str, laboratory: Laboratory, kind: int) -> str:
    """Return the record with one thing wrong with it."""
    experiment_id, user_id, compound_ids, run_time = line.rstrip("\n").split(",")
    match kind:
        case 0:
            user_id = str(laboratory.users + 7)  # no such user
        case 1:
            experiment_id = "1"  # the first record has it
        case 2:
            run_time = "n/a"
        case 3:
            run_time = "-1"
        case 4:
            compound_ids += f";{laboratory.compounds + 99}"  # no such compound
        case _:
            compound_ids += ";aspirin"
    return f"{experiment_id},{user_id},{compound_ids},{run_time}\n"


def compound_list(
    rng: random.Random, user_id: int, popular: list[int], laboratory: Laboratory
) -> str:
    """Return compound ids separated by semicolons; a repeat happens."""
    return ";".join(
        str(1 + (user_id * 37 + int(rng.random() * OWN_COMPOUNDS)) % laboratory.compounds)
        if rng.random() < OWN_SHARE
        else str(popular[int(rng.random() * len(popular))])
        for _ in range(1 + int(rng.random() * laboratory.entries))
    )


def write_experiments(folder: Path, laboratory: Laboratory) -> None:
    """Write user_experiments.csv with ids from 1 on."""
    count, compounds = laboratory.experiments, laboratory.compounds
    rng = random.Random(count)
    weights = [1 / (rank + 10) for rank in range(compounds)]
    popular = rng.choices(range(1, compounds + 1), weights, k=BATCH)
    with (folder / "user_experiments.csv").open("w", encoding="utf-8", newline="") as file:
        file.write("experiment_id,user_id,experiment_compound_ids,experiment_run_time\n")
        for start in range(1, count + 1, BATCH):
            size = min(BATCH, count + 1 - start)
            user_ids = rng.choices(range(1, laboratory.users + 1), k=size)
            lines = [
                f"{start + i},{user_id},{compound_list(rng, user_id, popular, laboratory)},"
                f"{int(rng.random() * 2400) / 20:g}\n"
                for i, user_id in enumerate(user_ids)
            ]
            for i in range(1, size):
                if rng.random() < laboratory.dirty_share:
                    lines[i] = dirty(lines[i], laboratory, rng.randrange(6))
            file.writelines(lines)


def generate(folder: Path, laboratory: Laboratory) -> None:
    """Write users.csv, compounds.csv and user_experiments.csv into `folder`.

    Args:
        folder: made if it is missing; files in it are replaced.
        laboratory: how much there is of what.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_users(folder, laboratory.users)
    write_compounds(folder, laboratory.compounds)
    write_experiments(folder, laboratory)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("experiments", type=int)
    arguments = parser.parse_args()
    generate(arguments.folder, Laboratory.of(arguments.experiments))


if __name__ == "__main__":
    main()
