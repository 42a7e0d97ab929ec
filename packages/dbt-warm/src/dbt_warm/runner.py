"""One invocation of dbt in this process."""

import contextlib
import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from dbt_warm.events import Event, Listener, clean

if TYPE_CHECKING:
    from types import FrameType

    from dbt.cli.main import dbtRunnerResult
    from dbt.contracts.graph.manifest import Manifest

Status = Literal["succeeded", "failed", "crashed", "interrupted", "died"]
_INTERRUPTING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FAILED = frozenset({"error", "fail", "partial success", "runtime error"})


class Failure(NamedTuple):
    """A node that failed, and what it said."""

    name: str
    resource_type: str
    message: str


@dataclass(frozen=True)
class Outcome:
    """How an invocation of dbt ended.

    Attributes:
        status: "succeeded";
            "failed": dbt ran, and `failures` are the nodes that failed;
            "crashed": dbt could not run, or broke off, and `crash` says why: the command line, the
            project or the profile is at fault, or dbt itself;
            "interrupted": by `cancel`, Ctrl-C or SIGTERM;
            "died": its process ended without a word: it was killed, or ran out of memory.
        failures: the nodes that failed.
        crash: the first paragraph of the exception that ended dbt; None unless "crashed".
        logged: what the project's own macros said with `log(…, info=true)`.
        invocation_id: dbt's own; None if it came to nothing.
    """

    status: Status
    failures: list[Failure] = field(default_factory=list)
    crash: str | None = None
    logged: list[str] = field(default_factory=list)
    invocation_id: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether every node did what it should."""
        return self.status == "succeeded"

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Outcome":
        """What `dataclasses.asdict` made, and JSON carried."""
        return cls(**{**fields, "failures": [Failure(*each) for each in fields["failures"]]})


def invoke(
    arguments: Sequence[str],
    *,
    on_event: Callable[[Event], object] | None = None,
    secrets: Sequence[str] = (),
    manifest: "Manifest | None" = None,
) -> Outcome:
    """Run dbt in this process. Once: dbt keeps state from one invocation to the next.

    Whatever dbt raises is in the outcome.

    Args:
        arguments: as on dbt's command line, such as ``["build", "--full-refresh"]``.
        on_event: called with each event, from dbt's threads, by one at a time; what it raises is
            logged, and ends nothing.
        secrets: texts of four characters or more that no event and no outcome may hold.
        manifest: the project, parsed; without it dbt parses it.
    """
    listener = Listener(on_event, secrets)
    ended: tuple[Status, list[Failure], str | None] = ("interrupted", [], None)
    noted = _interrupts_noted(listener.note_interrupt)
    with contextlib.suppress(KeyboardInterrupt), noted, _no_interrupt_lost():
        result = _run(arguments, manifest, listener)
        listener.raise_lost_interrupt()
        ended = _read(result, secrets)
        if ended[0] == "succeeded":
            listener.correct_total()
    return Outcome(*ended, listener.logged, listener.invocation_id)


def usage_error(command: str, options: Sequence[str]) -> str | None:
    """What dbt has to say against the options of one of its commands; None if it takes them.

    Raises:
        SystemExit: it has printed what an option asks for, such as `--help` or `--version`.
    """
    with _garbage_left():
        from click import UsageError  # noqa: PLC0415
        from click.exceptions import Exit  # noqa: PLC0415
        from dbt.cli.main import cli  # noqa: PLC0415

        try:
            parent = cli.make_context(cli.name, [command])
            cli.commands[command].make_context(command, list(options), parent=parent)
        except UsageError as error:
            return error.format_message()
        except Exit as printed:
            raise SystemExit(printed.exit_code) from None
    return None


@contextlib.contextmanager
def _interrupts_noted(note: Callable[[], None]) -> Iterator[None]:
    """Call `note` whenever the handler of a signal raises KeyboardInterrupt."""
    is_main = threading.current_thread() is threading.main_thread()  # which alone has handlers
    found = {number: signal.getsignal(number) for number in _INTERRUPTING if is_main}
    handlers = {number: handler for number, handler in found.items() if callable(handler)}

    def handle(number: int, frame: "FrameType | None") -> None:
        try:
            handlers[signal.Signals(number)](number, frame)
        except KeyboardInterrupt:
            note()
            raise

    for number in handlers:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _no_interrupt_lost() -> Iterator[None]:
    """Interrupt again after one that came in a finalizer, from which no exception gets out.

    multiprocessing has one for each of dbt's locks and pools, and runs it when that is dropped.
    """
    report, lost = sys.unraisablehook, []

    def look(unraisable: "sys.UnraisableHookArgs") -> None:
        if unraisable.exc_type is not KeyboardInterrupt:
            report(unraisable)
            return
        lost.append(unraisable.exc_type)
        # Not SIGINT: whoever handles that may let the first one through, and no other.
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.01)

    sys.unraisablehook = look
    try:
        yield
    finally:
        sys.unraisablehook = report
        if lost:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _run(
    arguments: Sequence[str], manifest: "Manifest | None", listener: Listener
) -> "dbtRunnerResult":
    with _garbage_left():
        from dbt.cli.main import dbtRunner  # noqa: PLC0415 (slow to import)

        return dbtRunner(manifest, callbacks=[listener]).invoke(list(arguments))


@contextlib.contextmanager
def _garbage_left() -> Iterator[None]:
    """Do not look for garbage: there is little, and that takes a twentieth of dbt's time.

    Of the time of importing it, a seventh.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read(
    result: "dbtRunnerResult", secrets: Sequence[str]
) -> tuple[Status, list[Failure], str | None]:
    if result.success:
        return "succeeded", [], None
    if isinstance(result.exception, KeyboardInterrupt):
        return "interrupted", [], None
    failures = [
        Failure(node.node.name, str(node.node.resource_type), clean(node.message or "", secrets))
        for node in getattr(result.result, "results", None) or []
        if node.status in _FAILED
    ]
    if result.exception is None:
        return "failed", failures, None
    said = clean(str(result.exception), secrets).strip() or type(result.exception).__name__
    return "crashed", failures, said.split("\n\n")[0]
