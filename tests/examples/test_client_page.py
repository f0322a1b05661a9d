"""The examples of docs/client.md, as other people's apps would run them."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import subprocess
import sys
from typing import Any, Final

import bcrypt
import httpx
import pytest

import catfeeder
from catfeeder.client import Client
from config import ROOT, Settings

pytestmark = pytest.mark.usefixtures("worker")

PAGE: Final = (ROOT / "docs" / "client.md").read_text()
GOOD: Final = {"name": "cat", "password": "correct horse battery staple"}
WRONG: Final = {**GOOD, "password": "incorrect"}
STRANGER: Final = {**GOOD, "name": "dog"}
LONG: Final = {**GOOD, "password": "x" * 73}


def example(heading: str) -> str:
    """Return the code of a chapter."""
    found = re.search(rf"^## {heading}\n\n```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
    assert found, heading
    return found[1]


def run(heading: str) -> dict[str, Any]:
    """Run the code of a chapter as a module; return its names."""
    names: dict[str, Any] = {"__name__": heading}
    # Left to itself, it would inherit our own import from the future.
    code = compile(example(heading), f"docs/client.md, {heading}", "exec", dont_inherit=True)
    exec(code, names)  # noqa: S102
    return names


@pytest.fixture(autouse=True)
def variables(settings: Settings, queue_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the examples read from the environment."""
    monkeypatch.setenv("REDIS_URL", settings.required_redis_url())
    monkeypatch.setenv("CATFEEDER_QUEUE_KEY", queue_key)


def test_fastapi() -> None:
    app = run("FastAPI")["app"]

    async def use() -> list[int]:
        transport = httpx.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://app") as caller,
        ):
            asked = [
                *(("/register", GOOD), ("/login", GOOD), ("/login", WRONG)),
                *(("/login", STRANGER), ("/register", LONG)),
            ]
            return [(await caller.post(path, json=body)).status_code for path, body in asked]

    assert asyncio.run(use()) == [201, 204, 401, 401, 422]


def test_flask() -> None:
    names = run("Flask")
    caller = names["app"].test_client()
    assert caller.post("/register", json=GOOD).status_code == 201
    assert caller.post("/login", json=GOOD).status_code == 204
    assert caller.post("/login", json=WRONG).status_code == 401
    assert caller.post("/login", json=STRANGER).status_code == 401
    refused = caller.post("/register", json=LONG)
    assert (refused.status_code, refused.json["code"]) == (422, "password_too_long")
    names["auth"].close()


def test_a_login_replaces_an_old_hash_whatever_the_policy_says() -> None:
    # Given a user of the Flask app, whose long password an older library hashed
    names = run("Flask")
    password = b"x" * 80
    names["users"]["cat"] = old = bcrypt.hashpw(password[:72], bcrypt.gensalt(4, b"2a")).decode()
    # When the user signs in, and once more
    caller = names["app"].test_client()
    body = {"name": "cat", "password": password.decode()}
    statuses = [caller.post("/login", json=body).status_code for _ in range(2)]
    # Then both go well, and the hash is a new one
    assert statuses == [204, 204]
    assert names["users"]["cat"] != old
    names["auth"].close()


def test_a_script(client: Client) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", example("A script")],
        cwd=ROOT,
        env=dict(os.environ),
        input=f"{GOOD['password']}\n{LONG['password']}\nthird\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    first, third = ended.stdout.splitlines()
    assert client.check_password(GOOD["password"], first).result()["valid"]
    assert client.check_password("third", third).result()["valid"]
    assert ended.stderr.startswith("password_too_long: ")


def test_every_verb_and_every_error_is_documented() -> None:
    documented = set(re.findall(r"^\| `(\w+)\(", PAGE, re.MULTILINE))
    verbs = {name for name, _ in inspect.getmembers(Client, inspect.isfunction) if name[0] != "_"}
    assert verbs - documented == {"close", "enqueue"}
    assert documented <= verbs
    errors = {
        name
        for name in catfeeder.__all__
        if inspect.isclass(getattr(catfeeder, name))
        and issubclass(getattr(catfeeder, name), catfeeder.CatFeederError)
    }
    assert all(f"`{name}`" in PAGE or f"catfeeder.{name}`" in PAGE for name in errors)
