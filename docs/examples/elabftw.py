"""Make Elute's three files of an export of eLabFTW.

    python3 docs/examples/elabftw.py export-elabftw.json users.json "Run time" FOLDER

The first file is a list of experiments exported as JSON, the second what /api/v2/users answers. The
third word is the extra field of an experiment that has its run time.
"""

import csv
import json
import sys
from collections.abc import Iterable
from pathlib import Path

experiments, users = (json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:3])
field, folder = sys.argv[3], Path(sys.argv[4])


def write(name: str, columns: str, rows: Iterable[tuple[object, ...]]) -> None:
    """A CSV file in the folder; its columns are the words of a text."""
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns.split())
        writer.writerows(rows)


write(
    "users.csv",
    "user_id name email signup_date",
    (
        (user["userid"], user["fullname"], user["email"], (user["created_at"] or "")[:10])
        for user in users
    ),
)
write(
    "user_experiments.csv",
    "experiment_id user_id experiment_compound_ids experiment_run_time",
    (
        (
            experiment["id"],
            experiment["userid"],
            ";".join(str(compound["id"]) for compound in experiment["compounds"]),
            json.loads(experiment["metadata"] or "{}")
            .get("extra_fields", {})
            .get(field, {})
            .get("value"),
        )
        for experiment in experiments
    ),
)
compounds = {
    compound["id"]: (compound["id"], compound["name"], compound["smiles"])
    for experiment in experiments
    for compound in experiment["compounds"]
}
write("compounds.csv", "compound_id compound_name compound_structure", compounds.values())
