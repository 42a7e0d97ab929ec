"""dbt in a process of one's own; each test in another process, for dbt can run once in each."""

import json
import subprocess
import sys
from typing import Any

INVOKE = """
import dataclasses, json, logging, sys
from dbt_warm import invoke
logging.basicConfig()
seen = []
def on_event(event):
    seen.append(event.kind)
    if seen == ["log"]:
        raise ValueError("from a listener")
outcome = invoke(sys.argv[1:], on_event=on_event)
print("\\n" + json.dumps([dataclasses.asdict(outcome), seen]))
"""

# Ctrl-C comes while multiprocessing tidies up after a lock or a pool that dbt has dropped.
INTERRUPTED = """
import signal, sys
from multiprocessing.util import Finalize
from dbt_warm import invoke
class Lock:
    pass
locks = [Lock()]
Finalize(locks[0], signal.raise_signal, [signal.SIGINT])
print(invoke(sys.argv[1:], on_event=lambda event: locks.clear()).status)
"""


# Ctrl-C comes while something catches whatever it is, as what reads the project does.
SWALLOWED = """
import signal, sys
from dbt_warm import invoke
kinds = []
def on_event(event):
    kinds.append(event.kind)
    if len(kinds) == 1:
        try:
            signal.raise_signal(signal.SIGINT)
        except:
            pass
print(invoke(sys.argv[1:], on_event=on_event).status, "node_started" in kinds)
"""


def ran(project: Any, script: str, *arguments: str, **variables: str) -> Any:
    """A Python script in the folder of the project, after its end."""
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        check=True,
        capture_output=True,
        text=True,
        cwd=project.folder,
        env={**project.environment, **variables},
        timeout=120,
    )


def invoked(
    project: Any, *arguments: str, **variables: str
) -> tuple[dict[str, Any], list[str], str]:
    """Outcome, kinds of events, and what was logged."""
    done = ran(project, INVOKE, *arguments, **variables)
    outcome, seen = json.loads(done.stdout.splitlines()[-1])
    return outcome, seen, done.stderr


def test_a_listener_that_raises_ends_nothing(project: Any) -> None:
    outcome, seen, log = invoked(project, "build")
    assert outcome["status"] == "succeeded", outcome
    assert seen.count("node_finished") == 7
    assert log.count("ValueError: from a listener") == 1


def test_failing_fast_names_the_failure(project: Any) -> None:
    outcome, _, _ = invoked(project, "build", "--fail-fast", "--vars", "{worst: 10}")
    assert outcome["status"] == "failed"
    assert "share" in [name for name, *_ in outcome["failures"]]


def test_an_interrupt_is_not_lost_whenever_it_comes(project: Any) -> None:
    done = ran(project, INTERRUPTED, "build", "--vars", "{seconds: 600}")
    assert (done.stdout.splitlines()[-1], done.stderr) == ("interrupted", "")
    assert project.sleeping() == 0


def test_an_interrupt_that_is_swallowed_before_nodes_run_still_ends_it(project: Any) -> None:
    done = ran(project, SWALLOWED, "build")
    assert (done.stdout.splitlines()[-1], done.stderr) == ("interrupted False", "")


def test_options_are_held_against_those_of_dbt(project: Any) -> None:
    script = "from dbt_warm import usage_error; print(usage_error('build', ['--threads', %s]))"
    for value, said in (("'2'", "None\n"), ("'x'", "Invalid value for '--threads': ")):
        assert ran(project, script % value).stdout.startswith(said)
