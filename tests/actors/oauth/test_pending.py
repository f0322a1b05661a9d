"""Authorization responses: which of them fit the pending sign-in."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote

import pytest

import config
from actors.events.audit import list_events
from actors.oauth.errors import RedirectMismatch
from actors.oauth.pending import (
    check_arrival,
    fail_sign_in,
    find_sign_in,
    record_refusal,
    undo_second_encoding,
)
from actors.oauth.refusals import ProviderError
from actors.oauth.sign_in import begin_sign_in
from catfeeder.sealing import Secret
from tests.actors.sign_ins import NAME, configure, now, status_of
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


def begun(**options: Any) -> Secret:
    """Begin a sign-in and return its state."""
    return Secret(begin_sign_in(NAME, **{"now": now(), "unbound": True, **options}).state)


def test_an_answer_comes_to_the_address_that_it_was_asked_to(
    provider: ScriptedProvider, toml_conf: dict[str, Any]
) -> None:
    # Given a sign-in whose provider shares the address of all, and one whose provider has its own
    configure(provider)
    shared = find_sign_in(begun())
    toml_conf["OAuth"] = {"redirect_path_per_provider": True}
    config.current_settings.cache_clear()
    own = find_sign_in(begun())

    # Then each ends where it was asked to, whatever is set since, and nowhere else
    check_arrival(shared, provider_in_path=None, browser=None)
    check_arrival(own, provider_in_path=NAME, browser=None)
    for sign_in, wrong in ((shared, NAME), (shared, "other"), (own, None), (own, "other")):
        with pytest.raises(RedirectMismatch):
            check_arrival(sign_in, provider_in_path=wrong, browser=None)


def test_a_refusal_is_an_event_with_provider_and_subject(provider: ScriptedProvider) -> None:
    configure(provider)
    record_refusal("state_used", find_sign_in(begun(subject="user-1")), now())
    record_refusal("state_unknown", None, now())

    unknown, used = list_events(kind="sign_in_refused")["items"]
    assert (used["provider"], used["subject"]) == (NAME, "user-1")
    assert used["detail"] == {"reason": "state_used"}
    assert (unknown["provider"], unknown["subject"]) == (None, None)


@pytest.mark.parametrize(
    ("error", "detail", "level"),
    [
        (ProviderError("access_denied", None), {"error": "access_denied"}, "INFO"),
        (
            ProviderError("unauthorized_client", "Not yet approved"),
            {"error": "unauthorized_client", "error_description": "Not yet approved"},
            "WARNING",
        ),
        (ProviderError(None, None), {}, "WARNING"),
    ],
)
def test_a_sign_in_that_the_provider_refuses_is_over(
    error: ProviderError,
    detail: dict[str, str],
    level: str,
    provider: ScriptedProvider,
    caplog: pytest.LogCaptureFixture,
) -> None:
    configure(provider)
    caplog.set_level(logging.INFO)
    state = begun()

    fail_sign_in(state, find_sign_in(state), error, now())
    # And one that is over is not refused once more
    fail_sign_in(state, find_sign_in(state), error, now())

    assert status_of(state) == "failed"
    [event] = list_events(kind="sign_in_refused")["items"]
    assert event["detail"] == {"reason": "sign_in_refused", **detail}
    # And the operator reads it, as a warning unless it was the user's choice
    [line] = [record for record in caplog.records if record.name == "actors.oauth.pending"]
    assert (line.levelname, line.provider) == (level, NAME)  # type: ignore[attr-defined]
    assert all(text in line.getMessage() for text in detail.values())


@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_what_comes_back_encoded_once_more_is_read_as_it_was_sent(rounds: int) -> None:
    texts = ["random:house", "4/0AX%", "https://issuer.example"]
    for _ in range(rounds):
        texts = [quote(text, safe="") for text in texts]

    state, others = undo_second_encoding(Secret(texts[0]), *texts[1:], None)

    assert state == Secret("random:house")
    assert others == ["4/0AX%", "https://issuer.example", None]
