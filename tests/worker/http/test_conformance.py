"""Conformance: whatever /openapi.json allows, or does not, is answered as the document says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation

from tests.conftest import ADMIN_API_KEY
from tests.oidc_provider import OidcProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.conftest import SetLimits
from tests.worker.http.real_things import RealThings
from worker.http.auth.api_keys import APP_HEADER

_CONFIG = SchemathesisConfig.from_dict(
    {
        "checks": {
            # Rules of passwords, providers and sign-ins that no schema can say: introduction.py.
            "positive_data_acceptance": {"enabled": False},
            "negative_data_rejection": {"expected-statuses": ["4XX", "5XX"]},
            # A wrong key is counted: auth/test_wrong_keys.py is about them.
            "ignored_auth": {"enabled": False},
        }
    }
)
#: The first would end the test. In a form everything is text, so none is wrong by its schema.
_LEFT_OUT = {
    GenerationMode.POSITIVE: ("shut_down_service",),
    GenerationMode.NEGATIVE: (
        "shut_down_service",
        "begin_browser_sign_in_by_form",
        "receive_callback_form",
        "receive_provider_callback_form",
    ),
}
_EXAMPLES = {GenerationMode.POSITIVE: 5, GenerationMode.NEGATIVE: 4}


#: Where more sign-ins are begun and refused in a minute than one address may.
_NO_LIMITS = {
    "sign_ins_per_minute": 1_000_000,
    "sign_in_refusals_per_minute": 1_000_000,
    "sign_ins_per_minute_in_all": 1_000_000,
    "sign_in_refusals_per_minute_in_all": 1_000_000,
}
#: Whatever their parameters are, these have an answer for what exists.
_MUST_SUCCEED = {
    *("read_connection", "revoke_connection"),
    *("read_provider", "remove_provider", "pause_provider", "resume_provider", "check_provider"),
    *("read_app", "remove_app", "revoke_app_queue_key", "revoke_key", "read_job"),
    *("receive_callback", "receive_provider_callback"),
}
#: Rules of schemas that OpenAPI has no words for: of two parameters of a query, and of any text
#: within free JSON.
_NOT_STATED = {"at_most_one", "nul_character"}
#: Chance may leave some of these with unknown ids alone.
_MOST_UNLUCKY = 3
_HEADERS = ParameterLocation.HEADER
_PATH = ParameterLocation.PATH
_QUERY = ParameterLocation.QUERY
_BODY = ParameterLocation.BODY


@pytest.fixture
def things(http: httpx.Client, house: OidcProvider, set_limits: SetLimits) -> RealThings:
    """What exists, in a service that refuses no sign-in since there are too many."""
    set_limits(**_NO_LIMITS)
    return RealThings(http, house)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_one_of_the_document(
    app: FastAPI, url: str, things: RealThings, mode: GenerationMode
) -> None:
    succeeded: set[str] = set()
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {ADMIN_API_KEY}"
        for operation in _list_operations(app, mode):
            # Given any requests that the document allows, or any that it does not, three of four
            # of them for what exists
            cases = operation.as_strategy(generation_mode=mode)

            @settings(
                max_examples=_EXAMPLES[mode],
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=cases, part=st.integers(0, 3))
            def send_and_validate(case: Any, part: int) -> None:
                if part:
                    _name_what_exists(case, things)
                # When each is sent
                answer = case.call(base_url=url, session=session)
                # Then status, media type, headers and schema are those of the document
                case.validate_response(answer)
                # And what only the schemas of bodies are for is in them
                assert mode is GenerationMode.NEGATIVE or _list_unstated(answer) == []
                if answer.status_code < 400:
                    succeeded.add(_get_name(case.operation))

            try:
                send_and_validate()
            except Unsatisfiable:
                # An operation without parameters and body takes nothing that it does not allow.
                assert mode is GenerationMode.NEGATIVE
    # And operations have done what they are for, not refused what they were asked by an unknown id
    if mode is GenerationMode.POSITIVE:
        assert len(_MUST_SUCCEED - succeeded) <= _MOST_UNLUCKY


def _list_unstated(answer: requests.Response) -> list[str]:
    """Return the rules that a request has broken though its schema says all of them."""
    if answer.status_code != 422 or answer.json()["code"] != "invalid_request":
        return []
    return [it["detail"] for it in answer.json()["errors"] if it["code"] not in _NOT_STATED]


def _name_what_exists(case: Any, things: RealThings) -> None:
    """Let a request name what exists, where what it names is no part of what is wrong with it."""
    operation = _get_name(case.operation)
    for location, container in (
        (_PATH, case.path_parameters),
        (_QUERY, case.query),
        (_BODY, case.body),
    ):
        if not isinstance(container, dict) or _is_wrong(case, location):
            continue
        for name in container:
            # One of two members that stand in place of each other is null.
            if container[name] is not None:
                container[name] = things.name(operation, name) or container[name]
        if "callback" in operation or operation == "exchange_code":
            container.update(things.begin_sign_in() if "state" in container else {})
    if case.headers and not _is_wrong(case, _HEADERS):
        case.headers.pop(APP_HEADER, None)


def _get_name(operation: Any) -> str:
    name: str = operation.definition.raw["operationId"]
    return name


def _is_wrong(case: Any, location: ParameterLocation) -> bool:
    component = case.meta.components.get(location)
    return component is not None and component.mode is GenerationMode.NEGATIVE


def _list_operations(app: FastAPI, mode: GenerationMode) -> Iterator[Any]:
    schema = schemathesis.openapi.from_dict(app.openapi(), config=_CONFIG)
    for found in schema.get_all_operations():
        operation: Any = cast("Any", found).ok()
        if _get_name(operation) not in _LEFT_OUT[mode]:
            yield operation


def test_every_path_says_what_may_be_done(app: FastAPI, url: str) -> None:
    for path, operations in app.openapi()["paths"].items():
        # When a client asks, without a key (RFC 9110 section 9.3.7)
        answer = requests.options(f"{url}{path.replace('{', '').replace('}', '')}", timeout=30)
        # Then it learns the methods that the document has
        allowed = set(answer.headers["Allow"].split(", "))
        assert (answer.status_code, answer.content) == (204, b"")
        methods = {method.upper() for method in operations}
        assert allowed == {*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])}, path


def test_a_whole_number_may_be_written_with_a_point(http: httpx.Client) -> None:
    # Given numbers as some programs write them, each an integer by JSON Schema
    made = http.put(
        "/v1/providers/google",
        json={"preset": "google", "client_id": "app", "grant_lifetime_seconds": 9999999.0},
    )
    app = http.post("/v1/apps", json={"id": "shop", "requests_per_minute": 120.0})
    key = http.post("/v1/keys", json={"name": "k", "scopes": ["jobs"], "lifetime": 3600.0})
    # Then each is taken for what it is, and one with a fraction is refused
    assert made.json()["grant_lifetime_seconds"] == 9999999
    assert app.json()["requests_per_minute"] == 120
    assert key.is_success
    for wrong in (120.5, "120", True, 1e400):
        body = json.dumps({"id": "other", "requests_per_minute": wrong})
        answer = http.post("/v1/apps", content=body, headers={"Content-Type": "application/json"})
        assert_problem(answer, 422, "invalid_request")
