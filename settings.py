"""What may be set: the type, the range and the default of each value, checked on the way in."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, get_origin, get_type_hints

from catfeeder.errors import OperatorError

#: Shorter keys could be guessed; what `make run` writes has 43 characters.
MINIMUM_SECRET_KEY_LENGTH: Final = 32


class ConfigurationError(OperatorError, ValueError):
    """A setting is missing or cannot be used; the message names it and where it stands."""

    message = "A setting is missing or cannot be used; the message names it and where it stands."


def _between(default: int, least: int, most: int) -> Any:
    return field(default=default, metadata={"range": (least, most)})


def _seconds(default: int) -> Any:
    return _between(default, 1, 10 * 365 * 86400)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """`[Server_configuration]`: what the HTTP shim listens to and whom it answers."""

    host: str = "127.0.0.1"
    port: int = _between(5000, 1, 65535)
    cors_origins: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ("127.0.0.1", "localhost")
    gzip_minimum_bytes: int = _between(1024, 0, 2**31)
    drain_seconds: int = _between(10, 0, 3600)
    login_requires_key: bool = False


@dataclass(frozen=True, slots=True)
class DebugSettings:
    """`[Server_configuration.debug_mode]`: what is for developers and tests only."""

    debug: bool = False
    testing: bool = False


@dataclass(frozen=True, slots=True)
class ProcessesSettings:
    """`[Processes]`: how many of each Procfile line are started; 0 passwords is one per core."""

    web: int = _between(1, 1, 64)
    passwords: int = _between(0, 0, 256)
    oauth: int = _between(1, 1, 64)
    scheduler: int = _between(1, 1, 64)


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """`[Database]`: waiting for SQLite's lock, and the size of a process's pool elsewhere."""

    busy_timeout_seconds: int = _seconds(15)
    max_connections: int = _between(20, 1, 1000)


@dataclass(frozen=True, slots=True)
class PasswordsSettings:
    """`[Passwords]`: the bcrypt cost, and the policy for new passwords over HTTP."""

    rounds: int = _between(10, 4, 16)
    policy: bool = True
    minimum_length: int = _between(8, 1, 72)
    refuse_common: bool = True


@dataclass(frozen=True, slots=True)
class CronsSettings:
    """`[Crons]`: intervals in seconds, each with its switch."""

    renew_oath_tokens: bool = True
    renew_oath_tokens_interval: int = _seconds(30)
    clean_verification: bool = True
    clean_verification_interval: int = _seconds(300)
    clean_tokens: bool = True
    clean_tokens_interval: int = _seconds(3600)
    deliver_events: bool = True
    deliver_events_interval: int = _seconds(5)
    clean_events: bool = True
    clean_events_interval: int = _seconds(3600)
    forecast_grants: bool = True
    forecast_grants_interval: int = _seconds(3600)
    reseal: bool = True
    reseal_interval: int = _seconds(30)


@dataclass(frozen=True, slots=True)
class OAuthSettings:
    """`[OAuth]`: sign-in, provider calls and renewal."""

    require_state: bool = True
    state_lifetime_seconds: int = _seconds(600)
    redirect_path_per_provider: bool = False
    return_to_origins: tuple[str, ...] = ()
    connect_timeout_seconds: int = _seconds(5)
    read_timeout_seconds: int = _seconds(10)
    maximum_answer_bytes: int = _between(1_048_576, 1024, 2**30)
    discovery_cache_seconds: int = _seconds(3600)
    lease_seconds: int = _seconds(90)
    renewal_batch: int = _between(50, 1, 1000)
    retry_seconds: int = _seconds(30)
    retry_cap_seconds: int = _seconds(3600)
    dead_connection_retention_days: int = _between(30, 1, 3650)
    webhook_url: str = ""
    events_retention_days: int = _between(90, 1, 3650)
    renewed_events_retention_days: int = _between(7, 1, 3650)


#: Each section of config.toml, the attribute of Settings that holds it, and its type.
_SECTIONS: Final[Mapping[str, tuple[str, type[Any]]]] = {
    "Server_configuration": ("server", ServerSettings),
    "Server_configuration.debug_mode": ("debug", DebugSettings),
    "Processes": ("processes", ProcessesSettings),
    "Database": ("database", DatabaseSettings),
    "Passwords": ("passwords", PasswordsSettings),
    "Crons": ("crons", CronsSettings),
    "OAuth": ("oauth", OAuthSettings),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that is set, from both files and the environment.

    `redis_url` is None when the service is to start a Valkey of its own. Secrets are not printed.
    """

    host: str
    port: int
    var_dir: Path
    redis_url: str | None = field(repr=False)
    database_url: str = field(repr=False)
    redirect_uri: str
    secret_key: str | None = field(repr=False)
    previous_secret_keys: tuple[str, ...] = field(repr=False)
    admin_api_key: str | None = field(repr=False)
    allowed_private_hosts: frozenset[str]
    server: ServerSettings
    debug: DebugSettings
    processes: ProcessesSettings
    database: DatabaseSettings
    passwords: PasswordsSettings
    crons: CronsSettings
    oauth: OAuthSettings

    def required_secret_key(self) -> str:
        """Return SECRET_KEY.

        Raises:
            ConfigurationError: It is not set, or too short to be safe.
        """
        if self.secret_key is None:
            raise ConfigurationError(
                "SECRET_KEY is not set: `make run` writes one to .env, or set it yourself."
            )
        if len(self.secret_key) < MINIMUM_SECRET_KEY_LENGTH:
            raise ConfigurationError(
                f"SECRET_KEY is too short: it needs {MINIMUM_SECRET_KEY_LENGTH} characters."
            )
        return self.secret_key

    def secret_keys(self) -> tuple[str, ...]:
        """Return SECRET_KEY, and behind it those of SECRET_KEY_PREVIOUS.

        Raises:
            ConfigurationError: SECRET_KEY is not set, or too short to be safe.
        """
        return (self.required_secret_key(), *self.previous_secret_keys)

    def required_redis_url(self) -> str:
        """Return REDIS_URL, which the supervisor sets for its processes when nobody else has.

        Raises:
            ConfigurationError: It is not set.
        """
        if self.redis_url is None:
            raise ConfigurationError("REDIS_URL is not set: start by `make run`, or set it.")
        return self.redis_url


