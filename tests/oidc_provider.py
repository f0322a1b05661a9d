"""Real OpenID provider: the package oidc-provider-mock in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import parse_qs, urlsplit

import requests

from tests.ports import free_port

_START_SECONDS: Final = 20


class OidcProvider:
    """An OpenID provider that signs any user in by the given name."""

    def __init__(self, port: int) -> None:
        """Take the port of loopback that it listens on."""
        self.host = f"127.0.0.1:{port}"
        self.issuer = f"http://{self.host}"

    def consent(self, authorization_url: str, user: str) -> dict[str, str]:
        """Sign in as `user`, consent, and return the query that goes to the callback."""
        answer = requests.post(
            authorization_url, data={"sub": user}, allow_redirects=False, timeout=10
        )
        assert answer.status_code == requests.codes.found, answer.text
        query = parse_qs(urlsplit(answer.headers["Location"]).query)
        return {name: values[0] for name, values in query.items()}

    def describe_user(self, user: str, **claims: object) -> None:
        """Set the claims of a user."""
        requests.put(f"{self.issuer}/users/{user}", json=claims, timeout=10).raise_for_status()

    def revoke_tokens_of(self, user: str) -> None:
        """Revoke every token of a user, as in the provider's settings."""
        url = f"{self.issuer}/users/{user}/revoke-tokens"
        requests.post(url, timeout=10).raise_for_status()


@contextmanager
def running_oidc_provider() -> Iterator[OidcProvider]:
    """Start a provider for the block."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_it_answers(f"http://127.0.0.1:{port}", process)
        yield OidcProvider(port)
    finally:
        process.terminate()
        process.wait()


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        assert process.poll() is None, "the provider ended at once"
        try:
            requests.get(url, timeout=_START_SECONDS)
        except requests.ConnectionError:
            assert time.monotonic() < deadline, "the provider did not start in time"
            time.sleep(0.05)
        else:
            return
