"""Authorization requests: what the browser is sent away with, and what stays here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from actors.oauth.authorization_request import compute_code_challenge
from actors.oauth.errors import ScopeInvalid, SubjectInvalid
from actors.oauth.sign_in import SignIn, begin_sign_in
from actors.providers.config.settings import patch_provider, put_provider
from actors.providers.errors import DiscoveryNeeded
from catfeeder.sealing import Secret
from models.db.database import database, hold_connection
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION
from models.oauth.sign_ins import TAB_VERIFICATION
from tests.actors.sign_ins import NAME, configure, configure_plain, event_kinds, now
from tests.models.rows import rewrite
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


@pytest.fixture
def toml_conf() -> dict[str, Any]:
    """The origins of two apps."""
    origins = ["https://app.example.com", "http://localhost:3000"]
    return {"OAuth": {"return_to_origins": origins, "state_lifetime_seconds": 60}}


def query_of(begun: SignIn) -> dict[str, str]:
    """Return the parameters of an authorization URL, each of which stands there once."""
    query = urlsplit(begun.authorization_url).query
    parsed = parse_qs(query, keep_blank_values=True, strict_parsing=True)
    assert all(len(values) == 1 for values in parsed.values())
    return {name: values[0] for name, values in parsed.items()}


def pending(begun: SignIn) -> TAB_VERIFICATION:
    with hold_connection():
        row = TAB_VERIFICATION.find(Secret(begun.state))
    assert row is not None
    return row


def test_the_url_asks_for_a_code_for_this_client(provider: ScriptedProvider) -> None:
    configure(provider)

    begun = begin_sign_in(NAME, now=now())

    assert begun.authorization_url.startswith(f"{provider.issuer}/authorize?")
    query = query_of(begun)
    assert query["response_type"] == "code"
    assert query["client_id"] == provider.client_id
    assert query["redirect_uri"] == "http://127.0.0.1:5000/v1/oauth/callback/scripted"
    assert query["scope"] == "openid profile email"
    assert query["state"] == begun.state
    assert set(query) == {
        *("response_type", "client_id", "redirect_uri", "scope", "state", "nonce"),
        *("code_challenge", "code_challenge_method"),
    }
    assert event_kinds() == ["provider_changed", "authorized"]


def test_the_state_is_256_random_bits_and_the_provider(provider: ScriptedProvider) -> None:
    configure(provider)

    states = [begin_sign_in(NAME, now=now()).state for _ in range(3)]

    assert {state.split(":")[-1] for state in states} == {NAME}
    randoms = {state.split(":")[0] for state in states}
    # 256 bits in base64url
    assert len(randoms) == 3
    assert {len(random) for random in randoms} == {43}


def test_a_pending_sign_in_is_stored_without_a_secret_in_the_clear(
    provider: ScriptedProvider, tmp_path: Any
) -> None:
    configure(provider)
    at = now()

    begun = begin_sign_in(
        NAME, subject="user-42", return_to="https://app.example.com/", relay=True, now=at
    )

    row = pending(begun)
    assert (row.provider, row.subject, row.scope) == (NAME, "user-42", "openid profile email")
    assert (row.status, row.return_to) == ("pending", "https://app.example.com/")
    assert begun.expires_at == row.expires_at == at + timedelta(seconds=60)
    # The challenge is that of the verifier, the nonce the one that was sent
    query = query_of(begun)
    verifier = TAB_VERIFICATION.code_verifier.open(row)
    assert verifier is not None
    assert 43 <= len(verifier.reveal()) <= 128
    assert query["code_challenge"] == compute_code_challenge(verifier)
    assert query["code_challenge_method"] == "S256"
    nonce = TAB_VERIFICATION.nonce.open(row)
    assert nonce is not None
    assert query["nonce"] == nonce.reveal()
    # And a stolen database signs nobody in
    database.close()
    stolen = b"".join(path.read_bytes() for path in tmp_path.glob("catfeeder.sqlite3*"))
    for secret in (begun.state, verifier.reveal(), nonce.reveal()):
        assert secret.encode() not in stolen


def test_the_challenge_is_that_of_the_standard() -> None:
    # RFC 7636 appendix B
    verifier = Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert compute_code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize(
    ("page", "begins", "ends"),
    [
        ("/connect#wechat_redirect", "/connect?response_type=", "#wechat_redirect"),
        ("/#/oauth/authorize", "/#/oauth/authorize?response_type=", "S256"),
        ("/#/authorize?a=b", "/#/authorize?a=b&response_type=", "S256"),
    ],
)
def test_a_page_within_a_page_gets_the_query_where_it_reads_it(
    page: str, begins: str, ends: str, provider: ScriptedProvider
) -> None:
    configure(provider, authorization_endpoint=provider.issuer + page)

    url = begin_sign_in(NAME, now=now()).authorization_url

    assert url.startswith(provider.issuer + begins)
    assert url.endswith(ends)


def test_parameters_of_the_operator_join_and_never_replace(provider: ScriptedProvider) -> None:
    more = {"prompt": "login", "a": "&b="}
    configure(provider, authorization_parameters=more)
    # And one of ours that an earlier release has let in
    with hold_connection():
        row = TAB_USER_OAUTH_CONNECTION.get_by_id(NAME)
        ours = {"state": "fixed", "redirect_uri": "https://evil.example"}
        metadata = {**row.metadata, "authorization_parameters": {**more, **ours}}
        rewrite(TAB_USER_OAUTH_CONNECTION, metadata=metadata)

    begun = begin_sign_in(NAME, now=now())

    query = query_of(begun)
    assert (query["prompt"], query["a"]) == ("login", "&b=")
    assert query["state"] == begun.state
    assert query["redirect_uri"] == "http://127.0.0.1:5000/v1/oauth/callback/scripted"


def test_an_endpoint_with_a_query_keeps_it(provider: ScriptedProvider) -> None:
    configure(provider, authorization_endpoint=f"{provider.issuer}/authorize?tenant=a")

    query = query_of(begin_sign_in(NAME, now=now()))

    assert (query["tenant"], query["client_id"]) == ("a", provider.client_id)


def test_scopes_of_the_request_take_the_place_of_the_usual_ones(provider: ScriptedProvider) -> None:
    configure(provider)

    for asked, sent in (("openid", "openid"), (" openid  email ", "openid email")):
        begun = begin_sign_in(NAME, scope=asked, now=now())
        assert query_of(begun)["scope"] == sent
        assert pending(begun).scope == sent
    for none in ("", " ", None):
        assert query_of(begin_sign_in(NAME, scope=none, now=now()))["scope"] == (
            "openid profile email"
        )


def test_a_sign_in_without_openid_has_no_nonce(provider: ScriptedProvider) -> None:
    configure(provider)

    assert "nonce" not in query_of(begin_sign_in(NAME, scope="profile", now=now()))


def test_a_plain_provider_without_scopes_is_asked_for_none(provider: ScriptedProvider) -> None:
    configure_plain(provider, scopes=None)

    query = query_of(begin_sign_in(NAME, now=now()))

    assert "scope" not in query
    assert "nonce" not in query


def test_a_scope_that_cannot_be_is_refused(provider: ScriptedProvider) -> None:
    configure(provider)
    for scope in ("a\nb", "a\0", "caf\u00e9", 'a"b', "a\\b", "x" * 2049, "\ud800"):
        with pytest.raises(ScopeInvalid):
            begin_sign_in(NAME, scope=scope, now=now())


def test_a_subject_that_cannot_be_stored_is_refused(provider: ScriptedProvider) -> None:
    configure(provider)
    for subject in ("", "x" * 256, "a\0b", "a\nb", "a\x7fb", "\ud800"):
        with pytest.raises(SubjectInvalid):
            begin_sign_in(NAME, subject=subject, unbound=True, now=now())


def test_any_other_subject_is_kept(provider: ScriptedProvider) -> None:
    configure(provider)
    for subject in ("a", "x" * 255, "Jos\u00e9 \U0001f600", "a b", "../etc"):
        begun = begin_sign_in(NAME, subject=subject, unbound=True, now=now())
        assert pending(begun).subject == subject


# -- Where the browser ends


def test_the_browser_may_end_at_an_origin_that_is_listed(provider: ScriptedProvider) -> None:
    configure(provider)
    for url in (
        "https://app.example.com",
        "https://app.example.com/done?a=1#x",
        "https://app.example.com//evil.example",
        "http://localhost:3000/x",
    ):
        begun = begin_sign_in(NAME, return_to=url, now=now())
        assert pending(begun).return_to == url


# -- Providers that are not ready


def test_a_provider_without_metadata_needs_discovery(provider: ScriptedProvider) -> None:
    put_provider(NAME, {"issuer": provider.issuer, **provider.credentials()}, now())

    with pytest.raises(DiscoveryNeeded):
        begin_sign_in(NAME, now=now())

    # And again when its settings have changed
    configure(provider)
    begin_sign_in(NAME, now=now())
    patch_provider(NAME, {"scopes": ["openid"]}, now())
    with pytest.raises(DiscoveryNeeded):
        begin_sign_in(NAME, now=now())
