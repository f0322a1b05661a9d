"""Scripted provider over real HTTP, with answers that tests replace, and a user's browser."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import requests

from actors.providers.http.quiet_logs import silence_http_logs
from tests.provider.answers import Answer
from tests.provider.endpoints import Endpoints
from tests.provider.gates import Gate
from tests.provider.server import Request, running_server

Answering = Answer | Callable[[Request], Answer]


class ScriptedProvider(Endpoints):
    """A provider that a test controls.

    `script` says how the provider behaves, `answer` makes one path answer something else, `hold`
    makes its callers wait, and `requests` is what it was asked.
    """

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        #: Set when the provider ends, so that no slow answer outlives it.
        self.ended = threading.Event()
        #: What the user has the provider's pages in.
        self.browser = requests.Session()
        self.browser.trust_env = False
        self._instead: dict[str, list[Answering]] = {}
        self._gates: dict[str, Gate] = {}

    def credentials(self) -> dict[str, str]:
        """Return what the provider knows its client by."""
        return {"client_id": self.client_id, "client_secret": self.client_secret}

    def consent(self, authorization_url: str) -> dict[str, str]:
        """Consent as a user, and return what the provider sends to the callback."""
        # A user's browser is another process, with a log of its own.
        with silence_http_logs():
            response = self.browser.get(authorization_url, allow_redirects=False, timeout=60)
        if response.status_code == requests.codes.ok:
            found = re.findall(r'name="([^"]*)" value="([^"]*)"', response.text)
            return {html.unescape(name): html.unescape(value) for name, value in found}
        assert response.status_code == requests.codes.found, response.text
        query = parse_qs(urlsplit(response.headers["Location"]).query)
        return {name: values[0] for name, values in query.items()}

    def answer(self, path: str, *answers: Answering, times: int | None = None) -> None:
        """Answer these in turn at a path, the last one for ever; with `times`, that often alone."""
        self._instead[path] = list(answers)
        if times is not None:
            self._instead[path] = [*(answers * times), self.paths.get(path, _not_found)]

    def recover(self, path: str) -> None:
        """Answer at a path as the script says again."""
        del self._instead[path]

    def hold(self, path: str, times: int | None = None) -> Gate:
        """Let requests for a path wait at a gate from now on, or that many of them."""
        self._gates[path] = Gate(self.ended, times)
        return self._gates[path]

    def requests_for(self, path: str) -> list[Request]:
        """Return what was asked at a path."""
        return [request for request in self.requests if request.path == path]

    def perform(self, request: Request) -> Answer:
        """Answer a request."""
        self.requests.append(request)
        if gate := self._gates.get(request.path):
            gate.pass_through()
        queue = self._instead.get(request.path) or [self.paths.get(request.path, _not_found)]
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        return answer if isinstance(answer, Answer) else answer(request)


def _not_found(_request: Request) -> Answer:
    return Answer(404)


@contextmanager
def running_scripted_provider() -> Iterator[ScriptedProvider]:
    """Start a provider for the block."""
    provider = ScriptedProvider()
    with running_server(provider.perform) as server:
        provider.host = f"127.0.0.1:{server.server_address[1]}"
        try:
            yield provider
        finally:
            provider.ended.set()
            provider.browser.close()