def table_of(toml_conf: Any, section: str) -> Any:
    """Return what stands under a section's name, which may be dotted; nothing is an empty table."""
    for name in section.split("."):
        toml_conf = toml_conf.get(name, {}) if isinstance(toml_conf, Mapping) else {}
    return toml_conf


def checked_sections(conf: Mapping[str, Any]) -> dict[str, Any]:
    """Check all of config.toml and return each section under its attribute of Settings.

    Raises:
        ConfigurationError: A name is unknown or a value cannot be used; the message names it.
    """
    for name in conf:
        if name not in _SECTIONS or "." in name:
            raise ConfigurationError(f"config.toml: [{name}] is not a section.")
    sections = {
        attribute: _section(kind, conf, name) for name, (attribute, kind) in _SECTIONS.items()
    }
    if sections["passwords"].rounds < 10 and not sections["debug"].testing:
        raise ConfigurationError(
            "config.toml: [Passwords] rounds must be 10 to 16; fewer are for tests alone."
        )
    _check_lease(sections["oauth"])
    webhook_url = sections["oauth"].webhook_url
    if webhook_url and not re.fullmatch(r"https?://[^\s/].*", webhook_url):
        raise ConfigurationError(
            "config.toml: [OAuth] webhook_url must begin with https:// or http:// and a host."
        )
    return sections


def _check_lease(oauth: OAuthSettings) -> None:
    """Make sure that nobody renews what another is still renewing.

    A whole call takes twice the time of one request at most, however many client secrets are tried.
    """
    whole_call_seconds = 2 * (oauth.connect_timeout_seconds + oauth.read_timeout_seconds)
    if oauth.lease_seconds < 2 * whole_call_seconds:
        raise ConfigurationError(
            f"config.toml: [OAuth] lease_seconds must be at least {2 * whole_call_seconds}, four "
            "times connect_timeout_seconds and read_timeout_seconds together: two would renew the "
            "same connection at once."
        )


def _section(kind: type[Any], conf: Mapping[str, Any], name: str) -> Any:
    table = table_of(conf, name)
    if not isinstance(table, Mapping):
        raise ConfigurationError(f"config.toml: {name} must be a section, [{name}].")
    hints = get_type_hints(kind)
    fields = {item.name: item for item in dataclasses.fields(kind)}
    values = {}
    for key, value in table.items():
        if f"{name}.{key}" in _SECTIONS:
            continue
        if key not in fields:
            raise ConfigurationError(f"config.toml: [{name}] {key} is not a setting.")
        values[key] = _checked(f"config.toml: [{name}] {key}", value, hints[key], fields[key])
    return kind(**values)


def _checked(where: str, value: Any, kind: Any, setting: dataclasses.Field[Any]) -> Any:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = tuple(value)
    # True is an int to isinstance, and an empty host would listen to the whole world.
    if type(value) is not (get_origin(kind) or kind) or (value == "" != setting.default):
        names = {bool: "true or false", int: "a whole number", str: "a string that is not empty"}
        raise ConfigurationError(f"{where} must be {names.get(kind, 'a list of strings')}.")
    least, most = setting.metadata.get("range", (None, None))
    if least is not None and not least <= value <= most:
        raise ConfigurationError(f"{where} must be {least} to {most}.")
    return value
