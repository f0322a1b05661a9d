"""What is set: the environment with `.env`, and `config.toml`, read once, checked, and typed."""

from __future__ import annotations

import dataclasses
import functools
import os
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args, get_type_hints
from urllib.parse import quote

import dotenv
import toml

ROOT: Final = Path(__file__).resolve().parent
ENV_FILE: Final = ROOT / ".env"
TOML_FILE: Final = ROOT / "config.toml"

#: Shorter keys could be guessed; what `make run` writes has 43 characters.
MINIMUM_SECRET_KEY_LENGTH: Final = 32


class ConfigurationError(ValueError):
    """A setting is missing or cannot be used; the message names it and where it stands."""


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
    control: int = _between(1, 1, 64)
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


@dataclass(frozen=True, slots=True)
class OAuthSettings:
    """`[OAuth]`: sign-in, provider calls and renewal."""

    require_state: bool = True
    state_lifetime_seconds: int = _seconds(600)
    return_to_origins: tuple[str, ...] = ()
    connect_timeout_seconds: int = _seconds(5)
    read_timeout_seconds: int = _seconds(10)
    maximum_answer_bytes: int = _between(1_048_576, 1024, 2**30)
    discovery_cache_seconds: int = _seconds(3600)
    lease_seconds: int = _seconds(60)
    renewal_batch: int = _between(50, 1, 1000)
    retry_seconds: int = _seconds(30)
    retry_cap_seconds: int = _seconds(3600)
    dead_connection_retention_days: int = _between(30, 1, 3650)


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

    def required_redis_url(self) -> str:
        """Return REDIS_URL, which the supervisor sets for its processes when nobody else has.

        Raises:
            ConfigurationError: It is not set.
        """
        if self.redis_url is None:
            raise ConfigurationError("REDIS_URL is not set: start by `make run`, or set it.")
        return self.redis_url


def _get_environement_variable(environement: Mapping[str, str | None], variable_name: str) -> str:
    """Return a variable of the environment; `<NAME>_FILE` names a file to read it from instead.

    Raises:
        ValueError: The variable is missing; the message names it.
    """
    value = environement.get(variable_name)
    if value is not None:
        return value
    path = environement.get(f"{variable_name}_FILE")
    if path is None:
        raise ConfigurationError(
            f"The variable {variable_name} is missing from the environment and from .env."
        )
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(
            f"{variable_name}_FILE names a file that cannot be read: {error.strerror}."
        ) from None


def _get_toml_variable(
    toml_conf: Mapping[str, Any], section: str, key: str, default: Any = None
) -> Any:
    """Return a value of a section, whose name may be dotted, or `default` where it is missing."""
    table: Any = toml_conf
    for name in section.split("."):
        table = table.get(name) if isinstance(table, Mapping) else None
    return table.get(key, default) if isinstance(table, Mapping) else default


def optional_variable(environment: Mapping[str, str | None], name: str) -> str | None:
    """Return a variable, or None where it is missing or empty."""
    if not environment.get(name) and f"{name}_FILE" not in environment:
        return None
    return _get_environement_variable({**environment, name: environment.get(name) or None}, name)


def read_environment(env_file: Path = ENV_FILE) -> dict[str, str | None]:
    """Return `.env` overlaid by the environment, which wins; an empty variable counts as unset."""
    written = dotenv.dotenv_values(env_file, interpolate=False)
    return {**written, **{name: value for name, value in os.environ.items() if value}}


