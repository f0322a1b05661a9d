"""Response schemas: OpenAPI shows each result's fields, and answers hold nothing else."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from actors.api_keys import SCOPES, ApiKey
from actors.events.audit import Event
from actors.events.kinds import EventKind
from catfeeder import results
from tests.oidc_provider import OidcProvider
from tests.worker.http.signing_in import HOUSE, sign_in
from worker.http.schemas.shapes import build_model


@pytest.fixture(scope="module")
def _document() -> dict[str, Any]:
    return {}


@pytest.fixture
def document(app: FastAPI, _document: dict[str, Any]) -> dict[str, Any]:
    """What /openapi.json says, which is made once."""
    if not _document:
        _document.update(app.openapi())
    return _document


def _get_properties(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema["$ref"].rpartition("/")[2]
    properties: dict[str, Any] = document["components"]["schemas"][name]["properties"]
    return properties


def _get_response(document: dict[str, Any], method: str, path: str, status: int) -> dict[str, Any]:
    response = document["paths"][path][method]["responses"][str(status)]
    schema: dict[str, Any] = response["content"]["application/json"]["schema"]
    return _get_properties(document, schema)


def test_a_shape_becomes_a_schema_with_descriptions_and_formats() -> None:
    schema = build_model(results.Connection).model_json_schema()
    properties = schema["properties"]
    assert set(schema["required"]) == set(results.Connection.__annotations__)
    assert properties["missing_scopes"] == {
        "description": "The scopes that were asked for and not granted.",
        "items": {"type": "string"},
        "title": "Missing Scopes",
        "type": "array",
    }
    assert properties["created_at"] == {
        "format": "date-time",
        "type": "string",
        "title": "Created At",
    }
    assert {"format": "date-time", "type": "string"} in properties["expires_at"]["anyOf"]
    assert "$ref" in properties["profile"]
    assert schema["$defs"]["Profile"]["properties"]["email_verified"]["description"]


def test_what_may_be_left_out_is_not_required() -> None:
    schema = build_model(results.TokenResponse).model_json_schema()
    assert set(schema["required"]) == {"access_token", "token_type"}


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        ("post", "/v1/passwords/hash", results.PasswordHash),
        ("post", "/v1/passwords/check", results.PasswordCheck),
        ("post", "/v1/oauth/{provider}/exchange", results.Connection),
        ("post", "/v1/oauth/{provider}/user-info", results.Profile),
        ("post", "/v1/oauth/{provider}/refresh", results.TokenResponse),
        ("post", "/v1/connections/{connection_id}/renew", results.Connection),
        ("delete", "/v1/connections/{connection_id}", results.Revocation),
    ],
)
def test_the_job_of_a_route_has_that_routes_result(
    document: dict[str, Any], method: str, path: str, fields: Any
) -> None:
    for status in (200, 202):
        result = _get_response(document, method, path, status)["result"]
        assert set(_get_properties(document, result)) == set(fields.__annotations__)


def test_answers_hold_what_their_schemas_say(
    http: httpx.Client, house: OidcProvider, document: dict[str, Any]
) -> None:
    connection = sign_in(http, house, "alice")
    answers = {
        "/v1/connections/{connection_id}": http.get(f"/v1/connections/{connection['id']}"),
        "/v1/connections/{connection_id}/token": http.get(
            f"/v1/connections/{connection['id']}/token"
        ),
        "/v1/providers/{provider}/check": http.get(f"/v1/providers/{HOUSE}/check"),
    }
    for path, answer in answers.items():
        assert set(answer.json()) == set(_get_response(document, "get", path, 200)), path
    # And lists hold items of their kind
    http.post("/v1/keys", json={"name": "shop", "scopes": ["jobs"]})
    for path in ("/v1/connections", "/v1/events", "/v1/renewals", "/v1/keys"):
        page, properties = http.get(path).json(), _get_response(document, "get", path, 200)
        assert set(page) == set(properties)
        item = _get_properties(document, properties["items"]["items"])
        assert {frozenset(shown) for shown in page["items"]} == {frozenset(item)}, path


def test_a_list_of_values_is_part_of_a_schema() -> None:
    event = build_model(Event).model_json_schema()
    assert event["$defs"]["EventKind"]["enum"] == list(EventKind)
    scopes = build_model(ApiKey).model_json_schema()["properties"]["scopes"]
    assert scopes["items"]["enum"] == list(SCOPES)


@pytest.mark.parametrize("preset", ["google", "apple", "gitlab", "slack", None])
def test_a_provider_holds_what_its_schema_says(
    http: httpx.Client, house: OidcProvider, document: dict[str, Any], preset: str | None
) -> None:
    # Given a provider by a preset, or one whose metadata was discovered
    path = f"/v1/providers/{preset or HOUSE}"
    if preset is None:
        sign_in(http, house, "alice")
    else:
        assert http.put(path, json={"preset": preset, "client_id": "a"}).status_code == 201
    shown = http.get(path).json()
    known = _get_response(document, "get", "/v1/providers/{provider}", 200)
    assert set(shown) <= set(known)
    assert set(shown["renewals"]) == set(_get_properties(document, known["renewals"]))
    # And no schema of an answer has a secret
    assert not {"client_secret", "client_secrets", "private_key"} & set(known)
