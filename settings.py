"""Settings: the sections of config.toml as dataclasses, each value with type, default and range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from catfeeder.errors import OperatorError


class ConfigurationError(OperatorError, ValueError):
    """Raised at the start, before anything is opened; its sentence is for the operator."""

    message = "A setting is missing or cannot be used; the message names it and where it stands."


def _number(default: int, minimum: int, maximum: int) -> Any:
    return field(default=default, metadata={"range": (minimum, maximum)})


def _choice(default: str, choices: Iterable[str]) -> Any:
    return field(default=default, metadata={"choices": tuple(choices)})


def _seconds(default: int) -> Any:
    return _number(default, 1, 10 * 365 * 86400)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """`[Server_configuration]`: where the HTTP shim listens, and which requests it answers."""

    host: str = "127.0.0.1"
    port: int = _number(5000, 1, 65535)
    cors_origins: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ("127.0.0.1", "localhost")
    trusted_proxies: tuple[str, ...] = ()
    gzip_minimum_bytes: int = _number(1024, 0, 2**31)
    max_connections: int = _number(1000, 16, 100_000)
    drain_seconds: int = _number(10, 0, 3600)
    login_requires_key: bool = False


@dataclass(frozen=True, slots=True)
class DebugSettings:
    """`[Server_configuration.debug_mode]`: what is for developers and tests only."""

    debug: bool = False
    testing: bool = False


@dataclass(frozen=True, slots=True)
class ProcessesSettings:
    """`[Processes]`: copies of each line of the Procfile; 0 `passwords` is one per core."""

    web: int = _number(1, 1, 64)
    passwords: int = _number(0, 0, 256)
    oauth: int = _number(1, 1, 64)
    scheduler: int = _number(1, 1, 64)


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """`[Database]`: the wait for SQLite's lock, and the pool of a process for other databases."""

    busy_timeout_seconds: int = _seconds(15)
    max_connections: int = _number(20, 1, 1000)


#: What new hashes are made with.
SCHEMES: Final = ("bcrypt", "argon2id")
#: Argon2's parameters by name: KiB of memory, passes, lanes. The five of OWASP's Password Storage
#: Cheat Sheet are as strong as each other; the other two are those of RFC 9106 section 4.
ARGON2_SETS: Final[Mapping[str, tuple[int, int, int]]] = {
    "owasp-46-mib": (47104, 1, 1),
    "owasp-19-mib": (19456, 2, 1),
    "owasp-12-mib": (12288, 3, 1),
    "owasp-9-mib": (9216, 4, 1),
    "owasp-7-mib": (7168, 5, 1),
    "rfc9106-2-gib": (2_097_152, 1, 4),
    "rfc9106-64-mib": (65536, 3, 4),
}


@dataclass(frozen=True, slots=True)
class PasswordsSettings:
    """`[Passwords]`: the scheme of new hashes and its cost, and the policy for new passwords."""

    scheme: str = _choice("bcrypt", SCHEMES)
    rounds: int = _number(10, 4, 16)
    argon2: str = _choice("owasp-19-mib", ARGON2_SETS)
    memory_mib: int = _number(128, 20, 65536)
    accept_digests: tuple[str, ...] = ()
    policy: bool = True
    minimum_length: int = _number(8, 1, 72)
    refuse_common: bool = True
    breach_list: str = ""
    breach_range_url: str = ""
    breach_minimum_count: int = _number(1, 1, 10**9)
    breach_unavailable: str = _choice("accept", ("accept", "refuse"))
    breach_timeout_seconds: int = _number(2, 1, 30)


@dataclass(frozen=True, slots=True)
class CronsSettings:
    """`[Crons]`: intervals in seconds, each with its switch."""

    renew_oath_tokens: bool = True
    renew_oath_tokens_interval: int = _seconds(30)
    poll_devices: bool = True
    poll_devices_interval: int = _seconds(1)
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
    connect_session_seconds: int = _seconds(3600)
    redirect_path_per_provider: bool = True
    return_to_origins: tuple[str, ...] = ()
    connect_timeout_seconds: int = _seconds(5)
    read_timeout_seconds: int = _seconds(10)
    late_answer_seconds: int = _number(300, 0, 86400)
    maximum_answer_bytes: int = _number(1_048_576, 1024, 2**30)
    discovery_cache_seconds: int = _seconds(3600)
    lease_seconds: int = _seconds(90)
    renewal_batch: int = _number(50, 1, 1000)
    retry_seconds: int = _seconds(30)
    retry_cap_seconds: int = _seconds(3600)
    assumed_lifetime_seconds: int = _seconds(3600)
    import_spread_seconds: int = _seconds(21600)
    refused_alone_seconds: int = _seconds(86400)
    dead_connection_retention_days: int = _number(30, 1, 3650)
    webhook_url: str = ""
    events_retention_days: int = _number(90, 1, 3650)
    renewed_events_retention_days: int = _number(7, 1, 3650)


#: Each section of config.toml, the attribute of Settings that holds it, and its type.
SECTIONS: Final[Mapping[str, tuple[str, type[Any]]]] = {
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
    """Every setting, from both files and the environment; its `repr` shows no secret.

    `redis_url` is None when the service is to start a Valkey of its own.
    """

    host: str
    port: int
    var_dir: Path
    log_format: str
    redis_url: str | None = field(repr=False)
    database_url: str = field(repr=False)
    redirect_uri: str
    secret_key: str | None = field(repr=False)
    previous_secret_keys: tuple[str, ...] = field(repr=False)
    admin_api_key: str | None = field(repr=False)
    queue_keys: tuple[str, ...] = field(repr=False)
    password_pepper: str | None = field(repr=False)
    previous_password_peppers: tuple[str, ...] = field(repr=False)
    allowed_private_hosts: frozenset[str]
    ca_bundle: str | None
    ca_file: str | None
    proxy_url: str | None = field(repr=False)
    unproxied_hosts: frozenset[str]
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
            ConfigurationError: It is not set.
        """
        if self.secret_key is None:
            raise ConfigurationError(
                "SECRET_KEY is not set: `make run` writes one to .env, or set it yourself."
            )
        return self.secret_key

    def secret_keys(self) -> tuple[str, ...]:
        """Return SECRET_KEY, and behind it those of SECRET_KEY_PREVIOUS.

        Raises:
            ConfigurationError: SECRET_KEY is not set.
        """
        return (self.required_secret_key(), *self.previous_secret_keys)

    def required_redis_url(self) -> str:
        """Return REDIS_URL, which the supervisor sets for its processes where it is unset.

        Raises:
            ConfigurationError: It is not set.
        """
        if self.redis_url is None:
            raise ConfigurationError("REDIS_URL is not set: start by `make run`, or set it.")
        return self.redis_url