def read_toml(toml_file: Path = TOML_FILE) -> dict[str, Any]:
    """Return `config.toml` as nested dicts; all defaults hold where the file is missing.

    Raises:
        ConfigurationError: The file is not TOML; the message gives the line.
    """
    try:
        return toml.loads(toml_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (toml.TomlDecodeError, UnicodeDecodeError, IndexError) as error:
        raise ConfigurationError(f"{toml_file.name} is not valid TOML: {error}.") from None


def load_settings(
    environment: Mapping[str, str | None] | None = None, toml_conf: Mapping[str, Any] | None = None
) -> Settings:
    """Build the settings from an environment and a TOML table, by default those of this process.

    Raises:
        ConfigurationError: A setting cannot be used; the message names it and where it stands.
    """
    env = read_environment() if environment is None else environment
    conf = read_toml() if toml_conf is None else toml_conf
    server = _section(ServerSettings, conf, "Server_configuration", ignore={"debug_mode"})
    debug = _section(DebugSettings, conf, "Server_configuration.debug_mode")
    passwords = _section(PasswordsSettings, conf, "Passwords")
    if passwords.rounds < 10 and not debug.testing:
        raise ConfigurationError(
            "config.toml: [Passwords] rounds must be 10 to 16; fewer are for tests alone."
        )
    host = optional_variable(env, "HOST") or server.host
    port = _port(optional_variable(env, "PORT"), server.port)
    var_dir = ROOT / (optional_variable(env, "VAR_DIR") or "var")
    return Settings(
        host=host,
        port=port,
        var_dir=var_dir,
        redis_url=optional_variable(env, "REDIS_URL"),
        database_url=optional_variable(env, "DATABASE_URL")
        or f"sqlite:///{quote(str(var_dir / 'catfeeder.sqlite3'))}",
        redirect_uri=optional_variable(env, "REDIRECT_URI")
        or f"http://{host}:{port}/v1/oauth/callback",
        secret_key=optional_variable(env, "SECRET_KEY"),
        admin_api_key=optional_variable(env, "ADMIN_API_KEY"),
        allowed_private_hosts=_hosts(optional_variable(env, "OAUTH_ALLOWED_PRIVATE_HOSTS") or ""),
        server=server,
        debug=debug,
        processes=_section(ProcessesSettings, conf, "Processes"),
        database=_section(DatabaseSettings, conf, "Database"),
        passwords=passwords,
        crons=_section(CronsSettings, conf, "Crons"),
        oauth=_section(OAuthSettings, conf, "OAuth"),
    )


def _port(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise ConfigurationError("PORT must be a whole number from 1 to 65535.")
    return int(text)


def _hosts(text: str) -> frozenset[str]:
    hosts = frozenset(part.strip().lower() for part in text.split(",") if part.strip())
    for host in hosts:
        if not host.rpartition(":")[0] or not host.rpartition(":")[2].isdecimal():
            raise ConfigurationError(
                f"OAUTH_ALLOWED_PRIVATE_HOSTS must list host:port, which {host!r} is not."
            )
    return hosts


T = TypeVar("T")


def _section(
    kind: Callable[..., T],
    conf: Mapping[str, Any],
    name: str,
    ignore: frozenset[str] | set[str] = frozenset(),
) -> T:
    """Check one section of config.toml against its dataclass."""
    parent, _, leaf = name.rpartition(".")
    table = _get_toml_variable(conf, parent, leaf, {}) if parent else conf.get(name, {})
    if not isinstance(table, Mapping):
        raise ConfigurationError(f"config.toml: {name} must be a section, [{name}].")
    fields = {item.name: item for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = get_type_hints(kind)
    values = {}
    for key in table.keys() - ignore:
        if key not in fields:
            raise ConfigurationError(f"config.toml: [{name}] {key} is not a setting.")
        values[key] = _value(f"config.toml: [{name}] {key}", table[key], hints[key])
        _check_range(f"config.toml: [{name}] {key}", values[key], fields[key].metadata)
    return kind(**values)


def _value(where: str, value: Any, kind: Any) -> Any:
    if get_args(kind):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ConfigurationError(f"{where} must be a list of strings.")
        return tuple(value)
    if type(value) is not kind:
        names = {bool: "true or false", int: "a whole number", str: "a string"}
        raise ConfigurationError(f"{where} must be {names[kind]}.")
    return value


def _check_range(where: str, value: Any, metadata: Mapping[str, Any]) -> None:
    least, most = metadata.get("range", (None, None))
    if least is not None and not least <= value <= most:
        raise ConfigurationError(f"{where} must be {least} to {most}.")


if TYPE_CHECKING:
    ENV: Mapping[str, str | None]
    TOML_CONF: Mapping[str, Any]

_LAZY: Final = types.MappingProxyType(
    {"ENV": functools.cache(read_environment), "TOML_CONF": functools.cache(read_toml)}
)


def __getattr__(name: str) -> Any:
    """Read ENV and TOML_CONF on first use, so that importing this module can never fail."""
    if name in _LAZY:
        return _LAZY[name]()
    raise AttributeError(name)


@functools.cache
def current_settings() -> Settings:
    """Return the settings of this process, read once."""
    return load_settings(_LAZY["ENV"](), _LAZY["TOML_CONF"]())
