"""Causes of failed requests, in words: what an error of the libraries means for an operator."""

from __future__ import annotations

import errno
import http.client
import ssl
from collections.abc import Iterator
from typing import Final

import urllib3

from config import current_settings

_BY_NUMBER: Final = {
    errno.ECONNREFUSED: "the connection was refused",
    errno.ECONNRESET: "the connection was closed before an answer",
    errno.EPIPE: "the connection was closed before an answer",
    errno.EHOSTUNREACH: "there is no route to it",
    errno.ENETUNREACH: "there is no route to it",
    errno.ENETDOWN: "there is no route to it",
    errno.EACCES: "this machine does not allow the connection",
    errno.EPERM: "this machine does not allow the connection",
    errno.EMFILE: "this process has no file descriptors left",
    errno.ENFILE: "this machine has no file descriptors left",
    errno.EADDRNOTAVAIL: "this machine has no ports left",
}
_BY_KIND: Final[dict[type[BaseException], str]] = {
    urllib3.exceptions.NameResolutionError: "its name has no address",
    urllib3.exceptions.NewConnectionError: "no connection could be made",
    http.client.RemoteDisconnected: "the connection was closed before an answer",
    http.client.IncompleteRead: "the answer broke off",
    http.client.HTTPException: "what came is not an answer of HTTP",
}
#: X.509 errors of OpenSSL for a certificate by an authority that is not trusted here.
_UNKNOWN_AUTHORITY: Final = (2, 18, 19, 20, 21)


def describe_cause(error: BaseException) -> str:
    """Return why a request failed: a clause without a word of the request."""
    chain = list(_chain(error))
    known = _tls_clause(chain) or _system_clause(chain) or _timeout_clause(chain)
    kinds = (kind for kind in _BY_KIND if _has(chain, kind))
    return known or next((_BY_KIND[kind] for kind in kinds), "the connection failed")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it wraps: as a reason, as an argument or as its cause."""
    seen: set[int] = set()
    open_ = [error]
    while open_:
        one = open_.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = (getattr(one, "reason", None), getattr(one, "original_error", None))
        linked = (*inner, *one.args, one.__cause__, one.__context__)
        open_ += [other for other in reversed(linked) if isinstance(other, BaseException)]


def _has(chain: list[BaseException], *kinds: type[BaseException]) -> bool:
    return any(isinstance(one, kinds) for one in chain)


def _tls_clause(chain: list[BaseException]) -> str | None:
    error = next((one for one in chain if isinstance(one, ssl.SSLError)), None)
    if isinstance(error, ssl.SSLCertVerificationError):
        told = f"its certificate is not accepted ({error.verify_message.rstrip('.')})"
        if error.verify_code in _UNKNOWN_AUTHORITY:
            return f"{told}; name a private authority in OAUTH_CA_FILE"
        return told
    if error is None:
        return "TLS failed" if _has(chain, urllib3.exceptions.SSLError) else None
    reason = (error.reason or "").replace("_", " ").casefold()
    return f"TLS failed ({reason})" if reason else "TLS failed"


def _timeout_clause(chain: list[BaseException]) -> str | None:
    limits = current_settings().oauth
    if _has(chain, urllib3.exceptions.NewConnectionError):
        return None
    if _has(chain, urllib3.exceptions.ConnectTimeoutError):
        return f"no connection was made within {limits.connect_timeout_seconds} s"
    if _has(chain, TimeoutError, urllib3.exceptions.ReadTimeoutError):
        return f"nothing came within {limits.read_timeout_seconds} s"
    return None


def _system_clause(chain: list[BaseException]) -> str | None:
    numbers = (one.errno for one in chain if isinstance(one, OSError))
    return next((_BY_NUMBER[number] for number in numbers if number in _BY_NUMBER), None)
