"""Traces across processes: one from an HTTP request to the provider's call and the write."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from config import ROOT
from models.db.database import observe_transactions
from tests.conftest import ADMIN_API_KEY
from tests.oidc_provider import OidcProvider
from tests.waiting import wait_until
from tests.worker.conftest import StartPerformer
from tests.worker.http.signing_in import consented, set_up_house
from worker.telemetry.switch import is_wanted

_TRACE = "0af7651916cd43dd8448eb211c80319c"


class Collector:
    """A receiver of OTLP over HTTP, as any collector is one."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                is_packed = self.headers.get("Content-Encoding") == "gzip"
                bodies.append(gzip.decompress(body) if is_packed else body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Log nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def spans(self) -> list[tuple[str, Any]]:
        """Return what has arrived: each span with the role of its process."""
        found = []
        for body in list(self.bodies):
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                named = {it.key: it.value.string_value for it in group.resource.attributes}
                assert named["service.name"] == "cats"
                for scope in group.scope_spans:
                    found += [(named["catfeeder.role"], span) for span in scope.spans]
        return found

    def end(self) -> None:
        """Receive no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Where this process, and those that it starts, export their spans."""
    collector = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "cats")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    yield collector
    from worker.telemetry.exporting import end_export

    end_export()
    observe_transactions(None)
    collector.end()


@pytest.fixture
def environment(collector: Collector, environment: dict[str, str]) -> dict[str, str]:
    """The environment, once the collector stands in this process's own."""
    del collector
    return environment


def test_one_trace_leads_from_the_request_to_the_provider_and_the_write(
    collector: Collector, http: httpx.Client, oidc_provider: OidcProvider, start: StartPerformer
) -> None:
    # Given a web process and a worker, of which each exports its spans
    set_up_house(http, oidc_provider)
    start("oauth", "renewals")
    answer = consented(http, oidc_provider, "alice")

    # When the browser comes back, in a trace that the proxy before us has begun
    traceparent = {"traceparent": f"00-{_TRACE}-b7ad6b7169203331-01"}
    finished = http.get("/v1/oauth/callback", params=answer, headers=traceparent)
    assert finished.status_code == 200, finished.text

    # Then one trace holds what both did, each span under another of it
    wanted = {
        ("web", "GET /v1/oauth/callback"),
        ("web", "send exchange_code"),
        ("oauth", "process exchange_code"),
        ("oauth", "code house"),
        ("oauth", "user_info house"),
        ("oauth", "transaction"),
    }

    def of_the_trace() -> list[tuple[str, Any]]:
        return [(role, it) for role, it in collector.spans() if it.trace_id.hex() == _TRACE]

    wait_until(lambda: {(role, it.name) for role, it in of_the_trace()} >= wanted)
    spans = {it.span_id: (role, it) for role, it in of_the_trace()}
    assert sum(it.parent_span_id not in spans for _, it in spans.values()) == 1
    [performed] = [it for _, it in spans.values() if it.name == "process exchange_code"]
    assert spans[performed.parent_span_id][1].name == "send exchange_code"
    # And nothing in it is a secret or a person
    sent = b"".join(collector.bodies)
    secrets = [*answer.values(), "alice", "house-secret", ADMIN_API_KEY, finished.json()["id"]]
    assert [text for text in secrets if text.encode() in sent] == []


@pytest.mark.parametrize(
    ("process", "statement"),
    [
        ("perform", "import worker.process.perform, worker.process.build, actors.renewal.renew"),
        ("scheduler", "import worker.scheduler"),
        ("web", "import worker.http.app"),
    ],
)
def test_without_its_variables_no_process_loads_opentelemetry(process: str, statement: str) -> None:
    # FastAPI imports the interfaces by itself, and is told to use none of them.
    code = f"""
import sys
from worker.telemetry.switch import keep_out_unwanted, start_tracing
keep_out_unwanted({process!r})
start_tracing({process!r})
{statement}
loaded = [name for name, module in sys.modules.items() if module and "opentelemetry" in name]
print(*[name for name in loaded if {process!r} != "web" or ".sdk" in name or "exporter" in name])
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == []


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ("", False),
        ("OTEL_SERVICE_NAME=cats", False),
        ("OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", True),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c:4318/v1/traces", True),
        ("OTEL_TRACES_EXPORTER=otlp", True),
        ("OTEL_TRACES_EXPORTER=console", True),
        ("OTEL_TRACES_EXPORTER=none OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", False),
        ("OTEL_SDK_DISABLED=true OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", False),
    ],
    ids=str,
)
def test_the_standard_variables_switch_traces_on_and_off(variables: str, expected: bool) -> None:
    environment = dict(each.split("=", 1) for each in variables.split())

    assert is_wanted(environment) is expected
