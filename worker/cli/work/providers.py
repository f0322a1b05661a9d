"""`providers`: their state, settings and pauses, and what is wrong with one."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from actors.providers.config import manual_pause
from actors.providers.config.checks.check import check_provider
from actors.providers.config.configured_presets import add_configured_presets
from actors.providers.config.settings import (
    describe_provider,
    list_providers,
    patch_provider,
    put_provider,
)
from actors.providers.errors import ProviderUnknown
from catfeeder.clock import utc_now
from worker.cli.terminal.output import print_json, print_members, print_rows
from worker.cli.terminal.sentences import say_in_commands
from worker.cli.terminal.session import open_tables, see_app
from worker.errors import ServiceFailure

_HEADS: Final = ("NAME", "APP", "PRESET", "CLIENT ID", "RENEWALS", "PAUSED UNTIL", "REASON")
#: Of the many settings of a provider, those that people look for.
_SHOWN: Final = (
    *("name", "app", "preset", "issuer", "client_id", "has_client_secret", "scopes"),
    *("grant_types", "authorization_endpoint", "token_endpoint", "userinfo_endpoint"),
    *("revocation_endpoint", "created_at", "updated_at"),
)


class SettingInvalid(ServiceFailure):
    """Raised for an argument that is no setting with a value."""

    message = "A setting is written NAME=VALUE, such as client_id=my-app; VALUE may be JSON."


def print_providers(app: str | None, *, as_json: bool) -> int:
    """Print all providers, or those that an app may see, without their secrets."""
    with _open(app):
        found = list_providers()
    if as_json:
        print_json({"items": found})
    else:
        print_rows(_HEADS, map(_to_row, found))
    return 0


def _to_row(provider: Mapping[str, Any]) -> tuple[object, ...]:
    renewals = provider["renewals"]
    return (
        *(provider["name"], provider["app"], provider["preset"], provider["client_id"]),
        *(renewals["state"], renewals["paused_until"], renewals["reason"]),
    )


def print_provider(name: str, app: str | None, *, as_json: bool) -> int:
    """Print a provider, without its secrets.

    Raises:
        ProviderUnknown: There is none.
    """
    with _open(app):
        found = describe_provider(name)
    if as_json:
        print_json(found)
        return 0
    shown = {member: found[member] for member in _SHOWN if found.get(member) is not None}
    print_members({**shown, "renewals": found["renewals"]["state"]})
    return 0


def print_findings(name: str, app: str | None, *, as_json: bool) -> int:
    """Print each finding, with its remedy where it is not well; return 1 when one is not.

    Raises:
        ProviderUnknown: There is no such provider.
        ConfigurationError: The database cannot be used.
    """
    with _open(app):
        report = check_provider(name)
    if as_json:
        print_json(report)
        return 0 if report["is_ok"] else 1
    for finding in report["findings"]:
        mark = "ok  " if finding["is_ok"] else "FAIL"
        print(f"{mark} {finding['check']}: {finding['detail']}")
        if not finding["is_ok"]:
            print(f"     {say_in_commands(finding['remedy'] or '')}")
    return 0 if report["is_ok"] else 1


def pause_provider(name: str, reason: str | None, app: str | None, *, as_json: bool) -> int:
    """Pause the renewals with a provider.

    Raises:
        ProviderUnknown: There is none.
    """
    with _open(app), _unlogged():
        manual_pause.pause_provider(name, reason, utc_now())
    if as_json:
        return print_provider(name, app, as_json=True)
    print(f"Renewals with {name} are paused until `python -m worker providers resume {name}`.")
    return 0


def resume_provider(name: str, app: str | None, *, as_json: bool) -> int:
    """Resume the renewals with a provider.

    Raises:
        ProviderUnknown: There is none.
    """
    with _open(app), _unlogged():
        manual_pause.resume_provider(name, utc_now())
    if as_json:
        return print_provider(name, app, as_json=True)
    print(f"Renewals with {name} go on.")
    return 0


def set_provider(name: str, given: Sequence[str], app: str | None, *, as_json: bool) -> int:
    """Change settings of a provider, or make it; `null` removes one, `-` reads it from stdin.

    Raises:
        SettingInvalid, ProviderInvalid: It cannot be set so.
    """
    settings = dict(map(_parse_setting, given))
    with _open(app):
        try:
            patch_provider(name, settings, utc_now())
        except ProviderUnknown:
            put_provider(name, settings, utc_now())
    if as_json:
        return print_provider(name, app, as_json=True)
    print(f"{name} is set; `python -m worker providers check {name}` looks it over.")
    return 0


def _parse_setting(given: str) -> tuple[str, Any]:
    name, sign, text = given.partition("=")
    if not name or not sign:
        raise SettingInvalid
    if text == "-":
        # A secret on the command line would stand in the list of processes.
        return name, sys.stdin.readline().rstrip("\n")
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text


@contextmanager
def _open(app: str | None) -> Iterator[None]:
    """Open the database, with the presets for which there are credentials, and act for an app."""
    open_tables()
    add_configured_presets(utc_now())
    with see_app(app):
        yield


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keep the service's log of what the command says itself off the terminal."""
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
