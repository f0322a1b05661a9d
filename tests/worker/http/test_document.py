"""/openapi.json: what generators of clients rest on."""

from __future__ import annotations

import importlib
import json
import re
import typing
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from openapi_spec_validator import OpenAPIV31SpecValidator
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

from actors.registry import PERFORMERS
from catfeeder.messages import CATALOGUE
from worker.http.schemas.work.jobs import RESULTS

_VERBS = (
    "authorize|begin|cancel|change|check|create|discard|exchange|fetch|hash|make|patch|pause|read|"
    "receive|refresh|remove|renew|replace|replay|resend|resume|revoke|shut"
)


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    """What /openapi.json says."""
    return app.openapi()


def _list_operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def test_it_is_valid(document: dict[str, Any]) -> None:
    faults: list[OpenAPIValidationError] = list(OpenAPIV31SpecValidator(document).iter_errors())
    assert [fault.message for fault in faults] == []


def test_bounds_are_those_of_json_schema(document: dict[str, Any]) -> None:
    # A validator passes by a word that it does not know, and so do those of clients
    words = set(re.findall(r'"(\w+)": -?[0-9]', json.dumps(document["components"]["schemas"])))
    bounds = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
    sizes = {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}
    properties = set(_list_properties(document["components"]["schemas"]))
    assert words - properties <= bounds | sizes | {"default", "const", "example"}


def _list_properties(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", ())
        for part in schema.values():
            yield from _list_properties(part)


def test_operations_are_named_as_functions_are(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in _list_operations(document)]
    assert {"hash_password", "begin_sign_in", "exchange_code", "read_connection_token"} < set(names)
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(rf"({_VERBS})(_[a-z]+)+", name)] == []


def test_every_error_is_the_one_problem(document: dict[str, Any]) -> None:
    errors = [operation["responses"]["default"] for operation in _list_operations(document)]
    schemas = [error["content"]["application/problem+json"]["schema"] for error in errors]
    assert schemas == [{"$ref": "#/components/schemas/Problem"}] * len(schemas)
    assert "Problem" in document["components"]["schemas"]


def test_requests_take_the_headers_that_they_heed(document: dict[str, Any]) -> None:
    app: Any = document["components"]["parameters"]["ActingApp"]
    assert (app["name"], app["in"], app["required"]) == ("Catfeeder-App", "header", False)
    for operation in _list_operations(document):
        parameters, name = operation.get("parameters", []), operation["operationId"]
        named = {each.get("name") for each in parameters}
        # What makes a job can be repeated and awaited; a job can be awaited
        is_job = "202" in operation["responses"] and name != "shut_down_service"
        assert ("Idempotency-Key" in named) == is_job, name
        assert ("Prefer" in named) == (is_job or name == "read_job"), name
        # What needs a key may name the app that an operator acts for
        has_app = {"$ref": "#/components/parameters/ActingApp"} in parameters
        assert has_app == ("security" in operation), name


def test_bodies_have_names(document: dict[str, Any]) -> None:
    bodies = {
        operation["operationId"]: content["schema"]
        for operation in _list_operations(document)
        for content in operation.get("requestBody", {}).get("content", {}).values()
    }
    assert [name for name, schema in bodies.items() if "properties" in schema] == []
    # And the settings of a provider, which routes/test_providers.py holds to what PUT validates
    assert bodies["replace_provider"] == {"$ref": "#/components/schemas/ProviderSettings"}
    assert bodies["change_provider"] == {"$ref": "#/components/schemas/ProviderChanges"}


def test_the_result_of_every_job_is_described() -> None:
    results = set()
    for name, message in CATALOGUE.items():
        if message.is_job:
            module, _, function = PERFORMERS[message].partition(":")
            hints = typing.get_type_hints(getattr(importlib.import_module(module), function))
            results.add(hints["return"])
            assert hints["return"] in (*RESULTS, type(None)), name
    assert results == {*RESULTS, type(None)}
