"""A provider in a process of its own that counts how often each process shows a refresh token.

Its refresh tokens serve once, and a client that shows a spent one loses the grant (RFC 9700 section
4.14.2). `python -m tests.chaos.provider SEED LATENCY` prints where it listens.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from tests.chaos.chances import chances
from tests.provider.answers import Answer, json_answer
from tests.provider.endpoints import Endpoints
from tests.provider.grants import Grant
from tests.provider.script import Script
from tests.provider.server import Request, running_server

SCOPE: Final = "read"
#: Where the tests talk to it, and no client does.
ACCOUNTS: Final = "/accounts"
_MAX_LATENCY_SECONDS: Final = 1.0


@dataclass
class Showing:
    """One use of a refresh token; times are those of the machine."""

    account: int
    token: str
    #: The port that it came from, which identifies the process.
    port: int
    began_at: float
    ended_at: float = 0.0
    #: Whether new tokens came of it.
    is_granted: bool = False
    #: Whether the token was spent before, and its grant alive until then.
    is_reuse: bool = False


@dataclass
class Account:
    """One user's grant."""

    grant: Grant
    showings: list[Showing] = field(default_factory=list)


class CountingProvider(Endpoints):
    """A provider with many users, each of whom has consented once."""

    def __init__(self, seed: int, latency_seconds: float) -> None:
        super().__init__()
        self.script = Script(rotation="single_use", gives_id_token=False)
        self._accounts: list[Account] = []
        self._owners: dict[str, int] = {}
        self._lock = threading.Lock()
        self._random = chances(seed, "latency")
        self._latency_seconds = latency_seconds

    def perform(self, request: Request) -> Answer:
        """Answer a request: that of a client, or that of the tests."""
        if request.path == "/token":
            return self._show(request)
        if request.path == ACCOUNTS and request.method == "POST":
            self.script.expires_in = int(request.form["expires_in"])
            return json_answer([self._consent() for _ in range(int(request.form["count"]))])
        if request.path == ACCOUNTS:
            return json_answer(self._describe_accounts())
        return Answer(404)

    def _consent(self) -> dict[str, Any]:
        with self._lock:
            grant = self.grants.begin({"scope": SCOPE})
            access_token, refresh_token = self.grants.add_tokens(grant, with_refresh_token=True)
            self._owners[str(refresh_token)] = len(self._accounts)
            self._accounts.append(Account(grant))
        return {"access_token": access_token, "refresh_token": refresh_token}

    def _show(self, request: Request) -> Answer:
        """Answer after a while: a client can be gone before it was heard, or after."""
        began_at = time.time()
        self._dawdle()
        with self._lock:
            token = request.form["refresh_token"]
            showing = Showing(self._owners[token], token, request.peer_port, began_at)
            answer = self._exchange(showing, request)
        self._dawdle()
        showing.ended_at = time.time()
        return answer

    def _exchange(self, showing: Showing, request: Request) -> Answer:
        account = self._accounts[showing.account]
        account.showings.append(showing)
        reuses = self.grants.refresh_token_reuses
        answer = self.paths["/token"](request)
        showing.is_granted = answer.status == 200
        showing.is_reuse = self.grants.refresh_token_reuses > reuses
        self._owners[account.grant.refresh_tokens[-1]] = showing.account
        return answer

    def _dawdle(self) -> None:
        with self._lock:
            seconds = self._random.expovariate(2 / self._latency_seconds)
        time.sleep(min(seconds, _MAX_LATENCY_SECONDS / 2))

    def _describe_accounts(self) -> list[dict[str, Any]]:
        with self._lock:
            return [
                {
                    "is_alive": account.grant.is_alive,
                    "access_tokens": account.grant.access_tokens,
                    "refresh_tokens": account.grant.refresh_tokens,
                    "showings": [asdict(showing) for showing in account.showings],
                }
                for account in self._accounts
            ]


def _main(seed: int, latency_seconds: float) -> None:
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: ending.set())
    provider = CountingProvider(seed, latency_seconds)
    with running_server(provider.perform) as server:
        provider.host = f"127.0.0.1:{server.server_address[1]}"
        print(provider.host, flush=True)
        ending.wait()


if __name__ == "__main__":
    _main(int(sys.argv[1]), float(sys.argv[2]))
