"""Peer of a request: what its errors call the server that was asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_PEER: Final = ContextVar("peer", default="provider")


def peer() -> str:
    """Return what the server is called that this context asks: `provider` unless said otherwise."""
    return _PEER.get()


@contextmanager
def call_peer(name: str) -> Iterator[None]:
    """Let the errors of the block's requests call the server by another name."""
    token = _PEER.set(name)
    try:
        yield
    finally:
        _PEER.reset(token)
