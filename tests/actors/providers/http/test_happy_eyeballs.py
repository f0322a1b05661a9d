"""Tests of Happy Eyeballs (RFC 8305): one dead address or family delays no connection for long."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from actors.providers.http.happy_eyeballs import connect_any, interleave_families

SECONDS = 20.0


@contextlib.contextmanager
def silent(address: str, port: int) -> Iterator[None]:
    """Let an address neither accept nor refuse: its server's queue is full."""
    with contextlib.ExitStack() as sockets:
        server = sockets.enter_context(socket.socket())
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.listen(0)
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((address, port))
        yield


@pytest.fixture
def living() -> Iterator[socket.socket]:
    """A server at 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_two_dead_addresses_before_a_living_one_cost_half_a_second(living: socket.socket) -> None:
    port = living.getsockname()[1]
    begun = time.monotonic()
    with silent("127.0.0.2", port), silent("127.0.0.3", port):
        found = connect_any(["127.0.0.2", "127.0.0.3", "127.0.0.1"], port, SECONDS)

    with found:
        assert found.getpeername() == ("127.0.0.1", port)
        assert found.gettimeout() == SECONDS
    # Neither has used up the time to connect
    assert 0.4 < time.monotonic() - begun < SECONDS / 2


def test_an_address_that_refuses_is_followed_by_the_next_at_once(living: socket.socket) -> None:
    port = living.getsockname()[1]
    begun = time.monotonic()
    refusing = [f"127.0.1.{number}" for number in range(1, 100)]

    with connect_any([*refusing, "::1", "127.0.0.1"], port, SECONDS) as found:
        assert found.getpeername() == ("127.0.0.1", port)
    # 99 times a quarter of a second would be more
    assert time.monotonic() - begun < SECONDS


def test_addresses_share_the_time_to_connect(living: socket.socket) -> None:
    port = living.getsockname()[1]
    begun = time.monotonic()
    with silent("127.0.0.2", port), silent("127.0.0.3", port), pytest.raises(TimeoutError):
        connect_any(["127.0.0.2", "127.0.0.3"], port, 0.5)
    assert 0.5 <= time.monotonic() - begun < 5


def test_a_slow_address_may_still_be_the_first_to_answer(living: socket.socket) -> None:
    port = living.getsockname()[1]
    with silent("127.0.0.2", port), connect_any(["127.0.0.1", "127.0.0.2"], port, 1) as found:
        assert found.getpeername() == ("127.0.0.1", port)


def test_the_last_failure_is_raised_when_each_address_has_failed() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            connect_any(["127.0.0.1", "127.0.0.2"], taken.getsockname()[1], SECONDS)
    with pytest.raises(OSError, match="no address"):
        connect_any([], 443, SECONDS)


def test_families_take_turns_in_the_order_of_the_name_server() -> None:
    v6, v4 = ["2001:db8::1", "2001:db8::2", "2001:db8::3"], ["192.0.2.1"]

    assert interleave_families([*v6, *v4]) == [v6[0], v4[0], v6[1], v6[2]]
    assert interleave_families([*v4, *v6]) == [v4[0], *v6]
    assert interleave_families([]) == []
