"""Tests of writing together: each thread learns what came of its own, and of nobody else's."""

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


class Recorded:
    """Writes a row for each item, holds the first write until others wait, and keeps account."""

    def __init__(self, fail: Callable[[Sequence[str]], None] = lambda _items: None) -> None:
        """Take what raises where a write is to fail."""
        self.writes: list[list[str]] = []
        self.begun = threading.Event()
        self.may_go_on = threading.Event()
        self._fail = fail

    def __call__(self, items: Sequence[str]) -> list[str]:
        """Write, and tell of each item its name in capitals."""
        self.writes.append(list(items))
        self.begun.set()
        assert self.may_go_on.wait(30)
        for item in items:
            TAB_CRONS.create(name=item, next_at=NOW)
        self._fail(items)
        return [item.upper() for item in items]


def together(recorded: Recorded, names: Sequence[str]) -> dict[str, Future[str]]:
    """Write "first", and all these names while that is held up."""
    gathered = GroupCommit(recorded)
    with ThreadPoolExecutor(len(names) + 1) as pool:
        outcomes = {"first": pool.submit(gathered, "first")}
        assert recorded.begun.wait(30)
        outcomes |= {name: pool.submit(gathered, name) for name in names}
        while len(gathered._waiting) < len(names):
            threading.Event().wait(0.01)
        recorded.may_go_on.set()
    return outcomes


def stored() -> set[str]:
    with hold_connection():
        return {row.name for row in TAB_CRONS.select()}


def test_what_comes_while_a_write_is_under_way_is_written_at_once() -> None:
    recorded = Recorded()

    outcomes = together(recorded, ["a", "b", "c"])

    assert {name: outcome.result() for name, outcome in outcomes.items()} == {
        "first": "FIRST",
        "a": "A",
        "b": "B",
        "c": "C",
    }
    assert [sorted(items) for items in recorded.writes] == [["first"], ["a", "b", "c"]]
    assert stored() == {"first", "a", "b", "c"}


def test_what_fails_costs_the_others_nothing() -> None:
    def fail(items: Sequence[str]) -> None:
        if "bad" in items:
            raise ValueError("bad")

    outcomes = together(Recorded(fail), ["a", "bad", "c"])

    assert [outcomes[name].result() for name in ("a", "c")] == ["A", "C"]
    with pytest.raises(ValueError, match="bad"):
        outcomes["bad"].result()
    assert stored() == {"first", "a", "c"}


def test_an_outage_is_told_to_all_whom_it_hits_after_one_try() -> None:
    def fail(items: Sequence[str]) -> None:
        if "a" in items:
            raise DatabaseUnreachable

    recorded = Recorded(fail)
    outcomes = together(recorded, ["a", "b"])

    for name in ("a", "b"):
        with pytest.raises(DatabaseUnreachable):
            outcomes[name].result()
    assert len(recorded.writes) == 2
    assert stored() == {"first"}


def test_whoever_comes_after_a_failure_writes_again() -> None:
    recorded = Recorded(lambda items: _refuse(items, "bad"))
    recorded.may_go_on.set()
    gathered = GroupCommit(recorded)

    with pytest.raises(ValueError, match="bad"):
        gathered("bad")

    assert gathered("good") == "GOOD"
    assert stored() == {"good"}


def _refuse(items: Sequence[str], name: str) -> None:
    if name in items:
        raise ValueError(name)


def test_a_write_within_a_transaction_is_part_of_it() -> None:
    recorded = Recorded()
    recorded.may_go_on.set()

    def write_and_undo() -> None:
        with transaction():
            assert GroupCommit(recorded)("a") == "A"
            raise ValueError("undone")

    with pytest.raises(ValueError, match="undone"):
        write_and_undo()
    assert stored() == set()


def test_what_can_wait_is_written_with_what_comes_next() -> None:
    recorded = Recorded()
    recorded.may_go_on.set()
    gathered = GroupCommit(recorded)

    outcome = gathered.defer("a")
    assert recorded.writes == []
    assert gathered("b") == "B"

    assert recorded.writes == [["a", "b"]]
    assert outcome() == "A"
    assert stored() == {"a", "b"}


def test_what_can_wait_is_written_once_it_is_waited_for() -> None:
    recorded = Recorded()
    recorded.may_go_on.set()

    assert GroupCommit(recorded).defer("a")() == "A"

    assert stored() == {"a"}


def test_what_nobody_waits_for_keeps_nobody_waiting() -> None:
    # Given a write that is under way, and behind it one that can wait and one that cannot
    recorded = Recorded()
    gathered = GroupCommit(recorded)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(gathered, "first")
        assert recorded.begun.wait(30)
        outcome = gathered.defer("a")
        second = pool.submit(gathered, "b")
        while not gathered._waiting[-1].is_awaited or len(gathered._waiting) < 2:
            threading.Event().wait(0.01)
        recorded.may_go_on.set()

        # Then they are written as soon as it ends, though nobody has asked for the one
        assert (first.result(30), second.result(30)) == ("FIRST", "B")
    assert recorded.writes == [["first"], ["a", "b"]]
    assert outcome() == "A"


def test_what_can_wait_is_told_that_it_failed() -> None:
    recorded = Recorded(lambda items: _refuse(items, "bad"))
    recorded.may_go_on.set()
    gathered = GroupCommit(recorded)

    outcome = gathered.defer("bad")
    assert gathered("good") == "GOOD"

    with pytest.raises(ValueError, match="bad"):
        outcome()
    assert stored() == {"good"}


def test_one_statement_is_written_whole() -> None:
    recorded = Recorded()
    recorded.may_go_on.set()

    assert GroupCommit(recorded, is_single_statement=True)("a") == "A"

    assert stored() == {"a"}
