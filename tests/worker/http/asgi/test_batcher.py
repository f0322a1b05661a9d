"""Batcher: questions at once share a round trip, and each gets its answer."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from catfeeder.errors import QueueUnreachable
from worker.http.asgi.batcher import Batcher

pytestmark = pytest.mark.anyio


class Oracle:
    """Doubles numbers once it may, and remembers how it was asked."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.asked: list[list[int]] = []
        self.is_away = False

    async def __call__(self, numbers: list[int]) -> list[int]:
        self.asked.append(numbers)
        await self.may_answer.wait()
        if self.is_away:
            raise QueueUnreachable
        return [2 * number for number in numbers]


async def asking(oracle: Oracle, batches: Batcher[int, int]) -> list[asyncio.Task[int]]:
    """Let two ask, and two more while these wait."""
    tasks = []
    for pair in ((1, 2), (3, 4)):
        tasks += [asyncio.create_task(batches.ask(number)) for number in pair]
        while not oracle.asked:  # noqa: ASYNC110 - a task that has just begun sets no event.
            await asyncio.sleep(0)
        await asyncio.sleep(0)
    return tasks


async def test_questions_during_a_round_trip_share_the_next_one() -> None:
    oracle = Oracle()
    tasks = await asking(oracle, Batcher(oracle))
    oracle.may_answer.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6, 8]
    assert oracle.asked == [[1, 2], [3, 4]]


async def test_one_failure_is_enough_for_all_waiting_tasks() -> None:
    # Given questions that are not answered
    oracle = Oracle()
    oracle.is_away = True
    batches = Batcher(oracle)
    tasks = await asking(oracle, batches)
    oracle.may_answer.set()
    # Then each task that waits gets the error, and each that came meanwhile
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [QueueUnreachable] * 4
    assert oracle.asked == [[1, 2]]
    # And a later task asks again
    oracle.is_away = False
    assert await asyncio.wait_for(batches.ask(5), 60) == 10


async def test_a_cancelled_request_takes_no_other_along() -> None:
    oracle = Oracle()
    tasks = await asking(oracle, Batcher(oracle))
    for leaving in tasks[::2]:
        leaving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await leaving
    oracle.may_answer.set()
    assert [await staying for staying in tasks[1::2]] == [4, 8]
