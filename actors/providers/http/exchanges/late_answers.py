"""Late answers: read from the connection of their request, after its caller has given up on it."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
import urllib3

from actors.providers.errors import ProviderUnreachable
from actors.providers.http.causes import describe_cause
from actors.providers.http.exchanges.answers import build_response
from actors.providers.http.forms import read_answer
from actors.providers.http.pools import DeadlineSocket, keep_late_connections
from actors.providers.http.transport import translate_http_errors


class LateAnswer:
    """The connection on which the answer to one POST may still come."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    @property
    def is_expected(self) -> bool:
        """Return whether a request was sent whose answer has not come in time."""
        return self._socket is not None

    @contextmanager
    def expect(self) -> Iterator[None]:
        """Keep the connection of a POST of the block whose answer does not come in time."""
        with keep_late_connections(self._keep):
            yield

    def _keep(self, sock: socket.socket) -> None:
        self.close()
        self._socket = sock

    def read(self, seconds: float) -> requests.Response:
        """Wait for the answer, and return it whatever its status: its words are looked at.

        Raises:
            ProviderUnreachable: It has not come in so many seconds.
            ProviderMisbehaved: As `post_form`.
        """
        try:
            with translate_http_errors():
                answer = _read_head(self._socket, seconds)
                return read_answer(answer, is_any_status=True)
        except http.client.HTTPException as error:
            text = f"The provider did not answer: {describe_cause(error)}."
            raise ProviderUnreachable(text, is_outcome_unknown=True) from None
        finally:
            self.close()

    def close(self) -> None:
        """Give the answer up."""
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()


def _read_head(sock: Any, seconds: float) -> urllib3.HTTPResponse:
    answering: Any = DeadlineSocket(sock, seconds)
    head = http.client.HTTPResponse(answering, method="POST")
    head.begin()
    return build_response(head, "POST")
