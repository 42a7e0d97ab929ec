"""Builds on request, without importing dbt and parsing the project each time.

Reads a line of dbt arguments as JSON from standard input, runs them in a forked child, and answers
with its exit status.
"""

import json
import os
import sys

from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    manifest = dbtRunner().invoke(["--quiet", "parse"]).result
    assert isinstance(manifest, Manifest)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            result = dbtRunner(manifest=manifest).invoke(json.loads(line))
            os._exit(0 if result.success else 1)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


if __name__ == "__main__":
    main()
