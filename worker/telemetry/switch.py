"""Switch of OpenTelemetry: a process loads it only where its variables ask for traces."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import Final

from worker.telemetry.process_figures import WEB

_LOG: Final = logging.getLogger(__name__)
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
_HTTP: Final = "http/protobuf"
_PACKAGE: Final = "opentelemetry"
_MISSING: Final = (
    "The variables OTEL_… ask for traces, and OpenTelemetry is not installed: `make run OTEL=1`, "
    "or `pip install --require-hashes -r requirements-otel.lock`. Nothing is traced."
)


def is_wanted(environment: Mapping[str, str] | None = None) -> bool:
    """Return whether the standard variables ask for traces, which an endpoint does as well."""
    env = os.environ if environment is None else environment
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = env.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    return exporter not in ("", "none") or (
        not exporter and any(env.get(name, "").strip() for name in _ENDPOINTS)
    )


def keep_out_unwanted(process: str) -> None:
    """Keep libraries from loading OpenTelemetry for metrics that nothing here reads.

    redis loads all of it wherever it is installed. FastAPI needs its interfaces, and `web` them.
    """
    if sys.modules.get(_PACKAGE) is not None:
        return
    if is_wanted():
        # The process that this one is a fork of may have kept it out.
        sys.modules.pop(_PACKAGE, None)
        return
    # An import then fails as if it were not installed.
    sys.modules[_PACKAGE] = None  # type: ignore[assignment]
    if process == WEB:
        import redis  # noqa: F401

        del sys.modules[_PACKAGE]


def start_tracing(role: str) -> None:
    """Export the spans of this process from now on, if that is asked for and can be done."""
    if not is_wanted():
        return
    if problem := _find_problem():
        _LOG.warning("%s", problem)
        return
    from worker.telemetry.exporting import export_spans

    export_spans(role)


def _find_problem() -> str | None:
    protocol = next(filter(None, map(os.environ.get, reversed(_PROTOCOLS))), _HTTP)
    if protocol != _HTTP:
        return f"{_PROTOCOLS[0]} must be {_HTTP}: nothing is traced."
    if os.environ.get("OTEL_TRACES_EXPORTER", "otlp") not in ("otlp", "console"):
        return "OTEL_TRACES_EXPORTER must be otlp, console or none: nothing is traced."
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter
        import opentelemetry.sdk.trace  # noqa: F401
    except ImportError:
        return _MISSING
    return None
