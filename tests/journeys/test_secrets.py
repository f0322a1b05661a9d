"""Marked secrets go through every journey and are then looked for wherever they must not be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.journeys.conftest import CLIENT_SECRET, start_with_provider
from tests.journeys.sign_in import sign_in
from tests.oidc_provider import OidcProvider
from tests.stack.memory import find_in_process
from tests.stack.stack import ANONYMOUS, Stack, build_stacks

pytestmark = pytest.mark.journey

_PASSWORD = "canary-password-Zq9"
_WRONG_KEY = "canary-wrong-key-Zq9"
_FORGED_CODE = "canary-forged-code-Zq9"
_ACCESS_TOKEN = "canary-access-token-Zq9"
_REFRESH_TOKEN = "canary-refresh-token-Zq9"
_NUL_PASSWORD = "canary-nul-password-Zq9\0"
_GOOGLE_SECRET = "canary-google-secret-Zq9"
_PEPPER = "canary-pepper-Zq9-x7Lw2vTk5Rb8nYd3uHf6"
#: The secrets of the operator that each process may have, by a part of its command; as the table of
#: docs/security.md has it.
_NEEDED: dict[str, set[str]] = {
    "worker run": {"SECRET_KEY", "ADMIN_API_KEY", "GOOGLE_CLIENT_SECRET", "PASSWORD_PEPPER"},
    "worker web": {"SECRET_KEY", "ADMIN_API_KEY", "GOOGLE_CLIENT_SECRET"},
    "--queues passwords": {"PASSWORD_PEPPER"},
    "--queues oauth": {"SECRET_KEY", "GOOGLE_CLIENT_SECRET"},
    "--queues control": {"SECRET_KEY"},
    "/bin/sh -c while": set(),
    "valkey": set(),
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, oidc_provider: OidcProvider) -> Iterator[Stack]:
    """A service whose secrets are in its environment and, of a provider, in its .env."""
    with build_stacks(tmp_path_factory.mktemp("secrets")) as build:
        made = build(
            GOOGLE_CLIENT_ID="canary-google", OAUTH_ALLOWED_PRIVATE_HOSTS=oidc_provider.host
        )
        env_file = f"GOOGLE_CLIENT_SECRET={_GOOGLE_SECRET}\nPASSWORD_PEPPER={_PEPPER}\n"
        (made.directory.path / ".env").write_text(env_file)
        made.configure("Server_configuration.debug_mode", "debug", "true")
        start_with_provider(made, oidc_provider)
        yield made


def test_each_process_holds_the_secrets_that_it_needs_and_no_others(stack: Stack) -> None:
    # When passwords were hashed, then each process has what the table of docs/security.md gives it
    _hash_and_check(stack)
    held = _held_secrets(stack)
    assert held.keys() == _NEEDED.keys()
    assert [kind for kind in held if not held[kind] <= _NEEDED[kind]] == []


def test_no_secret_is_found_where_it_must_not_be(stack: Stack, oidc_provider: OidcProvider) -> None:
    # Given that secrets have gone through every journey, the good ones and the bad ones
    secrets = {
        "SECRET_KEY": stack.secret_key,
        "ADMIN_API_KEY": stack.admin_api_key,
        "client secret": CLIENT_SECRET,
        "client secret of .env": _GOOGLE_SECRET,
        "pepper": _PEPPER,
        **_hash_and_check(stack),
        **_sign_in_and_renew(stack, oidc_provider),
        **_use_a_key_of_its_own(stack),
        **_be_refused(stack),
    }
    # When the memory of Valkey, what it and the database write, every log line and every error
    # answer are searched
    memory = _valkey_memory(stack)
    stack.stop()
    places = {
        "Valkey's memory": memory,
        "the log": "\n".join(stack.past_output).encode(),
        "error answers": "\n".join(stack.refusals).encode(),
        **{
            str(path.name): path.read_bytes() for path in stack.var_dir.rglob("*") if path.is_file()
        },
    }
    # Then none of the secrets is there
    assert len(memory) > 1000
    assert any("aof" in name for name in places)
    assert any("sqlite" in name for name in places)
    found = [
        f"{name} in {place}"
        for name, secret in secrets.items()
        for place, content in places.items()
        if secret.encode() in content
    ]
    assert found == []


def _held_secrets(stack: Stack) -> dict[str, set[str]]:
    """Return which secrets each kind of process has in its environment or its memory."""
    secrets = {
        "SECRET_KEY": stack.secret_key,
        "ADMIN_API_KEY": stack.admin_api_key,
        "GOOGLE_CLIENT_SECRET": _GOOGLE_SECRET,
        "PASSWORD_PEPPER": _PEPPER,
    }
    held: dict[str, set[str]] = {}
    for process in stack.directory.processes():
        command = " ".join(process.cmdline())
        [kind] = [part for part in _NEEDED if part in command]
        held[kind] = held.get(kind, set()) | find_in_process(process.pid, secrets)
    return held


def _hash_and_check(stack: Stack) -> dict[str, str]:
    hashed = stack.result("/v1/passwords/hash", {"password": _PASSWORD})["password_hash"]
    assert hashed.startswith("{pepper:")
    body = {"password": _PASSWORD, "password_hash": hashed}
    assert stack.result("/v1/passwords/check", body)["valid"] is True
    return {"password": _PASSWORD, "password hash": hashed}


def _sign_in_and_renew(stack: Stack, provider: OidcProvider) -> dict[str, str]:
    begun = stack.call(
        "POST", "/v1/oauth/house/authorize", json={"subject": "canary", "unbound": True}
    ).json()
    answer = provider.consent(begun["authorization_url"], "canary")
    body = {"code": answer["code"], "state": answer["state"]}
    stack.result("/v1/oauth/house/exchange", body)
    again = stack.job("/v1/oauth/house/exchange", body)
    assert again["status"] == "failed"
    connection = sign_in(stack, provider, "canary-by-browser", subject="canary")
    path = f"/v1/connections/{connection['id']}"
    old = stack.call("GET", f"{path}/token").json()["access_token"]
    assert stack.job(f"{path}/renew")["status"] == "succeeded"
    new = stack.call("GET", f"{path}/token").json()["access_token"]
    return {"code": answer["code"], "state": answer["state"], "token": old, "renewed token": new}


def _use_a_key_of_its_own(stack: Stack) -> dict[str, str]:
    wishes = {"name": "canary", "scopes": ["jobs"], "requests_per_minute": 2}
    made = stack.call("POST", "/v1/keys", json=wishes).json()
    for _ in range(4):
        stack.call("GET", "/v1/connections", key=made["key"])
    wrong = made["key"][:-3] + "___"
    stack.call("GET", "/v1/connections", key=wrong)
    stack.call("DELETE", f"/v1/keys/{made['id']}")
    stack.call("GET", "/v1/connections", key=made["key"])
    return {"API key": made["key"], "its secret": made["key"].split("_", 2)[2], "spoilt key": wrong}


def _be_refused(stack: Stack) -> dict[str, str]:
    stack.call("GET", "/v1/connections", key=_WRONG_KEY)
    forged = {"code": _FORGED_CODE, "state": "forged-state:house"}
    stack.call("GET", "/v1/oauth/callback", params=forged, key=ANONYMOUS)
    stack.job("/v1/oauth/house/exchange", forged)
    stack.job("/v1/oauth/house/user-info", {"access_token": _ACCESS_TOKEN})
    stack.job("/v1/oauth/house/refresh", {"refresh_token": _REFRESH_TOKEN})
    for password in (_PASSWORD * 5, _NUL_PASSWORD, "canary"):
        stack.call("POST", "/v1/passwords/hash", json={"password": password})
    stack.call("POST", "/v1/passwords/hash", json={"password": [_PASSWORD]})
    stack.call("POST", "/v1/passwords/check", json={"password": _PASSWORD, "password_hash": "x"})
    return {
        "wrong key": _WRONG_KEY,
        "forged code": _FORGED_CODE,
        "unknown access token": _ACCESS_TOKEN,
        "unknown refresh token": _REFRESH_TOKEN,
        "password with NUL": _NUL_PASSWORD.removesuffix("\0"),
    }


def _valkey_memory(stack: Stack) -> bytes:
    with redis.Redis.from_url(stack.redis_url) as client:
        return b"\n".join(
            part for key in client.scan_iter() for part in (key, *_parts(client, key))
        )


def _parts(client: Any, key: bytes) -> Iterator[bytes]:
    match client.type(key):
        case b"hash":
            for name, value in client.hgetall(key).items():
                yield from (name, value)
        case b"list":
            yield from client.lrange(key, 0, -1)
        case b"set":
            yield from client.smembers(key)
        case b"zset":
            yield from client.zrange(key, 0, -1)
        case b"stream":
            for _, fields in client.xrange(key):
                yield from (part for pair in fields.items() for part in pair)
        case _:
            yield client.get(key)
