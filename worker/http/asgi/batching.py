"""Asking what many want to know at once in one go: what comes meanwhile shares the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


class Batcher(Generic[Q, A]):
    """Gathers questions, and hands each of those who wait the answer to theirs.

    However many ask, one connection is in use, and no thread.
    """

    def __init__(self, ask_all: Callable[[list[Q]], Awaitable[Sequence[A]]]) -> None:
        """Take what asks several questions and returns their answers in that order."""
        self._ask_all = ask_all
        self._is_out = asyncio.Lock()
        self._asked: list[tuple[Q, asyncio.Future[A]]] = []
        self._next: asyncio.Task[None] | None = None

    async def ask(self, question: Q) -> A:
        """Return the answer to a question.

        Raises:
            Whatever asking does.
        """
        # One's own: who goes away takes nobody else's question along.
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._asked.append((question, answer))
        if self._next is None:
            self._next = asyncio.create_task(self._ask_next())
        return await answer

    async def _ask_next(self) -> None:
        async with self._is_out:
            asked, self._next = self._taken(), None
            if not asked:
                return
            try:
                answers = await self._ask_all([question for question, _ in asked])
            except Exception as error:  # noqa: BLE001
                # Who came meanwhile has waited for the same silence, and need not for another.
                for _, waiting in [*asked, *self._taken()]:
                    if not waiting.done():
                        waiting.set_exception(error)
                return
            for (_, waiting), answer in zip(asked, answers, strict=True):
                if not waiting.done():
                    waiting.set_result(answer)

    def _taken(self) -> list[tuple[Q, asyncio.Future[A]]]:
        taken, self._asked = self._asked, []
        return taken
