"""What is set: the environment with `.env`, and `config.toml`, read once, checked, and typed."""

from __future__ import annotations

import functools
import io
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import dotenv
import toml

from settings import (
    MINIMUM_SECRET_KEY_LENGTH,
    ConfigurationError,
    CronsSettings,
    DatabaseSettings,
    DebugSettings,
    OAuthSettings,
    PasswordsSettings,
    ProcessesSettings,
    ServerSettings,
    Settings,
    checked_sections,
    table_of,
)

#: Whatever is set is imported from here; `settings` is the other half of this module.
__all__ = [
    "ENV",
    "ENV_FILE",
    "MINIMUM_SECRET_KEY_LENGTH",
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
    "current_settings",
    "load_settings",
    "optional_variable",
    "provider_credential",
    "read_environment",
    "read_toml",
]

ROOT: Final = Path(__file__).resolve().parent
ENV_FILE: Final = ROOT / ".env"
TOML_FILE: Final = ROOT / "config.toml"


def _get_environement_variable(environement: Mapping[str, str | None], variable_name: str) -> str:
    """Return a variable of the environment; `<NAME>_FILE` names a file to read it from instead.

    Raises:
        ValueError: The variable is missing or empty; the message names it.
    """
    if value := environement.get(variable_name):
        return value
    path = environement.get(f"{variable_name}_FILE")
    if not path:
        raise ConfigurationError(
            f"The variable {variable_name} is missing from the environment and from .env."
        )
    if value := _read_text(Path(path), f"{variable_name}_FILE names a file that").strip():
        return value
    raise ConfigurationError(f"{variable_name}_FILE names a file that is empty.")


def _get_toml_variable(
    toml_conf: Mapping[str, Any], section: str, key: str, default: Any = None
) -> Any:
    """Return a value of a section, whose name may be dotted, or `default` where it is missing."""
    table = table_of(toml_conf, section)
    return table.get(key, default) if isinstance(table, Mapping) else default


def optional_variable(environment: Mapping[str, str | None], name: str) -> str | None:
    """Return a variable, or None where it is missing or empty."""
    if environment.get(name) or environment.get(f"{name}_FILE"):
        return _get_environement_variable(environment, name)
    return None


def provider_credential(provider: str, part: str) -> str | None:
    """Return `<PROVIDER>_<PART>` of this process's environment, such as GOOGLE_CLIENT_ID."""
    prefix = provider.upper().replace("-", "_")
    return optional_variable(_LAZY["ENV"](), f"{prefix}_{part}")


def read_environment(env_file: Path = ENV_FILE) -> dict[str, str | None]:
    """Return `.env` overlaid by the environment, which wins; an empty variable counts as unset.

    Raises:
        ConfigurationError: The file is there and cannot be read.
    """
    text = _read_text(env_file, ".env") if env_file.exists() else ""
    environment = {name: value for name, value in os.environ.items() if value}
    written = dotenv.dotenv_values(stream=io.StringIO(text), interpolate=False)
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
    try:
        return toml.loads(_read_text(toml_file, "config.toml"))
    # The parser of `toml` stumbles over some lines, such as ".=", instead of refusing them.
    except (toml.TomlDecodeError, IndexError) as error:
        raise ConfigurationError(f"config.toml is not valid TOML: {error}.") from None


def _read_text(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{what} is not text in UTF-8.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"{what} cannot be read: {reason}.") from None


def load_settings(
    environment: Mapping[str, str | None] | None = None, toml_conf: Mapping[str, Any] | None = None
) -> Settings:
    """Build the settings from an environment and a TOML table, by default those of this process.

    Raises:
        ConfigurationError: A setting cannot be used; the message names it and where it stands.
    """
    env = read_environment() if environment is None else environment
    sections = checked_sections(read_toml() if toml_conf is None else toml_conf)
    private_hosts = _hosts(optional_variable(env, "OAUTH_ALLOWED_PRIVATE_HOSTS") or "")
    _check_webhook(sections["oauth"].webhook_url, private_hosts)
    host = optional_variable(env, "HOST") or sections["server"].host
    port = _port(optional_variable(env, "PORT"), sections["server"].port)
    var_dir = ROOT / (optional_variable(env, "VAR_DIR") or "var")
    return Settings(
        host=host,
        port=port,
        var_dir=var_dir,
        redis_url=optional_variable(env, "REDIS_URL"),
        database_url=optional_variable(env, "DATABASE_URL")
        or f"sqlite:///{quote(str(var_dir / 'catfeeder.sqlite3'))}",
        redirect_uri=_redirect_uri(optional_variable(env, "REDIRECT_URI"))
        or f"http://{host}:{port}/v1/oauth/callback",
        secret_key=optional_variable(env, "SECRET_KEY"),
        previous_secret_keys=_secret_keys(optional_variable(env, "SECRET_KEY_PREVIOUS") or ""),
        admin_api_key=optional_variable(env, "ADMIN_API_KEY"),
        allowed_private_hosts=private_hosts,
        **sections,
    )


def _port(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ConfigurationError("PORT must be a whole number from 1 to 65535.")
    return int(text)


def _redirect_uri(text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"https?://[^\s/].*", text):
        raise ConfigurationError("REDIRECT_URI must begin with https:// or http:// and a host.")
    return text


def _secret_keys(text: str) -> tuple[str, ...]:
    # A key that holds a comma itself can stand on a line of its own, among several.
    parts = text.splitlines() if "\n" in text else text.split(",")
    keys = tuple(part.strip() for part in parts if part.strip())
    if any(len(key) < MINIMUM_SECRET_KEY_LENGTH for key in keys):
        raise ConfigurationError(
            "SECRET_KEY_PREVIOUS must list former values of SECRET_KEY, with commas between them "
            f"or one a line, each of {MINIMUM_SECRET_KEY_LENGTH} characters or more."
        )
    return keys


def _hosts(text: str) -> frozenset[str]:
    hosts = frozenset(part.strip().lower() for part in text.split(",") if part.strip())
    for host in sorted(hosts):
        if not re.fullmatch(r"[^\s/@]+:[0-9]{1,5}", host):
            raise ConfigurationError(
                f"OAUTH_ALLOWED_PRIVATE_HOSTS must list host:port, which {host!r} is not."
            )
    return hosts


def _check_webhook(url: str, private_hosts: frozenset[str]) -> None:
    """Refuse an address that nothing would ever be delivered to."""
    try:
        parts = urlsplit(url)
        host = f"{parts.hostname}:{parts.port or 80}"
    except ValueError:
        raise ConfigurationError("config.toml: [OAuth] webhook_url is not a URL.") from None
    if parts.scheme == "http" and host not in private_hosts:
        raise ConfigurationError(
            "config.toml: [OAuth] webhook_url must begin with https://, unless its host:port "
            "stands in OAUTH_ALLOWED_PRIVATE_HOSTS."
        )


if TYPE_CHECKING:
    ENV: Mapping[str, str | None]
    TOML_CONF: Mapping[str, Any]

_LAZY: Final[Mapping[str, Any]] = {
    "ENV": functools.cache(read_environment),
    "TOML_CONF": functools.cache(read_toml),
}


def __getattr__(name: str) -> Any:
    """Read ENV and TOML_CONF on first use, so that importing this module can never fail."""
    if name in _LAZY:
        return _LAZY[name]()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@functools.cache
def current_settings() -> Settings:
    """Return the settings of this process, read once."""
    return load_settings(_LAZY["ENV"](), _LAZY["TOML_CONF"]())
