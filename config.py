"""Configuration: reads the environment with `.env`, and `config.toml`, once a process."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from addresses import check_url_path, find_url_host, host_in_url, is_return_origin, reachable_host
from authorities import check_authorities, check_bundle
from configuration_files import (
    ENV_FILE,
    TOML_FILE,
    read_environment,
    read_toml,
    uses_postgresql,
)
from deployment import load_place
from env_file import find_mention
from environment import (
    IGNORE_ENV_FILE,
    ROOT,
    _get_environement_variable,
    check_named_files,
    check_setting_names,
    is_secret_variable,
    optional_variable,
    read_text,
)
from file_modes import describe_open_files
from key_strength import (
    MINIMUM_KEY_LENGTH,
    check_admin_key,
    check_former_keys,
    check_pepper,
    check_pepper_alone,
    check_secret_key,
)
from plain_http import describe_plain_addresses, describe_plain_origins, find_redirect_uri_problem
from public_addresses import (
    find_webhook_problem,
    is_allowed,
    is_never_public,
    is_public,
    literal_addresses,
)
from setting_variables import name_setting, read_overrides
from settings import (
    ARGON2_SETS,
    ConfigurationError,
    CronsSettings,
    DatabaseSettings,
    DebugSettings,
    OAuthSettings,
    PasswordsSettings,
    ProcessesSettings,
    ServerSettings,
    Settings,
)
from validation import (
    check_log_format,
    check_proxy_url,
    check_range_url,
    check_webhook_url,
    credential_variable,
    find_table,
    parse_hosts,
    parse_secret_keys,
    parse_sections,
    parse_unproxied_hosts,
)

#: The service imports settings from here alone: `addresses`, `authorities`, `configuration_files`,
#: `deployment`, `environment`, `file_modes`, `key_strength`, `plain_http`, `setting_variables`,
#: `settings` and `validation` belong to this module.
__all__ = [
    "ARGON2_SETS",
    "ENV",
    "ENV_FILE",
    "IGNORE_ENV_FILE",
    "MINIMUM_KEY_LENGTH",
    "ROOT",
    "TOML_CONF",
    "TOML_FILE",
    "ConfigurationError",
    "CronsSettings",
    "DatabaseSettings",
    "DebugSettings",
    "OAuthSettings",
    "PasswordsSettings",
    "ProcessesSettings",
    "ServerSettings",
    "Settings",
    "_get_environement_variable",
    "credential_variable",
    "current_settings",
    "describe_exposures",
    "describe_open_files",
    "describe_plain_origins",
    "describe_plain_urls",
    "find_mention",
    "find_redirect_uri_problem",
    "find_url_host",
    "find_webhook_problem",
    "host_in_url",
    "is_allowed",
    "is_never_public",
    "is_public",
    "is_return_origin",
    "is_secret_variable",
    "literal_addresses",
    "load_settings",
    "named_variables",
    "optional_variable",
    "provider_credential",
    "reachable_host",
    "read_environment",
    "read_text",
    "read_toml",
    "uses_postgresql",
]


def _get_toml_variable(
    toml_conf: Mapping[str, Any], section: str, key: str, default: Any = None
) -> Any:
    """Return a value of a section, whose name may be dotted, or `default` where it is missing."""
    table = find_table(toml_conf, section)
    return table.get(key, default) if isinstance(table, Mapping) else default


def provider_credential(provider: str, part: str) -> str | None:
    """Return `<PROVIDER>_<PART>` of this process's environment, such as GOOGLE_CLIENT_ID."""
    return optional_variable(_of_this_process("ENV"), credential_variable(provider, part))


def named_variables() -> list[str]:
    """Return the names of the variables of this process's environment and of `.env`."""
    return [name for name, value in _of_this_process("ENV").items() if value]


