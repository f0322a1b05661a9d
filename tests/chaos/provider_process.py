"""Starts the counting provider, and asks it what it has counted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from config import ROOT
from tests.chaos.provider import ACCOUNTS, SCOPE, Showing
from tests.provider.endpoints import Endpoints


@dataclass(frozen=True)
class Account:
    """What the provider knows of one user's grant; the last refresh token is the one in force."""

    is_alive: bool
    access_tokens: list[str]
    refresh_tokens: list[str]
    showings: list[Showing] = field(default_factory=list)


class ProviderProcess:
    """The provider as the tests see it."""

    def __init__(self, host: str) -> None:
        self.host = host

    def settings(self) -> dict[str, Any]:
        """Return what the service's administrator knows of it."""
        described = Endpoints()
        described.host = self.host
        return {
            "client_id": described.client_id,
            "client_secret": described.client_secret,
            "authorization_endpoint": f"{described.issuer}/authorize",
            "token_endpoint": f"{described.issuer}/token",
            "scopes": [SCOPE],
            "identity": "none",
        }

    def consent(self, count: int, token_seconds: int) -> list[dict[str, str]]:
        """Let that many new users consent, and return the tokens of each."""
        form = {"count": count, "expires_in": token_seconds}
        tokens: list[dict[str, str]] = self._request("POST", form)
        return tokens

    def accounts(self) -> list[Account]:
        """Return all users, in the order in which they came."""
        return [
            Account(**{**found, "showings": [Showing(**each) for each in found["showings"]]})
            for found in self._request("GET", {})
        ]

    def _request(self, method: str, form: dict[str, int]) -> Any:
        answer = requests.request(method, f"http://{self.host}{ACCOUNTS}", data=form, timeout=30)
        answer.raise_for_status()
        return answer.json()


@contextmanager
def running_provider(seed: int, latency_seconds: float) -> Iterator[ProviderProcess]:
    """Run the provider for the block, in a process that is never killed; it must end well."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.provider", str(seed), str(latency_seconds)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield ProviderProcess(process.stdout.readline().strip())
    finally:
        process.terminate()
        process.communicate()
    assert process.returncode == 0, "the provider of the tests is broken"
