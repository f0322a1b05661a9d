"""API keys: who is let in, who is turned away, and how."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from catfeeder.client import Client
from catfeeder.sealing import Secret
from tests.conftest import ADMIN_API_KEY
from tests.worker.http.answers import assert_problem
from worker.http.keys import Caller, Keys, Needs, Scope
from worker.http.refusals import KeyRequired, KeyUnknown

_OPEN = {
    ("GET", "/health"),
    ("GET", "/v1/oauth/callback"),
    ("GET", "/v1/oauth/{provider}/login"),
    ("POST", "/v1/oauth/callback"),
}
_SCOPES = {
    ("DELETE", "/v1/connections/{connection_id}"): "jobs",
    ("DELETE", "/v1/jobs/{job_id}"): "jobs",
    ("DELETE", "/v1/providers/{provider}"): "admin",
    ("GET", "/metrics"): "admin",
    ("GET", "/v1/connections"): "connections:read",
    ("GET", "/v1/connections/{connection_id}"): "connections:read",
    ("GET", "/v1/connections/{connection_id}/token"): "tokens:read",
    ("GET", "/v1/jobs/{job_id}"): "jobs",
    ("GET", "/v1/providers"): "admin",
    ("GET", "/v1/providers/{provider}"): "admin",
    ("PATCH", "/v1/providers/{provider}"): "admin",
    ("POST", "/v1/connections/{connection_id}/renew"): "jobs",
    ("POST", "/v1/oauth/{provider}/authorize"): "jobs",
    ("POST", "/v1/oauth/{provider}/exchange"): "jobs",
    ("POST", "/v1/oauth/{provider}/refresh"): "tokens:read",
    ("POST", "/v1/oauth/{provider}/user-info"): "jobs",
    ("POST", "/v1/passwords/check"): "jobs",
    ("POST", "/v1/passwords/hash"): "jobs",
    ("POST", "/v1/server/shutdown"): "admin",
    ("PUT", "/v1/providers/{provider}"): "admin",
}


def test_every_route_of_the_contract_demands_its_scope(app: FastAPI) -> None:
    demanded: dict[tuple[str, str], str] = {}
    unguarded = set()
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            needs = [d.dependency for d in route.dependencies if isinstance(d.dependency, Needs)]
            for method in route.methods or set():
                if needs:
                    demanded[method, route.path] = ", ".join(need.scope for need in needs)
                else:
                    unguarded.add((method, route.path))
    assert demanded == _SCOPES
    assert unguarded == _OPEN


@pytest.mark.parametrize(("method", "path"), _SCOPES)
def test_a_stranger_is_turned_away_before_their_body_is_looked_at(
    anonymous: httpx.Client, method: str, path: str
) -> None:
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


def test_the_admins_key_may_do_everything() -> None:
    keys = Keys(Secret("the-key"))
    assert keys.caller("Bearer the-key") == Caller("admin", frozenset(Scope))
    with pytest.raises(KeyRequired):
        keys.caller(None)
    with pytest.raises(KeyUnknown):
        keys.caller("Bearer the-key2")


class _OnlyJobs(Keys):
    """Keys of which none is the admin's; such keys are to be stored one day."""

    def caller(self, authorization: str | None) -> Caller:
        return Caller(super().caller(authorization).name, frozenset({Scope.JOBS}))


def test_a_key_without_the_scope_is_forbidden(app: FastAPI, http: httpx.Client) -> None:
    object.__setattr__(app.state.shim, "keys", _OnlyJobs(Secret(ADMIN_API_KEY)))
    answer = http.get("/v1/connections")
    assert_problem(answer, 403, "key_lacks_scope")
    assert 'scope="connections:read"' in answer.headers["WWW-Authenticate"]
    assert http.get("/v1/jobs/none").status_code == 404


def test_tokens_in_a_result_need_their_scope(
    app: FastAPI, http: httpx.Client, client: Client
) -> None:
    # Given a job whose result holds tokens, and one whose does not
    refreshed = client.refresh_token("google", "x")
    hashed = client.hash_password("correct horse battery")
    # When they are read with a key for jobs alone
    object.__setattr__(app.state.shim, "keys", _OnlyJobs(Secret(ADMIN_API_KEY)))
    # Then only the second is shown
    assert_problem(http.get(f"/v1/jobs/{refreshed.id}"), 403, "key_lacks_scope")
    assert http.get(f"/v1/jobs/{hashed.id}").status_code == 200
