"""Export of spans by OpenTelemetry, whose own variables say where to; loaded only where asked for.

The provider of spans is ours alone, and not the process's global one: the libraries that would use
that, such as FastAPI, write URLs and texts of errors into their spans.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Final

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import catfeeder
from actors.telemetry import tracing
from actors.telemetry.tracing import CLIENT, Attributes, Span
from catfeeder.errors import CatFeederError
from catfeeder.messages import PASSWORDS
from config import current_settings

_SERVICE_NAME: Final = "OTEL_SERVICE_NAME"
_PROPAGATOR: Final = TraceContextTextMapPropagator()

_providers: Final[list[TracerProvider]] = []


def export_spans(role: str) -> None:
    """Install the spans of `actors.telemetry.tracing`, and export them in the background."""
    own = {
        "service.version": catfeeder.__version__,
        "service.instance.id": f"{role}-{os.getpid()}",
        "catfeeder.role": role,
    }
    if not os.environ.get(_SERVICE_NAME):
        own["service.name"] = "catfeeder"
    # At the end of the process it sends what is left.
    provider = TracerProvider(resource=Resource.create(own))
    provider.add_span_processor(BatchSpanProcessor(_build_exporter()))
    _providers.append(provider)
    install(provider)
    if role != PASSWORDS:
        # A process of the passwords loads no tables.
        from models.db.database import observe_transactions

        observe_transactions(_span_transaction)


def end_export() -> None:
    """Send what is left, and trace no more."""
    tracing.install(None, None)
    while _providers:
        _providers.pop().shutdown()


def _build_exporter() -> SpanExporter:
    if os.environ.get("OTEL_TRACES_EXPORTER") == "console":
        return ConsoleSpanExporter()
    return OTLPSpanExporter()


def install(provider: TracerProvider) -> None:
    """Make the spans of this process by a provider."""
    tracer = provider.get_tracer("catfeeder", catfeeder.__version__)

    def begin(name: str, kind: str, attributes: Attributes, parent: str | None) -> Span:
        context = _PROPAGATOR.extract({"traceparent": parent}) if parent else None
        return _ExportedSpan(
            tracer.start_span(
                name, context=context, kind=trace.SpanKind[kind], attributes=attributes
            )
        )

    tracing.install(begin, lambda attributes: trace.get_current_span().set_attributes(attributes))


def _span_transaction() -> AbstractContextManager[None]:
    system = current_settings().database_url.partition(":")[0]
    return tracing.span("transaction", CLIENT, db__system__name=system)


class _ExportedSpan:
    """A span that is the current one of its context until its end."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._token = contexts.attach(trace.set_span_in_context(span))

    def note(self, attributes: Attributes) -> None:
        """Add attributes."""
        self._span.set_attributes(attributes)

    def rename(self, name: str) -> None:
        """Give the span another name."""
        self._span.update_name(name)

    def end(self, error: BaseException | None = None) -> None:
        """End the span; the text of an error stays out of it, as that may quote an answer."""
        if error is not None:
            name = error.code if isinstance(error, CatFeederError) else type(error).__name__
            self._span.set_attribute("error.type", name)
            self._span.set_status(trace.StatusCode.ERROR)
        self._span.end()
        contexts.detach(self._token)
