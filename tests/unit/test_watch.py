"""When files have changed and settled."""

from typing import Any

from elute.worker.watch import Watch

OLD: dict[str, Any] = {"users.csv": [1, 10], "compounds.csv": [1, 20]}
NEW: dict[str, Any] = {"users.csv": [2, 15], "compounds.csv": [1, 20]}
NEWER: dict[str, Any] = {"users.csv": [3, 25], "compounds.csv": [1, 20]}


def test_what_was_read_last_is_not_built_again() -> None:
    watch = Watch(OLD)
    assert not any(watch.is_due(OLD, second) for second in range(10))


def test_a_change_is_due_when_it_has_settled() -> None:
    watch = Watch(OLD)
    assert not any(watch.is_due(NEW, second) for second in range(10))
    assert watch.is_due(NEW, 10)


def test_a_file_that_grows_is_waited_for_even_if_it_stalls() -> None:
    watch = Watch(OLD)
    assert not watch.is_due(NEW, 0)
    assert not any(watch.is_due(NEW, second) for second in range(9))
    assert not any(watch.is_due(NEWER, 9 + second) for second in range(10))
    assert watch.is_due(NEWER, 19)


def test_the_longer_it_has_grown_the_longer_it_is_waited_for() -> None:
    watch = Watch(OLD)
    for second in range(300):
        assert not watch.is_due({**OLD, "users.csv": [second, second]}, second)
    grown = {**OLD, "users.csv": [299, 299]}
    assert not watch.is_due(grown, 358)
    assert watch.is_due(grown, 359)


def test_each_file_has_to_settle() -> None:
    watch = Watch(OLD)
    assert not watch.is_due(NEW, 0)
    both = {**NEW, "compounds.csv": [3, 30]}
    assert not any(watch.is_due(both, second) for second in range(5, 15))
    assert watch.is_due(both, 15)


def test_a_missing_file_is_waited_for() -> None:
    watch = Watch(OLD)
    missing = {**OLD, "users.csv": None}
    assert not watch.is_due(missing, 0)
    assert not watch.is_due(missing, 60)


def test_it_is_due_until_a_run_reads_it() -> None:
    watch = Watch(OLD)
    watch.is_due(NEW, 0)
    assert watch.is_due(NEW, 15)
    assert watch.is_due(NEW, 16)
    watch.was_read(NEW)
    assert not watch.is_due(NEW, 17)


def test_a_change_back_is_no_change() -> None:
    watch = Watch(OLD)
    watch.is_due(NEW, 0)
    watch.is_due(OLD, 1)
    assert not watch.is_due(OLD, 20)


def test_without_a_run_to_compare_with_the_files_count_as_read() -> None:
    watch = Watch(None)
    assert not watch.is_due(OLD, 0)
    assert not watch.is_due(OLD, 20)
    watch.is_due(NEW, 21)
    assert watch.is_due(NEW, 31)


def test_a_change_made_while_nobody_watched_is_seen() -> None:
    watch = Watch(OLD)
    assert not watch.is_due(NEW, 100)
    assert watch.is_due(NEW, 110)


def test_what_has_become_an_input_file_or_is_none_any_more_is_no_change() -> None:
    watch = Watch(OLD)
    more = {**OLD, "instruments.csv": [1, 5]}
    assert not any(watch.is_due(more, second) for second in range(20))
    changed = {**OLD, "instruments.csv": [2, 9]}
    assert not watch.is_due(changed, 20)
    assert watch.is_due(changed, 30)
    watch.was_read(changed)
    assert not any(watch.is_due(OLD, second) for second in range(31, 50))


def test_a_change_is_not_forgotten_while_what_declares_the_file_is_being_written() -> None:
    watch = Watch(OLD)
    assert not watch.is_due(NEW, 0)
    assert not watch.is_due({"compounds.csv": OLD["compounds.csv"]}, 1)
    assert not watch.is_due(NEW, 2)
    assert watch.is_due(NEW, 13)
