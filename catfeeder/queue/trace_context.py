"""Trace context: the request behind a message and its W3C trace, carried along to the worker.

Both stand among a message's options, under its seal. A reader that does not know them ignores them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

#: The id of the HTTP request that the current work was asked for by; None for the schedule.
request_id: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
REQUEST_ID_OPTION: Final = "request_id"
#: The context of a trace (W3C Trace Context, section 3.2).
TRACEPARENT_OPTION: Final = "traceparent"

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+=-]{0,63}")
_TRACEPARENT: Final = re.compile("00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_FORMS: Final = {REQUEST_ID_OPTION: _REQUEST_ID, TRACEPARENT_OPTION: _TRACEPARENT}
#: What the options of an app's message may have beside its place on the queue.
TRACE_OPTIONS: Final = frozenset(_FORMS)


def is_request_id(value: object) -> bool:
    """Return whether a value is sane as the id of a request: short, and safe in a log line."""
    return isinstance(value, str) and _REQUEST_ID.fullmatch(value) is not None


def find_traceparent() -> str | None:
    """Return the `traceparent` of the current span, where this process uses OpenTelemetry.

    Nothing is imported: without OpenTelemetry there is no span.
    """
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None
    context = api.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def build_trace_options() -> dict[str, str]:
    """Return the options by which a message carries the context on."""
    found = {REQUEST_ID_OPTION: request_id.get(), TRACEPARENT_OPTION: find_traceparent()}
    return {name: value for name, value in found.items() if value is not None}


def read_trace_options(options: Mapping[str, Any]) -> dict[str, str]:
    """Return those of a message's options that have the form that they must."""
    return {
        name: options[name]
        for name, form in _FORMS.items()
        if isinstance(options.get(name), str) and form.fullmatch(options[name])
    }
