"""What can be wrong with the database, said so that an operator knows which setting to look at."""

from __future__ import annotations

from config import ConfigurationError


class DatabaseUnreachable(ConfigurationError):
    """The database cannot be opened: check DATABASE_URL and that its server runs."""


class ForeignSecretKey(ConfigurationError):
    """Stored secrets need another SECRET_KEY: set that one, or add it to SECRET_KEY_PREVIOUS."""


class SecretKeyTooNew(ConfigurationError):
    """No process of the service was started with this SECRET_KEY yet: restart them first."""


class SchemaTooOld(ConfigurationError):
    """The database lacks tables that this version needs: run `python -m worker migrate`."""


def reason_of(error: Exception) -> str:
    """Return what a database or the system says of an error, in one line and without a full stop.

    The client of MySQL gives a number before the sentence.
    """
    said = getattr(error, "strerror", None) or (error.args[-1] if error.args else "")
    return str(said).partition("\n")[0].rstrip(". ") or type(error).__name__
