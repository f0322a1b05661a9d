"""Confirmation of what cannot be undone: asked on a terminal, or given by --yes."""

from __future__ import annotations

import sys

from worker.errors import ServiceFailure


class NotConfirmed(ServiceFailure):
    """Raised where the operator does not want it, or is not there to be asked."""

    message = "Nothing was done: it was not confirmed; --yes does so without a question."


def confirm(question: str, *, is_sure: bool) -> None:
    """Return if the operator is sure.

    Raises:
        NotConfirmed: They are not, or there is no terminal to ask them on.
    """
    if is_sure:
        return
    if not sys.stdin.isatty():
        raise NotConfirmed
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise NotConfirmed
