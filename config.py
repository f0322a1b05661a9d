"""Configuration: reads the environment with `.env`, and `config.toml`, once a process."""

from __future__ import annotations

import functools
import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict

from addresses import (
    check_url_path,
    host_in_url,
    is_return_origin,
    reachable_host,
)
from authorities import check_authorities
from deployment import load_place
from environment import (
    IGNORE_ENV_FILE,
    ROOT,
    _get_environement_variable,
    check_named_files,
    find_mention,
    is_secret_variable,
    optional_variable,
    parse_env_file,
    read_text,
)
from file_modes import describe_open_files
from key_strength import MINIMUM_KEY_LENGTH, check_admin_key, check_former_keys, check_secret_key
from public_addresses import (
    find_webhook_problem,
    is_allowed,
    is_never_public,
    is_public,
    literal_addresses,
)
from settings import (
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
    check_webhook_url,
    credential_variable,
    find_table,
    first_difference,
    is_same_table,
    parse_hosts,
    parse_secret_keys,
    parse_sections,
    parse_unproxied_hosts,
    read_leniently,
)

#: The service imports settings from here alone: `addresses`, `authorities`,
#: `deployment`, `environment`, `file_modes`, `key_strength`, `settings` and `validation` belong
#: to this module.
__all__ = [
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
    "describe_open_files",
    "find_mention",
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
]

ENV_FILE: Final = ROOT / ".env"
TOML_FILE: Final = ROOT / "config.toml"


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


def read_environment(env_file: Path = ENV_FILE) -> dict[str, str | None]:
    """Return `.env` overlaid by the environment, which wins; an empty variable counts as unset.

    Raises:
        ConfigurationError: The file is there and cannot be read; the message gives the line.
    """
    is_read = os.path.lexists(env_file) and IGNORE_ENV_FILE not in os.environ
    text = read_text(env_file, ".env") if is_read else ""
    environment = {name: value for name, value in os.environ.items() if value}
    written = parse_env_file(text)
    # A NAME_FILE of the environment wins over a NAME of .env as well.
    kept = {name: value for name, value in written.items() if f"{name}_FILE" not in environment}
    return {**kept, **environment}


def read_toml(toml_file: Path = TOML_FILE) -> dict[str, Any]:
    """Return `config.toml` as nested dicts; all defaults hold where the file is missing.

    Raises:
        ConfigurationError: It cannot be read or is not TOML; the message gives the line.
    """
    if not toml_file.exists():
        return {}
    text = read_text(toml_file, "config.toml")
    try:
        standard = tomllib.loads(text)
    # A number of thousands of digits is a ValueError of int().
    except ValueError as error:
        end = f"at the end, line {text.rstrip().count(chr(10)) + 1}"
        reason = str(error).replace("at end of document", end)
        raise ConfigurationError(f"config.toml is not valid TOML: {reason}.") from None
    lenient = read_leniently(text)
    if not is_same_table(lenient, standard):
        raise ConfigurationError(
            f"config.toml, line {first_difference(text)}: `toml`, the package behind TOML_CONF, "
            "does not read this as the TOML standard has it: write it in a plainer way."
        )
    return dict(lenient)


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
    sections = parse_sections(read_toml() if toml_conf is None else toml_conf)
    private_hosts = parse_hosts(optional_variable(env, "OAUTH_ALLOWED_PRIVATE_HOSTS") or "")
    check_webhook_url(sections["oauth"].webhook_url, private_hosts)
    return Settings(
        **load_place(env, sections["server"], ROOT),
        log_format=check_log_format(optional_variable(env, "LOG_FORMAT") or "text"),
        redis_url=check_url_path("REDIS_URL", optional_variable(env, "REDIS_URL")),
        **_load_keys(env, former_may_be_weak=former_keys_may_be_weak),
        allowed_private_hosts=private_hosts,
        ca_bundle=_check_bundle(env),
        ca_file=check_authorities("OAUTH_CA_FILE", optional_variable(env, "OAUTH_CA_FILE"), ROOT),
        proxy_url=check_proxy_url(optional_variable(env, "OAUTH_PROXY_URL")),
        unproxied_hosts=parse_unproxied_hosts(optional_variable(env, "OAUTH_NO_PROXY") or ""),
        **sections,
    )


def _check_bundle(env: Mapping[str, str | None]) -> str | None:
    requested = optional_variable(env, "REQUESTS_CA_BUNDLE")
    if requested is not None:
        return check_authorities("REQUESTS_CA_BUNDLE", requested, ROOT)
    return check_authorities("SSL_CERT_FILE", optional_variable(env, "SSL_CERT_FILE"), ROOT)


class _Keys(TypedDict):
    """The keys that this process is given."""

    secret_key: str | None
    previous_secret_keys: tuple[str, ...]
    admin_api_key: str | None
    queue_keys: tuple[str, ...]


def _load_keys(env: Mapping[str, str | None], *, former_may_be_weak: bool) -> _Keys:
    former = parse_secret_keys(optional_variable(env, "SECRET_KEY_PREVIOUS") or "")
    return {
        "secret_key": check_secret_key(optional_variable(env, "SECRET_KEY")),
        "previous_secret_keys": check_former_keys(former, may_be_weak=former_may_be_weak),
        "admin_api_key": check_admin_key(optional_variable(env, "ADMIN_API_KEY")),
        "queue_keys": parse_secret_keys(optional_variable(env, "QUEUE_KEYS") or ""),
    }


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
