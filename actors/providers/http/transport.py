"""HTTP to providers: kept-alive connections, guarded addresses, and bounds on time and size."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter

from actors.errors import AddressForbidden, ProviderMisbehaved, ProviderUnreachable
from actors.providers.http.addresses import check_url
from actors.providers.http.pools import GuardedHTTPPool, GuardedHTTPSPool
from config import current_settings

USER_AGENT: Final = "cat-feeder-auth-worker"
_CHUNK_BYTES: Final = 16384

# oauthlib refuses http by itself; `check_url` decides about that.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
# At level DEBUG these print codes, tokens and client secrets, whatever our own level is; urllib3's
# warnings quote the URL, and the headers as the provider wrote them.
for _name in ("requests_oauthlib", "oauthlib", "urllib3"):
    logging.getLogger(_name).setLevel(logging.ERROR)


class GuardedAdapter(HTTPAdapter):
    """Sends a request under the guard and reads the whole answer within its bounds."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make pools whose connections look at the address first."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": GuardedHTTPPool,
            "https": GuardedHTTPSPool,
        }

    def send(self, request: requests.PreparedRequest, **_kwargs: Any) -> requests.Response:  # type: ignore[override]
        """Send and return the answer with its body read.

        Raises:
            AddressForbidden: The URL leads where it must not.
            ProviderUnreachable: No answer came in time.
            ProviderMisbehaved: The answer is a redirect, too large or broken.
        """
        oauth = current_settings().oauth
        check_url(str(request.url), current_settings().allowed_private_hosts)
        limits = (oauth.connect_timeout_seconds, oauth.read_timeout_seconds)
        with translate_http_errors():
            response = super().send(request, stream=True, timeout=limits, verify=True)
            with response:
                response._content = read_bounded_body(response.iter_content(_CHUNK_BYTES))
        # Else whoever asks for the text has it guessed, by a header or by statistics.
        response.encoding = "utf-8"
        check_no_redirect(response)
        return response


@contextmanager
def translate_http_errors() -> Iterator[None]:
    """Turn what fails in requests and urllib3 into our errors, without a word of the request.

    Raises:
        AddressForbidden: The URL is none that can be called.
        ProviderMisbehaved: The answer cannot be decoded.
        ProviderUnreachable: There was no answer, or it broke off.
    """
    try:
        yield
    except (
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema,
    ):
        raise AddressForbidden from None
    except (
        requests.exceptions.ContentDecodingError,
        requests.exceptions.InvalidHeader,
        urllib3.exceptions.DecodeError,
        urllib3.exceptions.InvalidHeader,
    ):
        raise ProviderMisbehaved("The provider's answer cannot be decoded.") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise ProviderUnreachable(
            f"The provider did not answer: {type(error).__name__}.",
            is_outcome_unknown=not _is_unsent(error),
        ) from None


def _is_unsent(error: Exception) -> bool:
    """Tell whether a request failed before a byte of it was sent, so that nothing came of it."""
    reason = _reason(error)
    if isinstance(reason, urllib3.exceptions.SSLError):
        return bool(reason.args) and isinstance(reason.args[0], ssl.SSLCertVerificationError)
    return isinstance(
        reason, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    )


def _reason(error: Exception) -> object:
    """Return what urllib3 said first; requests wraps it, and urllib3 once more what it gives up."""
    if isinstance(error, urllib3.exceptions.HTTPError):
        return error
    cause = error.args[0] if error.args else None
    return getattr(cause, "reason", cause)


def read_bounded_body(chunks: Iterable[bytes]) -> bytes:
    """Put together a body of unknown length, as unpacked.

    Raises:
        ProviderMisbehaved: It is larger than the settings allow.
    """
    most_bytes = current_settings().oauth.maximum_answer_bytes
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > most_bytes:
            raise ProviderMisbehaved(f"The provider's answer is larger than {most_bytes} bytes.")
    return bytes(body)


def check_no_redirect(response: requests.Response) -> None:
    """Make sure that an answer is none that leads elsewhere.

    Raises:
        ProviderMisbehaved: It is a redirect.
    """
    if response.is_redirect:
        raise ProviderMisbehaved("The provider answered with a redirect, which is not followed.")


@cache
def shared_adapter() -> GuardedAdapter:
    """Return the adapter of this process: its pools keep the connections to each provider alive."""
    # More would be closed after each use: the number of providers, and of threads that ask one.
    return GuardedAdapter(pool_connections=128, pool_maxsize=128)


def guard_session(session: requests.Session) -> None:
    """Make a session send everything through the shared adapter, and nothing around it.

    Such a session is never closed: that would close everybody's connections.
    """
    session.trust_env = False
    session.headers["User-Agent"] = USER_AGENT
    session.headers["Accept"] = "application/json"
    for scheme in ("http://", "https://"):
        session.mount(scheme, shared_adapter())