def load_settings(
    environment: Mapping[str, str | None] | None = None,
    toml_conf: Mapping[str, Any] | None = None,
    *,
    former_keys_may_be_weak: bool = False,
) -> Settings:
    """Build the settings from an environment and a TOML table, by default those of this process.

    `former_keys_may_be_weak` is for the commands that replace them.

    Raises:
        ConfigurationError: A setting cannot be used; the message names it and where it stands.
    """
    env = read_environment() if environment is None else environment
    check_named_files(env)
    check_setting_names(env)
    overrides = read_overrides(functools.partial(optional_variable, env))
    sections = parse_sections(read_toml() if toml_conf is None else toml_conf, overrides)
    private_hosts = parse_hosts(optional_variable(env, "OAUTH_ALLOWED_PRIVATE_HOSTS") or "")
    where = name_setting(overrides, "OAuth", "webhook_url")
    check_webhook_url(where, sections["oauth"].webhook_url, private_hosts)
    where = name_setting(overrides, "Passwords", "breach_range_url")
    check_range_url(where, sections["passwords"].breach_range_url, private_hosts)
    return Settings(
        **load_place(env, sections["server"], ROOT),
        log_format=check_log_format(optional_variable(env, "LOG_FORMAT") or "text"),
        redis_url=check_url_path("REDIS_URL", optional_variable(env, "REDIS_URL")),
        **_load_keys(env, former_may_be_weak=former_keys_may_be_weak),
        allowed_private_hosts=private_hosts,
        ca_bundle=check_bundle(env, ROOT),
        ca_file=check_authorities(env, "OAUTH_CA_FILE", ROOT),
        proxy_url=check_proxy_url(optional_variable(env, "OAUTH_PROXY_URL")),
        unproxied_hosts=parse_unproxied_hosts(optional_variable(env, "OAUTH_NO_PROXY") or ""),
        **sections,
    )


def describe_plain_urls(environment: Mapping[str, str | None], settings: Settings) -> list[str]:
    """Return a sentence for each address among the settings at which codes could be read."""
    redirect_uri = optional_variable(environment, "REDIRECT_URI")
    return describe_plain_addresses(redirect_uri, settings.oauth.return_to_origins)


def describe_exposures(environment: Mapping[str, str | None], settings: Settings) -> list[str]:
    """Return a sentence for each file and address by which others get at secrets or codes."""
    files = describe_open_files(ENV_FILE, environment, settings.var_dir)
    return [*files, *describe_plain_urls(environment, settings)]


class _Keys(TypedDict):
    """The keys that this process is given."""

    secret_key: str | None
    previous_secret_keys: tuple[str, ...]
    admin_api_key: str | None
    queue_keys: tuple[str, ...]
    password_pepper: str | None
    previous_password_peppers: tuple[str, ...]


def _load_keys(env: Mapping[str, str | None], *, former_may_be_weak: bool) -> _Keys:
    read = functools.partial(optional_variable, env)
    former = parse_secret_keys(read("SECRET_KEY_PREVIOUS") or "")
    keys: _Keys = {
        "secret_key": check_secret_key(read("SECRET_KEY")),
        "previous_secret_keys": check_former_keys(former, may_be_weak=former_may_be_weak),
        "admin_api_key": check_admin_key(read("ADMIN_API_KEY")),
        "queue_keys": parse_secret_keys(read("QUEUE_KEYS") or ""),
        "password_pepper": check_pepper("PASSWORD_PEPPER", read("PASSWORD_PEPPER")),
        "previous_password_peppers": _load_former_peppers(read("PASSWORD_PEPPER_PREVIOUS") or ""),
    }
    others = (keys["secret_key"], keys["admin_api_key"], *former)
    check_pepper_alone(keys["password_pepper"], others)
    return keys


def _load_former_peppers(text: str) -> tuple[str, ...]:
    peppers = [check_pepper("PASSWORD_PEPPER_PREVIOUS", each) for each in parse_secret_keys(text)]
    return tuple(filter(None, peppers))


if TYPE_CHECKING:
    ENV: Mapping[str, str | None]
    TOML_CONF: Mapping[str, Any]


def __getattr__(name: str) -> Any:
    """Read ENV and TOML_CONF on first use, so that importing this module can never fail."""
    if name == "ENV":
        return globals().setdefault(name, read_environment())
    if name == "TOML_CONF":
        return globals().setdefault(name, read_toml())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _of_this_process(name: str) -> Any:
    """Return ENV or TOML_CONF; within its module a bare name never gets to `__getattr__`."""
    return getattr(sys.modules[__name__], name)


@functools.cache
def current_settings() -> Settings:
    """Return the settings of this process, read once."""
    return load_settings(_of_this_process("ENV"), _of_this_process("TOML_CONF"))
