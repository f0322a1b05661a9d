"""Range server: five digits leave this machine, and its failure costs neither cores nor honesty."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from actors.passwords.breaches.digests import Algorithm, hash_password
from actors.passwords.breaches.range_server import RANGE_SERVER, RangeServer
from actors.passwords.errors import BreachListUnavailable, PasswordBreached
from actors.passwords.hashing import hash_password as perform_hash
from actors.passwords.verdicts import check_policy
from catfeeder.sealing import Secret
from config import current_settings
from tests.actors.passwords.breaches.made_lists import GOOD, LEAKED, ntlm, sha1
from tests.actors.passwords.breaches.range_server import ScriptedRanges, serve_ranges

_RANGES = {
    digest(text)[:5]: f"{digest(text)[5:]}:{count}"
    for text, count in LEAKED.items()
    for digest in (sha1, ntlm)
}


@pytest.fixture
def ranges(
    environment: dict[str, str], toml_conf: dict[str, Any], settings: object
) -> Iterator[ScriptedRanges]:
    """A server that config.toml names, without a failure in this process's memory."""
    assert settings is not None
    with serve_ranges(_RANGES) as server:
        environment["OAUTH_ALLOWED_PRIVATE_HOSTS"] = server.host
        url = f"http://{server.host}/range/{{prefix}}"
        toml_conf["Passwords"].update(policy=True, breach_range_url=url, breach_timeout_seconds=1)
        current_settings.cache_clear()
        RANGE_SERVER.forget_failure()
        yield server
    RANGE_SERVER.forget_failure()


def test_a_leaked_password_is_known_by_five_digits(
    ranges: ScriptedRanges, toml_conf: dict[str, Any]
) -> None:
    # When passwords are judged and hashed, then those that have leaked are refused
    [reason] = check_policy(Secret("correct horse"))["reasons"]
    assert (reason["code"], reason["count"]) == ("password_breached", 7)
    with pytest.raises(PasswordBreached, match="12,345 times"):
        perform_hash(Secret("żółw na rowerze"))
    assert perform_hash(Secret(GOOD))["password_hash"].startswith("$2b$04$")
    # And no more than the first digits of their SHA-1 was sent
    paths = [line.split()[1] for line in ranges.asked]
    texts = ("correct horse", "żółw na rowerze", GOOD)
    assert paths == [f"/range/{sha1(text)[:5]}" for text in texts]
    # And nothing at all of one that the policy refuses anyway
    assert check_policy(Secret("password"))["reasons"]
    with pytest.raises(ValueError, match="commonest"):
        perform_hash(Secret("password"))
    assert len(ranges.asked) == 4
    # And NTLM is asked for where the URL says so
    toml_conf["Passwords"]["breach_range_url"] += "?mode=ntlm"
    current_settings.cache_clear()
    assert not check_policy(Secret("correct horse"))["acceptable"]
    assert ranges.asked[-1].split()[1] == f"/range/{ntlm('correct horse')[:5]}?mode=ntlm"
    # And each time as many lines as for any other prefix
    assert set(ranges.wants_padding) == {"true"}


def test_padding_is_no_leak(ranges: ScriptedRanges) -> None:
    # Given an answer that has a password's own digits, as one that was never seen
    digest = sha1("correct horse")
    ranges.ranges = {digest[:5]: f"{digest[5:]}:0"}
    assert check_policy(Secret("correct horse"))["acceptable"]
    # And one without a line is one that has not seen it either
    ranges.text = ""
    verdict = check_policy(Secret("correct horse"))
    assert verdict == {"acceptable": True, "reasons": []}


#: What is no answer of a range server, by what goes wrong.
_ANSWERS = {
    "page": "<html>Sign in to the network</html>",
    "huge": f"{'0' * 35}:1\r\n" * 40_000,
    "ntlm": f"{'0' * 27}:1\r\n",
}


@pytest.mark.parametrize("failure", ["status", "hangs", "redirect", "tls", *_ANSWERS])
def test_a_server_that_is_away_is_said_and_config_decides(
    ranges: ScriptedRanges,
    toml_conf: dict[str, Any],
    failure: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given a server that fails
    ranges.status = {"status": 500, "redirect": 302}.get(failure, 200)
    ranges.text = _ANSWERS.get(failure)
    if failure == "hangs":
        ranges.released.clear()
    if failure == "tls":
        url = toml_conf["Passwords"]["breach_range_url"].replace("http:", "https:")
        toml_conf["Passwords"]["breach_range_url"] = url
        current_settings.cache_clear()
    # When a password is judged, then what is unknown is said; it is hashed, and the log has it
    with caplog.at_level(logging.WARNING):
        assert check_policy(Secret(GOOD)) == {
            "acceptable": True,
            "reasons": [],
            "unchecked": ["password_breached"],
        }
        assert perform_hash(Secret(GOOD))
    assert "taken unchecked" in caplog.text
    assert GOOD not in caplog.text
    assert sha1(GOOD)[:5] not in caplog.text
    # And where config.toml has it so, it is refused until the server is back
    toml_conf["Passwords"]["breach_unavailable"] = "refuse"
    current_settings.cache_clear()
    with pytest.raises(BreachListUnavailable) as refused:
        perform_hash(Secret(GOOD))
    assert (refused.value.code, refused.value.permanent) == ("breach_list_unavailable", False)
    # And meanwhile it was asked once, since each wait keeps a core from hashing
    assert len(ranges.asked) == (failure != "tls")


def test_a_server_that_is_back_is_asked_after_a_pause(ranges: ScriptedRanges) -> None:
    ranges.status = 503
    settings = current_settings().passwords
    digest = hash_password(b"correct horse", Algorithm.SHA1)
    assert digest is not None
    server = RangeServer()
    with pytest.raises(BreachListUnavailable):
        server.find(digest, settings, now=100.0)
    ranges.status = 200
    with pytest.raises(BreachListUnavailable):
        server.find(digest, settings, now=109.0)
    hit = server.find(digest, settings, now=110.5)
    assert hit is not None
    assert hit.count == 7
