"""Certificate authorities among the settings: a file or folder without a certificate is refused."""

from __future__ import annotations

import contextlib
import re
import ssl
from collections.abc import Mapping
from pathlib import Path

from addresses import expand_path
from environment import optional_variable
from settings import ConfigurationError


def check_authorities(variable: str, path: str | None, root: Path) -> str | None:
    """Return the path of a file or folder of certificates that are trusted, or None if unset.

    Raises:
        ConfigurationError: It cannot be read, or holds no certificate that OpenSSL would find.
    """
    if path is None:
        return None
    whole = root / expand_path(variable, path)
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
    requested = optional_variable(env, "REQUESTS_CA_BUNDLE")
    if requested is not None:
        return check_authorities("REQUESTS_CA_BUNDLE", requested, root)
    return check_authorities("SSL_CERT_FILE", optional_variable(env, "SSL_CERT_FILE"), root)


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
