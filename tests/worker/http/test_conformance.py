"""Conformance: whatever /openapi.json allows, or does not, is answered as the document says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from tests.conftest import ADMIN_API_KEY

_CONFIG = SchemathesisConfig.from_dict(
    {
        "checks": {
            # Rules of passwords, providers and sign-ins that no schema can say.
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


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_one_of_the_document(app: FastAPI, url: str, mode: GenerationMode) -> None:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {ADMIN_API_KEY}"
        for operation in _list_operations(app, mode):
            # Given any requests that the document allows, or any that it does not
            cases = operation.as_strategy(generation_mode=mode)

            @settings(
                max_examples=_EXAMPLES[mode],
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=cases)
            def send_and_validate(case: Any) -> None:
                # When each is sent
                answer = case.call(base_url=url, session=session)
                # Then status, media type, headers and schema are those of the document
                case.validate_response(answer)

            try:
                send_and_validate()
            except Unsatisfiable:
                # An operation without parameters and body takes nothing that it does not allow.
                assert mode is GenerationMode.NEGATIVE


def _list_operations(app: FastAPI, mode: GenerationMode) -> Iterator[Any]:
    schema = schemathesis.openapi.from_dict(app.openapi(), config=_CONFIG)
    for found in schema.get_all_operations():
        operation: Any = cast("Any", found).ok()
        if operation.definition.raw["operationId"] not in _LEFT_OUT[mode]:
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
