"""Validation of settings: each value that cannot be used is refused by one sentence."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import ipaddress
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, get_origin, get_type_hints
from urllib.parse import urlsplit

from addresses import check_names, check_origins, check_return_origins, find_url_host
from public_addresses import HTTP_URL, find_webhook_problem
from setting_variables import Overrides, name_setting
from settings import (
    ARGON2_SETS,
    SECTIONS,
    ConfigurationError,
    OAuthSettings,
    PasswordsSettings,
)

_LOG_FORMATS: Final = ("text", "json")
#: What `[Passwords] accept_digests` may name; `actors.passwords.stored.digests` reads them.
_DIGESTS: Final = (
    *("md5", "sha1", "sha256", "sha512", "django_md5", "django_sha1"),
    *("ldap_md5", "ldap_smd5", "ldap_sha", "ldap_sha256", "ldap_sha384", "ldap_sha512"),
)


def find_table(toml_conf: Any, section: str) -> Any:
    """Return the value under a section's name, which may be dotted; a missing one is empty."""
    for name in section.split("."):
        toml_conf = toml_conf.get(name, {}) if isinstance(toml_conf, Mapping) else {}
    return toml_conf


def parse_sections(conf: Mapping[str, Any], overrides: Overrides) -> dict[str, Any]:
    """Check all of config.toml, below `overrides`, and return each section by its attribute.

    Raises:
        ConfigurationError: A name is unknown or a value cannot be used; the message names it.
    """
    for name in conf:
        if name not in SECTIONS or "." in name:
            hint = _suggest(f"[{name}]", [f"[{known}]" for known in SECTIONS])
            hint = "Write it without quotes." if name in SECTIONS else hint
            raise ConfigurationError(f"config.toml: [{name}] is not a section. {hint}")
    sections = {
        attribute: _parse_section(kind, conf, name, overrides)
        for name, (attribute, kind) in SECTIONS.items()
    }
    _check_sections(sections, functools.partial(name_setting, overrides))
    return sections


def _check_sections(sections: Mapping[str, Any], where: Callable[[str, str], str]) -> None:
    server, oauth = sections["server"], sections["oauth"]
    if sections["passwords"].rounds < 10 and not sections["debug"].testing:
        raise ConfigurationError(
            f"{where('Passwords', 'rounds')} must be 10 to 16; fewer are for tests alone."
        )
    _check_passwords(where, sections["passwords"])
    _check_lease(where("OAuth", "lease_seconds"), oauth)
    check_origins(where("Server_configuration", "cors_origins"), server.cors_origins)
    check_return_origins(where("OAuth", "return_to_origins"), oauth.return_to_origins)
    check_names(where("Server_configuration", "trusted_hosts"), server.trusted_hosts)
    _check_proxies(where("Server_configuration", "trusted_proxies"), server.trusted_proxies)


def _parse_section(
    kind: type[Any], conf: Mapping[str, Any], name: str, overrides: Overrides
) -> Any:
    table = find_table(conf, name)
    if not isinstance(table, Mapping):
        raise ConfigurationError(f"config.toml: {name} must be a section, [{name}].")
    hints = get_type_hints(kind)
    fields = {item.name: item for item in dataclasses.fields(kind)}
    values = {}
    for key, value in {**table, **overrides.get(name, {})}.items():
        if f"{name}.{key}" in SECTIONS:
            continue
        if key not in fields:
            raise ConfigurationError(
                f"config.toml: [{name}] {key} is not a setting. {_suggest_setting(key, fields)}"
            )
        where = name_setting(overrides, name, key)
        values[key] = _parse_value(where, value, hints[key], fields[key])
    return kind(**values)


def _suggest_setting(key: str, fields: Collection[str]) -> str:
    """Return the section that has a setting of this name, or the likeliest name of this section."""
    for section, (_, kind) in SECTIONS.items():
        if key in {item.name for item in dataclasses.fields(kind)}:
            return f"It belongs to [{section}]."
    return _suggest(key, fields)


