"""REDIS_URL: parsed and checked at the start, so that a mistake in it is one clear sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis
from redis.connection import parse_url

from catfeeder.errors import QueueUnreachable

_FORMS: Final = (
    "redis://host:6379/0, rediss:// for TLS, unix:///path, or "
    "redis+sentinel://host:26379,host:26379/service/0; special characters in the password are "
    "written as %40 for @, %2F for / and so on"
)
_SENTINEL_PORT: Final = 26379
# An @ behind the host would be the rest of a password, which must stand in no error.
_QUERY: Final = r"(?P<query>\?[^@#]*)?"
_ONE_SERVER: Final = re.compile(
    rf"(rediss?://([^/@?#]*@)?[^/@?#,]*(/[0-9]*)?|unix://[^?#]+){_QUERY}"
)
_SENTINELS: Final = re.compile(
    r"redis(?P<tls>s?)\+sentinel://(?P<login>[^/@?#]*@)?(?P<hosts>[^/@?#]+)"
    rf"/(?P<service>[^/@?#]+)(?P<database>/[0-9]*)?{_QUERY}"
)
_HOST: Final = re.compile(r"(\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\s\[\]:]+))(:(?P<port>[0-9]+))?")
#: Where one of these is missing, it would else look as if the server were away.
_FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


@dataclass(frozen=True, slots=True)
class SentinelAddress:
    """The master called `service`, wherever the sentinels at `hosts` say that it is now."""

    hosts: tuple[tuple[str, int], ...]
    service: str
    #: What connections to the master are made with, and what those to the sentinels.
    options: Mapping[str, Any]
    sentinel_options: Mapping[str, Any]


def read_redis_url(url: str) -> SentinelAddress | None:
    """Check a URL; return the address of its sentinels, or None where it leads to one server.

    `redis+sentinel://user:password@host:26379,host:26379/service/0`, or `rediss+sentinel://` for
    TLS to the sentinels and to the master; user, password and database are the master's, and
    `?sentinel_username=…&sentinel_password=…` the sentinels'.

    Raises:
        QueueUnreachable: It is of no such form, or names a file that is not there.
    """
    with translate_url_errors():
        if (match := _SENTINELS.fullmatch(url)) is not None:
            return _sentinel_address(match)
        if _ONE_SERVER.fullmatch(url) is None:
            raise ValueError
        _check_files(parse_url(url))
    return None


@contextmanager
def translate_url_errors() -> Iterator[None]:
    """Raise `QueueUnreachable` where redis-py cannot use a URL; the sentence quotes none of it."""
    try:
        yield
    except (ValueError, TypeError, redis.RedisError) as error:
        option = re.search(r"(?:argument|value for) '(\w+)'", str(error))
        reason = f"its option {option[1]} is unknown or wrong" if option else f"use {_FORMS}"
        raise QueueUnreachable(f"REDIS_URL is not a URL of a Redis server: {reason}.") from None


def _sentinel_address(match: re.Match[str]) -> SentinelAddress:
    login, query = match["login"] or "", match["query"] or ""
    options = parse_url(f"redis://{login}master{match['database'] or ''}{query}")
    del options["host"]
    own = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    _check_files(options)
    tls = {name: value for name, value in options.items() if name.startswith("ssl_")}
    if match["tls"]:
        options["ssl"] = tls["ssl"] = True
    hosts = tuple(_host(text) for text in match["hosts"].split(","))
    return SentinelAddress(hosts, match["service"], options, {**own, **tls})


def _host(text: str) -> tuple[str, int]:
    parts = _HOST.fullmatch(text)
    if parts is None or not 0 < (port := int(parts["port"] or _SENTINEL_PORT)) < 2**16:
        raise ValueError
    return parts["v6"] or parts["name"], port


def _check_files(options: Mapping[str, Any]) -> None:
    for name in _FILES:
        if name in options and not Path(options[name]).is_file():
            raise QueueUnreachable(f"REDIS_URL: {name} names a file that is not there.")
