"""The hand-written layers, in both languages, before a service that is overloaded or slow."""

from __future__ import annotations

import asyncio
import importlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.worker.http.sdk.scripted_service import (
    ScriptedService,
    build_job,
    build_problem,
    scripted,
)

_KEY = "a-key-of-the-test"
_SECONDS = 60
_DONE = build_job("succeeded", result={"password_hash": "$2b$..."})
_FAILED = build_job("failed", error={"code": "too_long", "detail": "Too long.", "permanent": True})
_BUSY = build_problem(503, "server_stopping", Retry_After="1")
#: What a client does: hash a password, make a key, or wait for a job for some seconds.
Ask = Callable[[ScriptedService, str], dict[str, Any]]


@pytest.fixture(params=["python", "asyncio", "node"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """One client, which does one thing, and tells its result or its error."""
    if request.param == "node":
        folder: Path = request.getfixturevalue("node_folder")
        script = Path(shutil.copy(Path(__file__).with_name("ask.mjs"), folder))
        return lambda service, what: _ask_by_node(script, service.url, what)
    package = request.getfixturevalue("catfeeder_http")
    run = _run_asyncio if request.param == "asyncio" else _run_python

    def ask(service: ScriptedService, what: str) -> dict[str, Any]:
        with package.connect(service.url, _KEY, app="shop") as client:
            try:
                return {"result": run(client, what)}
            except package.CatFeederError as error:
                shown = f"{error!r} {error}"
                return {"error": error.code, "permanent": error.permanent, "shown": shown}

    return ask


def _ask_by_node(script: Path, url: str, what: str) -> dict[str, Any]:
    command = ["node", str(script), url, _KEY, what]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _run_python(client: Any, what: str) -> str:
    hash_password, make_key, models = _import_operations()
    if what == "key":
        return str(make_key.sync(client=client, body=_build_key(models)))
    if what == "hash":
        return str(client.hash_password("secret words").password_hash)
    job = hash_password.sync(client=client, body=models.HashPassword("secret words"))
    return str(client.wait_for(job, seconds=1).result.password_hash)


def _run_asyncio(client: Any, what: str) -> str:
    return asyncio.run(_ask_by_asyncio(client, what))


async def _ask_by_asyncio(client: Any, what: str) -> str:
    hash_password, make_key, models = _import_operations()
    async with client:
        if what == "key":
            made = await make_key.asyncio(client=client, body=_build_key(models))
            return str(made)
        body = models.HashPassword("secret words")
        job = await hash_password.asyncio(client=client, body=body)
        done = await client.wait_for_async(job, **({"seconds": 1} if what == "wait" else {}))
        return str(done.result.password_hash)


def _build_key(models: Any) -> Any:
    return models.NewKey("x", [models.NewKeyScopesItem("jobs")])


def _import_operations() -> tuple[Any, Any, Any]:
    return (
        importlib.import_module("catfeeder_http.api.passwords.hash_password"),
        importlib.import_module("catfeeder_http.api.keys.make_key"),
        importlib.import_module("catfeeder_http.models"),
    )


def test_an_overloaded_service_is_asked_again_when_it_says(ask: Ask) -> None:
    overloaded = build_problem(429, "queue_overloaded", Retry_After="1")
    with scripted(overloaded, build_problem(502, "away"), _DONE) as service:
        # When a job is asked for
        told = ask(service, "hash")
        # Then it is asked for again, after the time that the service names, under one key
        assert told == {"result": "$2b$..."}
        first, second, _ = service.moments
        assert second - first > 0.9
        headers = [request.headers for request in service.requests]
        assert len({each["idempotency-key"] for each in headers}) == 1
        assert {each["prefer"] for each in headers} == {"wait=10"}
        assert {each["catfeeder-app"] for each in headers} == {"shop"}
        # And what is no job, and could be done twice, is not, unless nothing was done
        service.forget(_BUSY)
        told = ask(service, "key")
        assert (told["error"], told["permanent"]) == ("server_stopping", False)
        assert len(service.requests) == 1
        assert "idempotency-key" not in service.requests[0].headers
        service.forget(build_problem(429, "rate_exceeded", Retry_After="0"), _BUSY)
        assert ask(service, "key")["error"] == "server_stopping"
        assert len(service.requests) == 2
        # And no error shows what was secret
        assert _KEY not in told["shown"]
        # And a service that names a time beyond the client's patience is not waited for
        service.forget(build_problem(429, "rate_exceeded", Retry_After="31"))
        assert ask(service, "hash")["error"] == "rate_exceeded"
        assert len(service.requests) == 1


def test_a_slow_job_is_waited_for(ask: Ask) -> None:
    with scripted(build_job("queued"), build_job("running"), _DONE) as service:
        # Given a job that has not ended when its route answers, then it is asked for
        assert ask(service, "hash") == {"result": "$2b$..."}
        asked = [(one.method, one.path, one.headers.get("prefer")) for one in service.requests]
        poll = ("GET", "/v1/jobs/j-1", "wait=25")
        assert asked == [("POST", "/v1/passwords/hash", "wait=10"), poll, poll]
        # And one that fails says why
        service.forget(build_job("queued"), _FAILED)
        assert ask(service, "hash").items() >= {"error": "too_long", "permanent": True}.items()
        service.forget(build_job("cancelled"))
        assert ask(service, "hash")["error"] == "job_cancelled"
        # And a service that cannot wait at this moment is not asked without a pause
        service.forget(build_job("running"))
        told = ask(service, "wait")
        assert (told["error"], told["permanent"]) == ("job_timeout", False)
        assert 2 <= len(service.requests) <= 10
