"""Start of a sign-in: what an app asks for is checked, and the pending sign-in is stored."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Unpack
from urllib.parse import urlsplit

from actors.apps.settings import read_app_settings
from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.oauth.authorization_request import (
    AuthorizationRequest,
    build_request,
    write_authorization_url,
)
from actors.oauth.errors import (
    IssuerMismatch,
    ReturnToForbidden,
    ScopeInvalid,
    SignInNotOffered,
    SubjectInvalid,
    SubjectUnbound,
)
from actors.providers.config.lookup import find_provider
from actors.providers.errors import ProviderNotConfigured
from actors.providers.protocol.filling import fill_variables, read_variables
from actors.providers.protocol.issuers import is_issuer_of_answer
from actors.providers.protocol.provider import Provider
from catfeeder.queue.requester import acting_app
from catfeeder.sealing import Secret
from catfeeder.verbs.sign_in_options import SignInOptions
from config import current_settings
from models.db.database import transaction
from models.oauth import sign_in_user_data
from models.oauth.sign_ins import TAB_VERIFICATION

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


class SignInWishes(SignInOptions, total=False):
    """What an app or a browser may ask of a sign-in."""

    #: The secret of the browser's cookie, which must come back too.
    browser: Secret | None
    #: The secrets of the browser's other cookies, of sign-ins that did not end.
    earlier_browsers: Sequence[Secret]
    #: The issuer that a third party names which initiates the sign-in.
    iss: str | None
    #: Whether `return_to` is a page of this service, which no app has to list.
    returns_to_own_page: bool


def begin_sign_in(provider: str, *, now: datetime, **wishes: Unpack[SignInWishes]) -> SignIn:
    """Record a pending sign-in and return the URL that begins it (RFC 6749 section 4.1.1).

    Raises:
        ProviderUnknown, ProviderNotConfigured, DiscoveryNeeded: As `find_provider`.
        SignInNotOffered: Its connections are made from credentials alone.
        ReturnToForbidden: `return_to` leads to an origin that the app does not list.
        SubjectUnbound: There is a `subject`, and nothing that binds the browser to it.
        SubjectInvalid, ScopeInvalid: They have characters that cannot be stored or sent.
        RequestParameterInvalid: A parameter is outside its grammar, or cannot be checked.
        VariablesInvalid: A variable of the provider is missing, or not what its rule allows.
        IssuerMismatch: `iss` is not the provider's issuer (OpenID Connect Core section 4).
    """
    found = find_provider(provider)
    if not found.has_sign_in:
        raise SignInNotOffered
    _check_parameters(wishes)
    _check_initiator(found, wishes.get("iss"))
    variables = read_variables(found, wishes.get("variables"))
    found = fill_variables(found, variables)
    request = build_request(found, wishes.get("scope"), wishes.get("offline_access"), wishes)
    check_names_users(found, request.scopes)
    expires_at = now + timedelta(seconds=current_settings().oauth.state_lifetime_seconds)
    with transaction():
        _record_beginning(found, wishes, now)
        _store(found, request, {**wishes, "variables": variables}, now, expires_at)
    comes_by_post = found.authorization_parameters.get("response_mode") == "form_post"
    url = write_authorization_url(found, request)
    return SignIn(url, request.state.reveal(), expires_at, comes_by_post)


def check_names_users(provider: Provider, scopes: Sequence[str]) -> None:
    """Make sure that a code is not spent on a sign-in that names no user.

    Raises:
        ProviderNotConfigured: Nothing would name the user.
    """
    if not provider.names_its_users(scopes):
        raise ProviderNotConfigured(
            f"Nothing would name the user of a sign-in with {provider.public_name}: give it "
            "userinfo_endpoint; or issuer, jwks_uri and the scope openid; or identity "
            '"token_response" with profile.subject; or identity "none" where no user is named.'
        )


def _is_bound(wishes: SignInWishes) -> bool:
    """Return whether one browser alone can end the sign-in, as far as this service can tell."""
    return bool(wishes.get("relay") or wishes.get("browser"))


def _record_beginning(provider: Provider, wishes: SignInWishes, now: datetime) -> None:
    if wishes.get("browser") is not None:
        # No key was needed: a flood of beginnings would fill the trail.
        return
    subject = wishes.get("subject")
    binding = {"unbound": True} if subject and not _is_bound(wishes) else {}
    record(EventKind.AUTHORIZED, now=now, provider=provider.name, subject=subject, **binding)


def _store(
    provider: Provider,
    request: AuthorizationRequest,
    wishes: SignInWishes,
    now: datetime,
    expires_at: datetime,
) -> None:
    TAB_VERIFICATION.begin(
        request.state,
        app=acting_app.get(),
        provider=provider.name,
        subject=wishes.get("subject"),
        scope=" ".join(request.scopes),
        redirect_uri=request.redirect_uri,
        return_to=wishes.get("return_to"),
        max_age=request.max_age,
        demands=_list_demands(request),
        variables=wishes.get("variables"),
        nonce=request.nonce,
        code_verifier=request.verifier,
        browser=wishes.get("browser"),
        is_relayed=wishes.get("relay", False),
        told_user=_find_earlier_user_data(provider, wishes),
        now=now,
        expires_at=expires_at,
    )


def _list_demands(request: AuthorizationRequest) -> dict[str, Any] | None:
    """Return what the answer is checked against besides, and what its tokens are for."""
    demands: dict[str, Any] = {}
    if request.acr is not None:
        demands["acr_values"] = list(request.acr.values)
        demands["acr_essential"] = request.acr.is_essential
    if request.resources:
        demands["resource"] = list(request.resources)
    return demands or None


def _find_earlier_user_data(provider: Provider, wishes: SignInWishes) -> Secret | None:
    """Return what the provider sent about this user once alone, in a sign-in that did not end."""
    if not provider.told_once:
        return None
    browsers = wishes.get("earlier_browsers", ())
    return sign_in_user_data.find_earlier_user_data(
        acting_app.get(), provider.name, wishes.get("subject"), browsers
    )


def _check_parameters(wishes: SignInWishes) -> None:
    subject, scope = wishes.get("subject"), wishes.get("scope")
    return_to = wishes.get("return_to")
    if return_to is not None and not wishes.get("returns_to_own_page"):
        check_return_to(return_to)
    check_asked(subject, scope)
    if subject is not None and not (_is_bound(wishes) or wishes.get("unbound")):
        raise SubjectUnbound


def check_asked(subject: str | None, scope: str | None) -> None:
    """Make sure that what an app asks for can be stored and sent.

    Raises:
        SubjectInvalid, ScopeInvalid: It has characters that cannot.
    """
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
