"""What can be wrong with the database, said so that an operator knows which setting to look at."""

from __future__ import annotations

from catfeeder.errors import OperatorError


class DatabaseUnreachable(OperatorError):
    """The database cannot be opened: check DATABASE_URL and that its server runs."""

    message = "The database cannot be opened: check DATABASE_URL and that its server runs."

    @property
    def code(self) -> str:
        """The code that a caller gets."""
        return "database_unreachable"

    @property
    def public_detail(self) -> str:
        """The sentence that a caller gets, without the server's address."""
        return "The service cannot reach its database at the moment."


class ForeignSecretKey(OperatorError):
    """Stored secrets need another SECRET_KEY: set that one, or add it to SECRET_KEY_PREVIOUS."""

    message = (
        "Stored secrets need another SECRET_KEY: set that one, or add it to SECRET_KEY_PREVIOUS."
    )


class SecretKeyTooNew(OperatorError):
    """No process of the service was started with this SECRET_KEY yet: restart them first."""

    message = "No process of the service was started with this SECRET_KEY yet: restart them first."


class SchemaTooOld(OperatorError):
    """The database lacks tables that this version needs: run `python -m worker migrate`."""

    message = "The database lacks tables that this version needs: run `python -m worker migrate`."


def describe_cause(error: Exception) -> str:
    """Return what a database or the system says of an error, in one line and without a full stop.

    The client of MySQL gives a number before the sentence.
    """
    said = getattr(error, "strerror", None) or (error.args[-1] if error.args else "")
    return str(said).partition("\n")[0].rstrip(". ") or type(error).__name__
