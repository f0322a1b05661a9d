"""Spans of traces: begun here wherever something takes time, and nothing at all unless traced.

No module of OpenTelemetry is imported here. A process that exports traces installs what makes real
spans (`worker.telemetry.exporting`); in any other each call returns the same object, which does
nothing. An attribute is one of our own words or numbers, never a value that a caller or a provider
has sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final, Protocol, TypeAlias

Attributes: TypeAlias = Mapping[str, str | int]

#: What a span is for its trace, by the names of OpenTelemetry's specification.
SERVER: Final = "SERVER"
CLIENT: Final = "CLIENT"
PRODUCER: Final = "PRODUCER"
CONSUMER: Final = "CONSUMER"
INTERNAL: Final = "INTERNAL"


class Span(Protocol):
    """A part of a trace, which is the current one from its begin to its end in this context."""

    def note(self, attributes: Attributes) -> None:
        """Add attributes."""

    def rename(self, name: str) -> None:
        """Give the span another name, such as one that is known at the end only."""

    def end(self, error: BaseException | None = None) -> None:
        """End the span; an error is noted by its class and its code, never by its text."""


class _NoSpan:
    """Stands for a span where nothing is traced."""

    def note(self, attributes: Attributes) -> None:
        """Do nothing."""

    def rename(self, name: str) -> None:
        """Do nothing."""

    def end(self, error: BaseException | None = None) -> None:
        """Do nothing."""


NO_SPAN: Final = _NoSpan()
#: Takes name, kind, attributes and the `traceparent` of a parent in another process.
BeginSpan: TypeAlias = Callable[[str, str, Attributes, str | None], Span]

_begin: BeginSpan | None = None
_annotate: Callable[[Attributes], None] | None = None


def install(begin: BeginSpan | None, annotate: Callable[[Attributes], None] | None) -> None:
    """Trace from now on; with None no more. `annotate` adds to the current span."""
    global _begin, _annotate
    _begin, _annotate = begin, annotate


def is_tracing() -> bool:
    """Return whether spans are exported."""
    return _begin is not None


def begin_span(
    name: str, kind: str = INTERNAL, attributes: Attributes | None = None, parent: str | None = None
) -> Span:
    """Begin a span under the current one, or under the `traceparent` of another process's."""
    return NO_SPAN if _begin is None else _begin(name, kind, attributes or {}, parent)


def annotate(attributes: Attributes) -> None:
    """Add attributes to the current span, if there is one."""
    if _annotate is not None:
        _annotate(attributes)


def span(name: str, kind: str = INTERNAL, **attributes: str) -> AbstractContextManager[None]:
    """Return a span around a block; a dot of an attribute's name is written as two underscores."""
    return nullcontext() if _begin is None else _span(_begin, name, kind, attributes)


@contextmanager
def _span(begin: BeginSpan, name: str, kind: str, attributes: Mapping[str, str]) -> Iterator[None]:
    named = {name.replace("__", "."): value for name, value in attributes.items()}
    begun = begin(name, kind, named, None)
    try:
        yield
    except BaseException as error:
        begun.end(error)
        raise
    begun.end()
