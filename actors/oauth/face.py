"""Facade of OAuth for Python programs, as the seed had it: methods return a value or `error`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from actors.oauth import refresh
from actors.oauth.errors import StateMissing
from actors.oauth.exchange import CodeAnswer, finish_sign_in
from actors.oauth.refresh import describe_tokens
from actors.oauth.sign_in import begin_sign_in
from actors.oauth.user_info import fetch_user_info
from actors.providers.config.configured_presets import add_configured_presets
from actors.providers.config.discovery import resolve_provider
from actors.providers.protocol.filling import fill_request
from actors.providers.protocol.redirect_uris import redirect_uri_of
from actors.providers.protocol.token_endpoint import redeem_code
from actors.renewal.in_process import renew_due_connections
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError
from catfeeder.queue.requester import sees_all_apps
from catfeeder.results import Profile, TokenResponse
from catfeeder.sealing import Secret
from config import current_settings
from models.migrate import ensure_tables, join_service, once_per_database

T = TypeVar("T")
#: What fills in the URLs of a provider that has a host or a path for each customer.
_Variables = Mapping[str, str] | None
_LOG = logging.getLogger(__name__)


class OAuthAuthentication:
    """Signs users in within the calling process; the workers do the same on request.

    `variables` are those of a provider with a host or a path for each customer.

    A method that fails returns `error` and raises nothing; the log has the reason. `debug` sets
    this module's log level to DEBUG. No service need run: the first call makes the tables of a new
    database, and adds the presets whose credentials are in the environment.
    """

    def __init__(self, success: int = 0, error: int = 84, debug: bool = False) -> None:
        self.success = success
        self.error = error
        self.debug = debug
        if debug:
            _LOG.setLevel(logging.DEBUG)

    def _generate_oauth_authorization_url(
        self, provider: str, *, variables: _Variables = None
    ) -> int | str:
        """Return the URL that begins a sign-in with `provider`."""
        return self._run(lambda: _begin(provider, variables))

    def _exchange_code_for_token(
        self,
        provider: str,
        code: str,
        state: str | None = None,
        *,
        variables: _Variables = None,
    ) -> int | TokenResponse:
        """Finish a sign-in: store the connection, return the token response (RFC 6749 section 5.1).

        Without `state` this fails, unless `[OAuth] require_state` is off. Then nothing is stored,
        as the user is unknown, and `variables` are those that the sign-in began with.
        """
        return self._run(lambda: _exchange(provider, Secret(code), state, variables))

    def _refresh_oauth_token(
        self, provider: str, refresh_token: str, *, variables: _Variables = None
    ) -> int | TokenResponse:
        """Return the token response to a refresh token."""
        return self._run(lambda: refresh.refresh_token(provider, Secret(refresh_token), variables))

    def _get_user_info_from_provider(
        self, provider: str, access_token: str, *, variables: _Variables = None
    ) -> int | Profile:
        """Return the normalised profile of the token's user."""
        return self._run(
            lambda: fetch_user_info(
                provider, access_token=Secret(access_token), variables=variables
            )
        )

    def renew_oaths(self) -> None:
        """Renew every stored token that is due, here and now, whichever app's it is."""
        token = sees_all_apps.set(True)
        try:
            self._run(renew_due_connections)
        finally:
            sees_all_apps.reset(token)

    def _run(self, act: Callable[[], T]) -> int | T:
        try:
            _prepare(utc_now())
            return act()
        except CatFeederError as error:
            _LOG.error("%s", error)  # The sentence says it all; no traceback.
        except Exception as error:  # noqa: BLE001 A status is the contract, for any argument.
            # An unforeseen message may quote an argument, a secret perhaps.
            _LOG.error("The call failed unexpectedly: %s.", type(error).__name__)
        return self.error


@once_per_database
def _prepare(now: datetime) -> None:
    ensure_tables(now)
    join_service(now)
    add_configured_presets(now)


def _begin(provider: str, variables: _Variables) -> str:
    now = utc_now()
    resolve_provider(provider, now)
    return begin_sign_in(provider, now=now, variables=variables).authorization_url


def _exchange(
    provider: str, code: Secret, state: str | None, variables: _Variables
) -> TokenResponse:
    now = utc_now()
    found = resolve_provider(provider, now)
    if state is not None:
        # The seed's signature has no place for the answer's `iss`. It guards against a mix-up,
        # which takes a hostile provider among the configured ones.
        iss = found.issuer if found.authorization_response_iss_parameter_supported else None
        answer = CodeAnswer(provider, code, Secret(state), iss)
        return describe_tokens(finish_sign_in(answer, now).tokens)
    if current_settings().oauth.require_state:
        raise StateMissing
    found = fill_request(found, variables)
    return describe_tokens(redeem_code(found, code, redirect_uri_of(found), None))
