"""Tests of group commit: each thread gets the outcome of its own item alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from models.crons import TAB_CRONS
from models.db.database import hold_connection, transaction
from models.db.errors import DatabaseUnreachable
from models.renewal.group_commit import GroupCommit
from tests.models.times import NOW

pytestmark = pytest.mark.usefixtures("database")


class Recorder:
    """Writes a row for each item, and records the items of each write."""

    def __init__(self, fail: Callable[[Sequence[str]], None] = lambda _items: None) -> None:
        """`fail` raises if a write is to fail; a test clears `may_go_on` to hold writes."""
        self.writes: list[list[str]] = []
        self.begun = threading.Event()
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self._fail = fail

    def __call__(self, items: Sequence[str]) -> list[str]:
        """Write, and return the name of each item in capitals."""
        self.writes.append(list(items))
        self.begun.set()
        assert self.may_go_on.wait(30)
        for item in items:
            TAB_CRONS.create(name=item, next_at=NOW)
        self._fail(items)
        return [item.upper() for item in items]


def together(recorder: Recorder, names: Sequence[str]) -> dict[str, Future[str]]:
    """Write "first", and all these names while that is held."""
    group = GroupCommit(recorder)
    recorder.may_go_on.clear()
    with ThreadPoolExecutor(len(names) + 1) as pool:
        outcomes = {"first": pool.submit(group, "first")}
        assert recorder.begun.wait(30)
        outcomes |= {name: pool.submit(group, name) for name in names}
        while len(group._waiting) < len(names):
            threading.Event().wait(0.01)
        recorder.may_go_on.set()
    return outcomes


def stored() -> set[str]:
    with hold_connection():
        return {row.name for row in TAB_CRONS.select()}


def test_items_that_arrive_during_a_write_are_written_together() -> None:
    recorder = Recorder()

    outcomes = together(recorder, ["a", "b", "c"])

    assert {name: outcome.result() for name, outcome in outcomes.items()} == {
        "first": "FIRST",
        "a": "A",
        "b": "B",
        "c": "C",
    }
    assert [sorted(items) for items in recorder.writes] == [["first"], ["a", "b", "c"]]
    assert stored() == {"first", "a", "b", "c"}


def test_an_item_that_fails_costs_the_others_nothing() -> None:
    def fail(items: Sequence[str]) -> None:
        if "bad" in items:
            raise ValueError("bad")

    outcomes = together(Recorder(fail), ["a", "bad", "c"])

    assert [outcomes[name].result() for name in ("a", "c")] == ["A", "C"]
    with pytest.raises(ValueError, match="bad"):
        outcomes["bad"].result()
    assert stored() == {"first", "a", "c"}


def test_an_outage_fails_all_items_of_a_group_after_one_try() -> None:
    def fail(items: Sequence[str]) -> None:
        if "a" in items:
            raise DatabaseUnreachable

    recorder = Recorder(fail)
    outcomes = together(recorder, ["a", "b"])

    for name in ("a", "b"):
        with pytest.raises(DatabaseUnreachable):
            outcomes[name].result()
    assert len(recorder.writes) == 2
    assert stored() == {"first"}


def test_a_write_after_a_failed_one_succeeds() -> None:
    recorder = Recorder(lambda items: _refuse(items, "bad"))
    group = GroupCommit(recorder)

    with pytest.raises(ValueError, match="bad"):
        group("bad")

    assert group("good") == "GOOD"
    assert stored() == {"good"}


def _refuse(items: Sequence[str], name: str) -> None:
    if name in items:
        raise ValueError(name)


def test_a_write_within_a_transaction_is_part_of_it() -> None:
    recorder = Recorder()

    def write_and_undo() -> None:
        with transaction():
            assert GroupCommit(recorder)("a") == "A"
            raise ValueError("undone")

    with pytest.raises(ValueError, match="undone"):
        write_and_undo()
    assert stored() == set()


def test_a_deferred_item_is_written_with_the_next() -> None:
    recorder = Recorder()
    group = GroupCommit(recorder)

    outcome = group.defer("a")
    assert recorder.writes == []
    assert group("b") == "B"

    assert recorder.writes == [["a", "b"]]
    assert outcome() == "A"
    assert stored() == {"a", "b"}


def test_a_deferred_item_is_written_once_it_is_awaited() -> None:
    recorder = Recorder()

    assert GroupCommit(recorder).defer("a")() == "A"

    assert stored() == {"a"}


def test_a_deferred_item_delays_no_other() -> None:
    # Given a write that is under way, and behind it one that can wait and one that cannot
    recorder = Recorder()
    recorder.may_go_on.clear()
    group = GroupCommit(recorder)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(group, "first")
        assert recorder.begun.wait(30)
        outcome = group.defer("a")
        second = pool.submit(group, "b")
        while not group._waiting[-1].is_awaited or len(group._waiting) < 2:
            threading.Event().wait(0.01)
        recorder.may_go_on.set()

        # Then both are written as soon as it ends, though no thread awaits the deferred one
        assert (first.result(30), second.result(30)) == ("FIRST", "B")
    assert recorder.writes == [["first"], ["a", "b"]]
    assert outcome() == "A"


def test_a_deferred_item_that_fails_raises_when_awaited() -> None:
    recorder = Recorder(lambda items: _refuse(items, "bad"))
    group = GroupCommit(recorder)

    outcome = group.defer("bad")
    assert group("good") == "GOOD"

    with pytest.raises(ValueError, match="bad"):
        outcome()
    assert stored() == {"good"}


def test_one_statement_is_written_whole() -> None:
    recorder = Recorder()

    assert GroupCommit(recorder, is_single_statement=True)("a") == "A"

    assert stored() == {"a"}
