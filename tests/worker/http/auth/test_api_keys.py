"""API keys: which caller is let in, which is refused, and how."""

from __future__ import annotations

import re

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from catfeeder.client import Client
from tests.conftest import ADMIN_API_KEY
from tests.worker.http.answers import assert_problem
from worker.http.auth.api_keys import RequireScope
from worker.http.connect.access import ConnectRoute
from worker.http.console.access import ConsoleRoute

_OPEN = {
    ("GET", "/"),
    ("GET", "/connect"),
    ("POST", "/connect"),
    ("GET", "/console/login"),
    ("POST", "/console/login"),
    ("GET", "/docs"),
    ("GET", "/docs/oauth2-redirect"),
    ("GET", "/health"),
    ("GET", "/v1/oauth/callback"),
    ("GET", "/v1/oauth/callback/{provider}"),
    ("GET", "/v1/oauth/{provider}/login"),
    ("POST", "/v1/oauth/{provider}/login"),
    ("POST", "/v1/oauth/callback"),
    ("POST", "/v1/oauth/callback/{provider}"),
}
_SCOPES = {
    ("DELETE", "/v1/apps/{app}"): "admin",
    ("GET", "/v1/apps"): "admin",
    ("GET", "/v1/apps/{app}"): "admin",
    ("PATCH", "/v1/apps/{app}"): "admin",
    ("POST", "/v1/apps"): "admin",
    ("POST", "/v1/apps/{app}/revoke-queue-key"): "admin",
    ("DELETE", "/v1/connections/{connection_id}"): "jobs",
    ("DELETE", "/v1/jobs/{job_id}"): "jobs",
    ("DELETE", "/v1/providers/{provider}"): "admin",
    ("GET", "/metrics"): "metrics",
    ("GET", "/v1/catalogue"): "connections:read",
    ("POST", "/v1/connect-sessions"): "jobs",
    ("GET", "/v1/connections"): "connections:read",
    ("GET", "/v1/connections/{connection_id}"): "connections:read",
    ("GET", "/v1/connections/{connection_id}/token"): "tokens:read",
    ("DELETE", "/v1/keys/{key_id}"): "admin",
    ("GET", "/v1/events"): "connections:read",
    ("GET", "/v1/jobs"): "jobs",
    ("GET", "/v1/jobs/{job_id}"): "jobs",
    ("GET", "/v1/keys"): "admin",
    ("GET", "/v1/providers"): "admin",
    ("GET", "/v1/providers/{provider}"): "admin",
    ("GET", "/v1/providers/{provider}/check"): "admin",
    ("GET", "/v1/queues"): "admin",
    ("GET", "/v1/queues/{queue}/dead-letters"): "admin",
    ("GET", "/v1/renewals"): "connections:read",
    ("GET", "/v1/webhook-deliveries"): "connections:read",
    ("PATCH", "/v1/providers/{provider}"): "admin",
    ("POST", "/v1/connections/{connection_id}/renew"): "jobs",
    ("POST", "/v1/connections"): "jobs",
    ("POST", "/v1/keys"): "admin",
    ("POST", "/v1/oauth/{provider}/authorize"): "jobs",
    ("POST", "/v1/oauth/{provider}/device"): "jobs",
    ("POST", "/v1/passwords/policy"): "jobs",
    ("POST", "/v1/oauth/{provider}/exchange"): "jobs",
    ("POST", "/v1/oauth/{provider}/refresh"): "tokens:read",
    ("POST", "/v1/oauth/{provider}/user-info"): "jobs",
    ("POST", "/v1/passwords/check"): "jobs",
    ("POST", "/v1/passwords/hash"): "jobs",
    ("POST", "/v1/queues/{queue}/discard"): "admin",
    ("POST", "/v1/queues/{queue}/pause"): "admin",
    ("POST", "/v1/queues/{queue}/replay"): "admin",
    ("POST", "/v1/queues/{queue}/resume"): "admin",
    ("POST", "/v1/providers/{provider}/pause"): "admin",
    ("POST", "/v1/providers/{provider}/resume"): "admin",
    ("POST", "/v1/server/shutdown"): "admin",
    ("POST", "/v1/webhook-deliveries/resend"): "admin",
    ("PUT", "/v1/providers/{provider}"): "admin",
}


