"""The Host header: what is listed is answered, what is not is refused."""

from __future__ import annotations

import httpx
import pytest

from tests.worker.http.answers import assert_problem
from worker.http.asgi.trusted_hosts import TrustedHosts, parse_host


@pytest.mark.parametrize(
    ("hosts", "header", "is_trusted"),
    [
        (["localhost"], "localhost", True),
        (["localhost"], "LOCALHOST:5000", True),
        (["LocalHost"], "localhost", True),
        (["localhost"], "localhost.evil.example", False),
        (["localhost"], "evil.example", False),
        (["localhost"], "", False),
        (["::1"], "[::1]:5000", True),
        (["::1"], "[::2]:5000", False),
        (["*.example.com"], "auth.example.com", True),
        (["*.example.com"], "example.com", False),
        (["*.example.com"], "evilexample.com", False),
        (["*"], "anything", True),
        ([], "localhost", False),
    ],
)
def test_only_listed_hosts_are_trusted(hosts: list[str], header: str, is_trusted: bool) -> None:
    async def app(*_: object) -> None:
        """Answer nothing."""

    name = parse_host(header)
    assert (name is not None and TrustedHosts(app, hosts)._is_trusted(name)) is is_trusted


@pytest.mark.parametrize(
    "header",
    [
        *("", " ", ":5000", "a b", "a/b", "localhost:", "localhost:x", "localhost:65536"),
        *("user@localhost", "localhost:80@evil.example", "localhost#", "localhost,localhost"),
        *("[::1", "::1", "[::1]evil", "[1.2.3.4]", "[:::]", "caf\xe9", "\u2100", "localhost\t"),
    ],
    ids=ascii,
)
def test_what_is_not_one_host_is_none(header: str) -> None:
    assert parse_host(header) is None


def test_another_host_is_refused(anonymous: httpx.Client) -> None:
    answer = anonymous.get("/health", headers={"Host": "evil.example"})
    assert_problem(answer, 400, "host_not_trusted")
    assert "evil" not in answer.text


@pytest.mark.environ(
    REDIRECT_URI="https://Auth.Example.com:8443/v1/oauth/callback",
    CATFEEDER_SERVER_CONFIGURATION_TRUSTED_HOSTS="probe.internal",
)
def test_the_host_that_providers_send_users_back_to_is_trusted(anonymous: httpx.Client) -> None:
    # Given a public address, and a list of hosts that does not name it

    # Then what a proxy passes on for it is answered, as is what the list names
    for host in ("auth.example.com", "auth.example.com:8443", "probe.internal"):
        assert anonymous.get("/health", headers={"Host": host}).status_code == 200
    # And no other host below it
    for host in ("example.com", "evil.auth.example.com", "localhost"):
        assert_problem(anonymous.get("/health", headers={"Host": host}), 400, "host_not_trusted")
