"""Authorization responses: which of them fit the pending sign-in."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

import config
from actors.errors import OutcomeUnknown
from actors.events.audit import list_events
from actors.oauth.errors import (
    BrowserMismatch,
    RedirectMismatch,
    StateExpired,
    StateUnknown,
    StateUsed,
)
from actors.oauth.pending import (
    check_arrival,
    check_pending,
    fail_sign_in,
    find_sign_in,
    record_refusal,
    undo_second_encoding,
)
from actors.oauth.refusals import ProviderError
from actors.oauth.sign_in import begin_sign_in
from catfeeder.sealing import Secret
from models.db.database import hold_connection
from models.oauth.sign_ins import TAB_VERIFICATION, StateStatus
from tests.actors.sign_ins import NAME, configure, now, status_of
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


def begun(**options: Any) -> Secret:
    """Begin a sign-in and return its state."""
    return Secret(begin_sign_in(NAME, **{"now": now(), "unbound": True, **options}).state)


def test_a_state_that_was_never_issued_is_unknown() -> None:
    for state in ("", "forged", f"forged:{NAME}", "é", "\0", "\ud800", "a" * 9999):
        with pytest.raises(StateUnknown):
            find_sign_in(Secret(state))


def test_a_sign_in_is_pending_until_it_is_answered_or_expires(provider: ScriptedProvider) -> None:
    configure(provider)
    at = now()
    state = begun(now=at)
    sign_in = find_sign_in(state)

    check_pending(sign_in, at + timedelta(seconds=599))
    with pytest.raises(StateExpired):
        check_pending(sign_in, at + timedelta(seconds=600))
    for status, error in (
        (StateStatus.EXCHANGING, OutcomeUnknown),
        (StateStatus.DONE, StateUsed),
        (StateStatus.FAILED, StateUsed),
    ):
        with hold_connection():
            TAB_VERIFICATION.update(status=status).execute()
        with pytest.raises(error):
            check_pending(find_sign_in(state), at)


def test_a_sign_in_that_is_bound_ends_in_its_own_browser(provider: ScriptedProvider) -> None:
    configure(provider)
    bound = find_sign_in(begun(browser=Secret("a-cookie")))
    loose = find_sign_in(begun())

    check_arrival(bound, provider_in_path=None, browser=Secret("a-cookie"))
    check_arrival(loose, provider_in_path=None, browser=None)
    for other in (None, Secret("another")):
        with pytest.raises(BrowserMismatch):
            check_arrival(bound, provider_in_path=None, browser=other)


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
