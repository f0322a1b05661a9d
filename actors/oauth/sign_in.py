"""Authorization requests (RFC 6749 section 4.1.1) with state, nonce and PKCE (RFC 7636)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Unpack
from urllib.parse import urlencode, urlsplit

from actors.app_settings import read_app_settings
from actors.audit import EventKind, record
from actors.oauth.errors import (
    IssuerMismatch,
    ReturnToForbidden,
    ScopeInvalid,
    SubjectInvalid,
)
from actors.oauth.offline_access import ask_for_offline_access
from actors.oauth.request_parameters import RequestParameters, find_max_age, write_parameters
from actors.providers.config.lookup import find_provider
from actors.providers.protocol.issuers import is_issuer_of_answer
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.redirect_uris import redirect_uri_of
from catfeeder.queue.requester import acting_app
from catfeeder.sealing import Secret
from config import current_settings
from models.db.database import hold_connection, transaction
from models.oauth.sign_ins import TAB_VERIFICATION

#: A state, nonce or verifier cannot be guessed: 256 bits, where RFC 6749 asks for 128.
_RANDOM_BYTES: Final = 32
_SUBJECT: Final = re.compile("[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,255}")
#: Names as of RFC 6749 section 3.3, with blanks around and between them.
_SCOPE: Final = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]{0,2048}")


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in that has begun: where to send the user, and the state that comes back in time.

    An answer that comes by POST is cross-site, and so without most cookies.
    """

    authorization_url: str
    state: str
    expires_at: datetime
    comes_by_post: bool = False


def begin_sign_in(
    provider: str,
    *,
    subject: str | None = None,
    scope: str | None = None,
    return_to: str | None = None,
    browser: Secret | None = None,
    relay: bool = False,
    offline_access: bool | None = None,
    earlier_browsers: Sequence[Secret] = (),
    iss: str | None = None,
    now: datetime,
    **asked: Unpack[RequestParameters],
) -> SignIn:
    """Record a pending sign-in and return the URL that begins it (RFC 6749 section 4.1.1).

    Args:
        provider: The provider's name.
        subject: The asking app's own name for its user.
        scope: Scopes parted by spaces, in place of the provider's usual ones.
        return_to: Where the callback sends the browser in the end.
        browser: The secret of the browser's cookie, which must come back too.
        relay: Whether the callback passes the answer on to `return_to` as it came.
        offline_access: Whether the connection is to last; None leaves it to the provider's setting.
        earlier_browsers: The secrets of the browser's other cookies, of sign-ins that did not end.
        iss: The issuer that a third party names which initiates the sign-in.
        now: The time in UTC.
        **asked: What this sign-in asks of the provider (OpenID Connect Core section 3.1.2.1).

    Raises:
        ProviderUnknown, ProviderNotConfigured, DiscoveryNeeded: As `find_provider`.
        ReturnToForbidden: `return_to` leads to an origin that config.toml does not list.
        SubjectInvalid, ScopeInvalid: They have characters that cannot be stored or sent.
        RequestParameterInvalid: A parameter is outside its grammar, or cannot be checked.
        IssuerMismatch: `iss` is not the provider's issuer (OpenID Connect Core section 4).
    """
    found = find_provider(provider)
    _check_parameters(subject, scope, return_to)
    _check_initiator(found, iss)
    request = _build_request(found, scope, offline_access, asked)
    expires_at = now + timedelta(seconds=current_settings().oauth.state_lifetime_seconds)
    with transaction():
        record(EventKind.AUTHORIZED, now=now, provider=found.name, subject=subject)
        user_data = None
        if found.told_once:
            user_data = TAB_VERIFICATION.find_earlier_user_data(
                acting_app.get(), found.name, subject, earlier_browsers
            )
        TAB_VERIFICATION.begin(
            request.state,
            app=acting_app.get(),
            provider=found.name,
            subject=subject,
            scope=" ".join(request.scopes),
            redirect_uri=request.redirect_uri,
            return_to=return_to,
            max_age=request.max_age,
            nonce=request.nonce,
            code_verifier=request.verifier,
            browser=browser,
            is_relayed=relay,
            told_user=user_data,
            now=now,
            expires_at=expires_at,
        )
    comes_by_post = found.authorization_parameters.get("response_mode") == "form_post"
    url = _write_authorization_url(found, request)
    return SignIn(url, request.state.reveal(), expires_at, comes_by_post)


