"""The application as a whole: how it starts or says why not, and what surrounds its routes."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

import config
from config import Settings
from worker.http.app import create_app

_ORIGIN = "https://app.example.com"


class TestDocumentation:
    """What /openapi.json says, held against what the service does."""

    def test_every_route_is_described(self, anonymous: httpx.Client, app: FastAPI) -> None:
        document = anonymous.get("/openapi.json").json()
        described = {
            (method.upper(), path)
            for path, operations in document["paths"].items()
            for method in operations
        }
        served = {
            (method, route.path)
            for context in iter_route_contexts(app.routes)
            if isinstance(route := context.original_route, APIRoute) and route.include_in_schema
            for method in route.methods or set()
        }
        assert described == served
        assert len(described) > 40

    def test_it_introduces_the_service_and_each_route(self, anonymous: httpx.Client) -> None:
        document = anonymous.get("/openapi.json").json()
        operations = [
            operation for path in document["paths"].values() for operation in path.values()
        ]
        # Each route's summary is a sentence of its own
        summaries = [operation["summary"] for operation in operations]
        assert len(set(summaries)) == len(summaries)
        assert [each for each in summaries if not 3 <= len(each.split()) <= 20] == []
        # And each group of routes is introduced, as is a sign-in by relay
        tags = {tag for operation in operations for tag in operation["tags"]}
        assert tags == {tag["name"] for tag in document["tags"] if tag["description"]}
        schemas = document["components"]["schemas"]
        sent = re.findall("-d '(.+)'", document["info"]["description"])
        assert list(map(json.loads, sent)) == [
            schemas[name]["examples"][0] for name in ("HashPassword", "Authorize", "ExchangeCode")
        ]
        assert all(example["relay"] for example in schemas["Authorize"]["examples"])

    def test_docs_need_nobody_elses_server(self, anonymous: httpx.Client) -> None:
        loaded = re.findall(r'(?:src|href)="([^"]+)"', anonymous.get("/docs").text)
        assert len(loaded) >= 2
        assert [anonymous.get(path).status_code for path in loaded] == [200] * len(loaded)
        assert all(path.startswith("/") for path in loaded)

    @pytest.mark.usefixtures("worker")
    @pytest.mark.config(OAuth={"return_to_origins": ["https://app.example.com"]})
    def test_every_example_of_a_body_is_taken(self, http: httpx.Client) -> None:
        # Given a provider, which the examples name
        document = http.get("/openapi.json").json()
        settings = {"preset": "google", "client_id": "a", "client_secret": "b"}
        http.put("/v1/providers/google", json=settings)
        # When each example is sent as it stands
        sent = {
            f"{method} {path}": {
                http.request(method, _filled(path), json=example).status_code
                for example in examples
            }
            for method, path, examples in _examples(document)
        }
        # Then all are understood, and what is not there is not found
        assert sent == {
            "patch /v1/apps/{app}": {200},
            "patch /v1/providers/{provider}": {200},
            "post /v1/apps": {201},
            "post /v1/connect-sessions": {404},
            "post /v1/connections": {201, 404},
            "post /v1/keys": {201},
            "post /v1/oauth/{provider}/authorize": {200},
            "post /v1/oauth/{provider}/device": {202},
            "post /v1/oauth/{provider}/exchange": {202},
            "post /v1/oauth/{provider}/refresh": {202},
            "post /v1/oauth/{provider}/user-info": {404},
            "post /v1/passwords/check": {202},
            "post /v1/passwords/hash": {202},
            "post /v1/passwords/policy": {200},
            "post /v1/providers/{provider}/pause": {200},
            "post /v1/queues/{queue}/discard": {200},
            "post /v1/queues/{queue}/replay": {200},
            "post /v1/webhook-deliveries/resend": {200},
            "put /v1/providers/{provider}": {200},
        }

    @pytest.mark.usefixtures("worker")
    def test_the_example_of_a_check_is_true(self, http: httpx.Client) -> None:
        document = http.get("/openapi.json").json()
        example = document["components"]["schemas"]["CheckPassword"]["examples"][0]
        answer = http.post("/v1/passwords/check", json=example, headers={"Prefer": "wait=20"})
        assert answer.json()["result"]["valid"] is True


def _filled(path: str) -> str:
    return (
        path.replace("{provider}", "google")
        .replace("{queue}", "passwords")
        .replace("{app}", "default")
    )


def _examples(document: dict[str, Any]) -> list[tuple[str, str, list[Any]]]:
    found = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {})
            # A browser's form is no example of JSON.
            if "application/json" in content:
                schema = content["application/json"]["schema"]
                # A body that may be left out is one of two.
                schema = schema.get("anyOf", [schema])[0]
                name = schema.get("$ref", "").rpartition("/")[2]
                schema = document["components"]["schemas"].get(name, schema)
                found.append((method, path, schema["examples"]))
    return found


@pytest.mark.config(Server_configuration={"cors_origins": [_ORIGIN]})
def test_the_listed_origin_may_ask(anonymous: httpx.Client) -> None:
    headers = {
        "Origin": _ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, idempotency-key, prefer",
    }
    answer = anonymous.options("/v1/passwords/hash", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == _ORIGIN


@pytest.mark.config(Server_configuration={"cors_origins": [_ORIGIN]})
def test_it_may_read_answers_and_errors(anonymous: httpx.Client) -> None:
    for path in ("/health", "/v1/jobs/x"):
        answer = anonymous.get(path, headers={"Origin": _ORIGIN})
        assert answer.headers["Access-Control-Allow-Origin"] == _ORIGIN
        assert "Location" in answer.headers["Access-Control-Expose-Headers"]


@pytest.mark.config(Server_configuration={"cors_origins": [_ORIGIN]})
def test_another_origin_may_not(anonymous: httpx.Client) -> None:
    answer = anonymous.get("/health", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_by_default_no_page_may_call(anonymous: httpx.Client) -> None:
    headers = {"Origin": _ORIGIN, "Access-Control-Request-Method": "POST"}
    answer = anonymous.options("/v1/passwords/hash", headers=headers)
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.status_code == 204


def test_long_answers_are_compressed(url: str) -> None:
    headers = {"Accept-Encoding": "gzip"}
    with httpx.stream("GET", f"{url}/openapi.json", headers=headers) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert "paths" in json.loads(gzip.decompress(b"".join(answer.iter_raw())))


@pytest.mark.config(Server_configuration={"gzip_minimum_bytes": 0})
def test_nothing_is_compressed(anonymous: httpx.Client) -> None:
    assert "Content-Encoding" not in anonymous.get("/openapi.json").headers


class TestABadSetting:
    """A database in order, and one setting that cannot be used."""

    @pytest.fixture(
        params=[
            ("ADMIN_API_KEY", ""),
            ("SECRET_KEY", "short"),
            ("REDIS_URL", ""),
            ("REDIS_URL", "http://nowhere"),
            ("DATABASE_URL", "oracle://nowhere"),
        ]
    )
    def bad_setting(
        self,
        tables: Settings,  # noqa: ARG002
        environment: dict[str, str],
        request: pytest.FixtureRequest,
    ) -> Iterator[str]:
        """The name of the variable."""
        name, value = request.param
        given = environment.get(name)
        environment[name] = value
        config.current_settings.cache_clear()
        yield str(name)
        environment[name] = given or ""
        config.current_settings.cache_clear()

    def test_the_process_ends_with_a_sentence_that_names_it(self, bad_setting: str) -> None:
        with pytest.raises(SystemExit) as ended:
            create_app()
        assert bad_setting in str(ended.value.code)
        assert "\n" not in str(ended.value.code)


def test_a_database_without_tables_ends_the_start(settings: Settings) -> None:
    assert settings.admin_api_key
    with pytest.raises(SystemExit, match="migrate"):
        create_app()


@pytest.mark.environ(GITHUB_CLIENT_ID="app", GITHUB_CLIENT_SECRET="the-secret-of-the-app")
def test_its_provider_is_there_from_the_start(http: httpx.Client) -> None:
    listed = http.get("/v1/providers")
    assert [item["name"] for item in listed.json()["items"]] == ["github"]
    assert "the-secret-of-the-app" not in listed.text
    assert http.post("/v1/oauth/github/authorize", json={}).status_code == 200
