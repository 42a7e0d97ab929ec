"""Plain dbt commands on request, without importing dbt for each.

Reads lines of JSON from standard input, each a list: a file for what the command prints, then its
arguments. Runs it in a forked child, as the program `dbt` would, and answers with its exit status.
"""

import json
import os
import sys

from dbt.cli.main import cli


def main() -> None:
    for line in sys.stdin:
        output, *arguments = json.loads(line)
        child = os.fork()
        if child == 0:
            file = os.open(output, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
            os.dup2(file, 1)
            os.dup2(file, 2)
            cli(arguments, prog_name="dbt")
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