@dataclass(frozen=True, slots=True)
class _AuthorizationRequest:
    redirect_uri: str
    scopes: list[str]
    state: Secret
    nonce: Secret | None
    verifier: Secret | None
    #: The settings' parameters, and in their place those of this sign-in.
    parameters: Mapping[str, str]
    max_age: int | None


def _build_request(
    provider: Provider, scope: str | None, offline_access: bool | None, asked: RequestParameters
) -> _AuthorizationRequest:
    scopes, parameters = ask_for_offline_access(
        provider,
        (scope or "").split() or provider.scopes,
        provider.authorization_parameters,
        requested=write_parameters(asked),
        is_wanted=offline_access,
    )
    has_id_token = provider.yields_id_token(scopes)
    uses_nonce = provider.uses_nonce and has_id_token
    return _AuthorizationRequest(
        redirect_uri=redirect_uri_of(provider),
        scopes=scopes,
        state=Secret(f"{secrets.token_urlsafe(_RANDOM_BYTES)}:{provider.public_name}"),
        nonce=_make_secret() if uses_nonce else None,
        verifier=_make_secret() if provider.uses_pkce else None,
        parameters=parameters,
        max_age=find_max_age(provider, parameters, has_id_token=has_id_token),
    )


def _make_secret() -> Secret:
    return Secret(secrets.token_urlsafe(_RANDOM_BYTES))


def _write_authorization_url(provider: Provider, request: _AuthorizationRequest) -> str:
    query = {
        **request.parameters,
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": request.redirect_uri,
        "state": request.state.reveal(),
    }
    if request.scopes:
        query["scope"] = provider.scope_separator.join(request.scopes)
    if request.nonce is not None:
        query["nonce"] = request.nonce.reveal()
    if request.verifier is not None:
        query["code_challenge"] = compute_code_challenge(request.verifier)
        query["code_challenge_method"] = "S256"
    joint = "&" if urlsplit(provider.authorization_endpoint).query else "?"
    return provider.authorization_endpoint + joint + urlencode(query)


def find_return_to(state: Secret) -> str | None:
    """Return the `return_to` of this state's sign-in; None where there is none of either."""
    with hold_connection():
        row = TAB_VERIFICATION.find(state)
    return row.return_to if row else None


def compute_code_challenge(verifier: Secret) -> str:
    """Return the S256 challenge of a verifier (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.reveal_bytes()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _check_parameters(subject: str | None, scope: str | None, return_to: str | None) -> None:
    if return_to is not None:
        check_return_to(return_to)
    if subject is not None and not _SUBJECT.fullmatch(subject):
        raise SubjectInvalid
    if scope is not None and not _SCOPE.fullmatch(scope):
        raise ScopeInvalid


def _check_initiator(provider: Provider, iss: str | None) -> None:
    """Make sure that a third party initiates a sign-in with the provider that it means."""
    if iss is not None and not is_issuer_of_answer(provider, iss):
        raise IssuerMismatch("iss is not the issuer of this provider (OpenID Connect Core 4).")


def check_return_to(return_to: str) -> None:
    """Raise unless a browser may be sent to a URL.

    Raises:
        ReturnToForbidden: Its origin is not listed.
    """
    try:
        parts = urlsplit(return_to)
        origin = f"{parts.scheme}://{parts.netloc}"
    except ValueError:
        raise ReturnToForbidden from None
    allowed = read_app_settings(acting_app.get()).get("return_to_origins", ())
    # A backslash or a control character is read differently by browsers than by urlsplit.
    is_plain = all("!" <= character <= "~" and character != "\\" for character in return_to)
    if not is_plain or origin not in allowed:
        raise ReturnToForbidden
