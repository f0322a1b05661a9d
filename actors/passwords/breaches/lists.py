"""Look-up in what `[Passwords]` names: a list on this machine, and a range server."""

from __future__ import annotations

import functools
from pathlib import Path

from actors.passwords.breaches.digests import Hit, hash_password
from actors.passwords.breaches.range_server import RANGE_SERVER, choose_algorithm
from actors.passwords.breaches.watched_list import BreachList, WatchedList
from actors.passwords.errors import BreachListInvalid
from config import ROOT, ConfigurationError, PasswordsSettings


def open_breach_list(settings: PasswordsSettings) -> BreachList | None:
    """Return the list of `breach_list`; None where none is named.

    Raises:
        ConfigurationError: It is missing, unreadable, damaged, or no list.
    """
    return _open(settings.breach_list).get() if settings.breach_list else None


@functools.cache
def _open(name: str) -> WatchedList:
    try:
        return WatchedList(ROOT / Path(name).expanduser())
    except BreachListInvalid as error:
        raise ConfigurationError(f"[Passwords] breach_list: {name} {error.fault}.") from None
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"[Passwords] breach_list: {name} cannot be read: {reason}."
        ) from None


def find_breach(password: bytes, settings: PasswordsSettings, *, asks_server: bool) -> Hit | None:
    """Return what the lists say of a password; with `asks_server`, the range server too.

    A hit of fewer times than `breach_minimum_count` is none.

    Raises:
        BreachListUnavailable: A list cannot be asked.
        ConfigurationError: As `open_breach_list`.
    """
    hit = _find_here(password, settings)
    if hit is None and asks_server and settings.breach_range_url:
        digest = hash_password(password, choose_algorithm(settings.breach_range_url))
        hit = None if digest is None else RANGE_SERVER.find(digest, settings)
    is_seldom = hit is not None and (hit.count or settings.breach_minimum_count) < (
        settings.breach_minimum_count
    )
    return None if is_seldom else hit


def _find_here(password: bytes, settings: PasswordsSettings) -> Hit | None:
    breach_list = open_breach_list(settings)
    if breach_list is None:
        return None
    digest = hash_password(password, breach_list.algorithm)
    return None if digest is None else breach_list.find(digest)
