"""Certificate authorities among the settings: a file or folder without a certificate is refused."""

from __future__ import annotations

import contextlib
import re
import ssl
from collections.abc import Mapping
from pathlib import Path

from addresses import expand_path
from environment import IGNORE_ENV_FILE, optional_variable
from settings import ConfigurationError


def check_authorities(env: Mapping[str, str | None], variable: str, root: Path) -> str | None:
    """Return the path of a file or folder of certificates that are trusted, or None if unset.

    A process that was given all that it needs does not read them again: that takes 30 ms of a core.

    Raises:
        ConfigurationError: It cannot be read, or holds no certificate that OpenSSL would find.
    """
    path = optional_variable(env, variable)
    if path is None:
        return None
    whole = root / expand_path(variable, path)
    if optional_variable(env, IGNORE_ENV_FILE) is not None:
        return str(whole)
    try:
        is_usable = _has_certificate(whole) if whole.is_dir() else _load_certificates(whole)
    except ssl.SSLError:
        raise ConfigurationError(f"{variable} names a file without a certificate in PEM.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"{variable} names a file that cannot be read: {reason}."
        ) from None
    if not is_usable:
        raise ConfigurationError(
            f"{variable} names a folder without a certificate under a name that OpenSSL looks for: "
            "run `openssl rehash` on it, or name one file in PEM."
        )
    return str(whole)


def check_bundle(env: Mapping[str, str | None], root: Path) -> str | None:
    """Return what is trusted in place of the usual authorities, or None if nothing is.

    Raises:
        ConfigurationError: As `check_authorities`.
    """
    requested = check_authorities(env, "REQUESTS_CA_BUNDLE", root)
    return requested or check_authorities(env, "SSL_CERT_FILE", root)


def _has_certificate(folder: Path) -> bool:
    """Return whether OpenSSL finds anything: it looks for names that are hashes, and no others."""
    for file in folder.iterdir():
        if re.fullmatch("[0-9a-f]{8}[.][0-9]+", file.name):
            with contextlib.suppress(OSError):  # ssl.SSLError is one.
                return _load_certificates(file)
    return False


def _load_certificates(file: Path) -> bool:
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
    return True