def _suggest(wrong: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(wrong, known, n=1)
    return f"Did you mean {close[0]}?" if close else "docs/configuration.md lists all there are."


def _parse_value(where: str, value: Any, kind: Any, setting: dataclasses.Field[Any]) -> Any:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = tuple(value)
    # True is an int to isinstance, and an empty host would listen at every address.
    if type(value) is not (get_origin(kind) or kind) or (value == "" != setting.default):
        names = {bool: "true or false", int: "a whole number", str: "a string that is not empty"}
        raise ConfigurationError(f"{where} must be {names.get(kind, 'a list of strings')}.")
    minimum, maximum = setting.metadata.get("range", (None, None))
    if minimum is not None and not minimum <= value <= maximum:
        raise ConfigurationError(f"{where} must be {minimum} to {maximum}.")
    if value not in (choices := setting.metadata.get("choices", (value,))):
        raise ConfigurationError(f"{where} must be one of {', '.join(choices)}.")
    return value


def _check_passwords(where: Callable[[str, str], str], passwords: PasswordsSettings) -> None:
    """Refuse Argon2 where no process may take its memory, and names of digests that are none."""
    if unknown := set(passwords.accept_digests) - set(_DIGESTS):
        raise ConfigurationError(
            f"{where('Passwords', 'accept_digests')} may have {', '.join(_DIGESTS)}; "
            f"{', '.join(sorted(map(repr, unknown)))} is none of them."
        )
    memory_mib = -(-ARGON2_SETS[passwords.argon2][0] // 1024)
    if memory_mib > passwords.memory_mib:
        raise ConfigurationError(
            f"{where('Passwords', 'memory_mib')} must be at least {memory_mib}, which one hash of "
            f"{passwords.argon2} takes."
        )


def _check_proxies(where: str, entries: tuple[str, ...]) -> None:
    for entry in entries:
        try:
            if entry != "unix":
                ipaddress.ip_network(entry)
        except ValueError:
            raise ConfigurationError(
                f"{where} must be addresses, networks "
                f'such as "10.0.0.0/8", or "unix", which {entry!r} is not.'
            ) from None


def _check_lease(where: str, oauth: OAuthSettings) -> None:
    """Refuse a lease that could end while its worker still waits for the provider.

    A whole call takes at most twice the time of one request, however many client secrets are tried.
    """
    whole_call_seconds = 2 * (oauth.connect_timeout_seconds + oauth.read_timeout_seconds)
    if oauth.lease_seconds < 2 * whole_call_seconds:
        raise ConfigurationError(
            f"{where} must be at least {2 * whole_call_seconds}, four "
            "times connect_timeout_seconds and read_timeout_seconds together: two would renew the "
            "same connection at once."
        )


def check_webhook_url(where: str, url: str, private_hosts: frozenset[str]) -> None:
    """Refuse a `webhook_url` to which no event would ever be delivered."""
    if url and (problem := find_webhook_problem(url, private_hosts)):
        raise ConfigurationError(f"{where} {problem}.")


def check_range_url(where: str, url: str, private_hosts: frozenset[str]) -> None:
    """Refuse a `breach_range_url` that could never be asked."""
    if url and url.count("{prefix}") != 1:
        raise ConfigurationError(f"{where} must have {{prefix}} where the five digits belong.")
    filled = url.replace("{prefix}", "00000")
    if url and (problem := find_webhook_problem(filled, private_hosts)):
        raise ConfigurationError(f"{where} {problem}.")


def parse_port(text: str | None, default: int) -> int:
    """Return PORT as a number, or `default` where it is unset."""
    if text is None:
        return default
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ConfigurationError("PORT must be a whole number from 1 to 65535.")
    return int(text)


def check_redirect_uri(text: str | None) -> str | None:
    """Return REDIRECT_URI, or None where it is unset."""
    if text is not None and not (
        HTTP_URL.fullmatch(text) and find_url_host(text) and _has_port(text)
    ):
        raise ConfigurationError("REDIRECT_URI must begin with https:// or http:// and a host.")
    return text


def _has_port(url: str) -> bool:
    """Return whether the port of a URL, where it has one, can be used."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def check_log_format(text: str) -> str:
    """Return LOG_FORMAT."""
    if text not in _LOG_FORMATS:
        raise ConfigurationError(f"LOG_FORMAT must be {' or '.join(_LOG_FORMATS)}.")
    return text


def parse_secret_keys(text: str) -> tuple[str, ...]:
    """Return the keys that SECRET_KEY_PREVIOUS lists, in its order."""
    # A key that holds a comma itself can stand on a line of its own, among several.
    parts = text.splitlines() if "\n" in text else text.split(",")
    return tuple(part.strip() for part in parts if part.strip())


def parse_hosts(text: str) -> frozenset[str]:
    """Return the `host:port` entries of OAUTH_ALLOWED_PRIVATE_HOSTS, in lower case."""
    return _parse_hosts("OAUTH_ALLOWED_PRIVATE_HOSTS", text)


def parse_unproxied_hosts(text: str) -> frozenset[str]:
    """Return the `host:port` entries of OAUTH_NO_PROXY, in lower case."""
    return _parse_hosts("OAUTH_NO_PROXY", text)


def _parse_hosts(variable: str, text: str) -> frozenset[str]:
    hosts = frozenset(part.strip().lower() for part in text.split(",") if part.strip())
    for host in sorted(hosts):
        if not re.fullmatch(r"[^\s/@]+:[0-9]{1,5}", host):
            raise ConfigurationError(f"{variable} must list host:port, which {host!r} is not.")
    return hosts


def check_proxy_url(text: str | None) -> str | None:
    """Return OAUTH_PROXY_URL, or None where it is unset; its password is in no message."""
    if text is None:
        return None
    try:
        parts = urlsplit(text)
        is_usable = bool(parts.hostname) and parts.port != 0 and re.fullmatch("[!-~]+", text)
    except ValueError:
        is_usable = False
    if not is_usable or parts.scheme not in ("http", "https") or parts.path not in ("", "/"):
        raise ConfigurationError(
            "OAUTH_PROXY_URL must be http:// or https:// with a host and a port, such as "
            "http://proxy.example.com:3128; a user name and password may stand before the host."
        )
    return text


def credential_variable(provider: str, part: str) -> str:
    """Return the name of the variable of a provider's credential, such as GOOGLE_CLIENT_ID."""
    return f"{provider.upper().replace('-', '_')}_{part}"
