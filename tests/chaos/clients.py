"""Apps that read tokens and force renewals all the while, and remember what they were answered."""

from __future__ import annotations

import random
import threading
from collections import Counter
from typing import Any, Final

import requests

from tests.chaos.chances import chances
from tests.stack.stack import Stack

_ANSWER_SECONDS: Final = 60
#: How long an app thinks between two requests, and how much longer once it is turned away.
_MIN_PAUSE_SECONDS: Final = 0.05
_MAX_PAUSE_SECONDS: Final = 0.3
_UNAVAILABLE_FACTOR: Final = 4
#: The statuses that an app may get: done, taken, busy or dead, too many, and three kinds of outage.
_EXPECTED: Final = frozenset({200, 202, 409, 429, 502, 503, 504})


class Clients:
    """Some apps, each in a thread."""

    def __init__(self, app: Stack, connection_ids: list[str], seed: int, count: int) -> None:
        """Take the way to the service, the connections to use, and a seed; start `count` apps."""
        self.answers: Counter[tuple[str, int]] = Counter()
        #: Answers that no app should ever get.
        self.surprises: list[str] = []
        #: The access tokens that were served, each with whose it should be.
        self.served: set[tuple[str, str]] = set()
        self._app = app
        self._connection_ids = connection_ids
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._live, args=(chances(seed, f"app {number}"),))
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each app finish its request, and end."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _live(self, chance: random.Random) -> None:
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {self._app.admin_api_key}"
            while not self._stopping.is_set():
                connection_id = chance.choice(self._connection_ids)
                if chance.random() < 0.6:
                    self._read_token(session, connection_id)
                else:
                    wait = chance.choice(["respond-async", "wait=2"])
                    self._ask(session, "POST", connection_id, "renew", {"Prefer": wait})
                self._stopping.wait(chance.uniform(_MIN_PAUSE_SECONDS, _MAX_PAUSE_SECONDS))

    def _read_token(self, session: requests.Session, connection_id: str) -> None:
        answer = self._ask(session, "GET", connection_id, "token", {})
        if answer is not None and answer.status_code == requests.codes.ok:
            self.served.add((connection_id, answer.json()["access_token"]))

    def _ask(
        self, session: requests.Session, method: str, connection_id: str, what: str, headers: Any
    ) -> requests.Response | None:
        url = f"{self._app.url}/v1/connections/{connection_id}/{what}"
        try:
            answer = session.request(method, url, headers=headers, timeout=_ANSWER_SECONDS)
        except requests.RequestException as error:
            self.surprises.append(f"{what}: {type(error).__name__}")
            return None
        self.answers[what, answer.status_code] += 1
        if answer.status_code == requests.codes.service_unavailable:
            self._stopping.wait(_UNAVAILABLE_FACTOR * _MAX_PAUSE_SECONDS)
        if answer.status_code not in _EXPECTED:
            self.surprises.append(f"{what}: {answer.status_code} {answer.text[:500]}")
        return answer