def test_every_route_of_the_contract_demands_its_scope(app: FastAPI) -> None:
    demanded: dict[tuple[str, str], str] = {}
    unguarded = set()
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and not isinstance(route, ConsoleRoute | ConnectRoute):
            needs = [
                d.dependency for d in route.dependencies if isinstance(d.dependency, RequireScope)
            ]
            for method in route.methods or set():
                if needs:
                    demanded[method, route.path] = ", ".join(need.scope for need in needs)
                else:
                    unguarded.add((method, route.path))
    assert demanded == _SCOPES
    assert unguarded == _OPEN


def test_without_a_key_a_request_is_refused_before_its_body_is_read(
    anonymous: httpx.Client,
) -> None:
    for method, path in _SCOPES:
        answer = anonymous.request(method, path, content=b"{", headers={"Content-Type": "text/odd"})
        assert_problem(answer, 401, "key_required")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="catfeeder"'


@pytest.mark.parametrize(
    "header", ["Bearer", "Basic YWRtaW46YWRtaW4=", ADMIN_API_KEY, "", "Token x"]
)
def test_what_is_no_bearer_key_counts_as_none(anonymous: httpx.Client, header: str) -> None:
    answer = anonymous.get("/v1/providers", headers={"Authorization": header})
    assert_problem(answer, 401, "key_required")


@pytest.mark.parametrize(
    "key", ["wrong", ADMIN_API_KEY + "x", ADMIN_API_KEY[:-1], ADMIN_API_KEY.upper(), "ключ", "\xff"]
)
def test_a_wrong_key_is_turned_away_and_not_repeated(anonymous: httpx.Client, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}".encode()}
    answer = anonymous.get("/v1/providers", headers=headers)  # type: ignore[arg-type]
    assert_problem(answer, 401, "key_unknown")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert key not in answer.text


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_the_scheme_may_be_written_in_any_case(anonymous: httpx.Client, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {ADMIN_API_KEY}"}
    assert anonymous.get("/v1/providers", headers=headers).status_code == 200


def test_the_admins_key_may_do_everything_as_often_as_they_like(http: httpx.Client) -> None:
    # More often than a key of the database may by default
    for _ in range(21):
        paths = ("/v1/connections", "/v1/jobs/none", "/v1/connections/none/token", "/v1/keys")
        assert {http.get(path).status_code for path in paths} == {200, 404}
    assert "catfeeder_http_keys_refused_total{" not in http.get("/metrics").text


def test_every_route_shows_the_scope_that_it_demands(anonymous: httpx.Client) -> None:
    document = anonymous.get("/openapi.json").json()
    shown, told = {}, {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            name = (method.upper(), path)
            if "security" in operation:
                [[scope]] = [need["api_key"] for need in operation["security"]]
                shown[name] = scope
            for scope in re.findall(
                "Needs a key with the scope `(.*)`", operation.get("description", "")
            ):
                told[name] = scope
    assert shown == told == _SCOPES


def test_tokens_in_a_result_need_their_scope(
    http: httpx.Client, anonymous: httpx.Client, client: Client
) -> None:
    # Given a job whose result holds tokens, and one whose does not
    refreshed = client.refresh_token("google", "x")
    hashed = client.hash_password("correct horse battery")
    # When they are read with a key for jobs alone
    made = http.post("/v1/keys", json={"name": "shop", "scopes": ["jobs"]}).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    # Then only the second is shown
    refused = anonymous.get(f"/v1/jobs/{refreshed.id}", headers=headers)
    assert_problem(refused, 403, "key_lacks_scope")
    assert 'scope="tokens:read"' in refused.headers["WWW-Authenticate"]
    assert anonymous.get(f"/v1/jobs/{hashed.id}", headers=headers).status_code == 200
