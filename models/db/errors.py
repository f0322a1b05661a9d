"""Errors of the database: each names the setting or command by which an operator ends it."""

from __future__ import annotations

from catfeeder.errors import OperatorError, SealBroken


class DatabaseUnreachable(OperatorError):
    """Raised on opening, and when a connection is refused or lost; asking again later may help."""

    message = "The database cannot be opened: check DATABASE_URL and that its server runs."

    @classmethod
    def because(cls, error: Exception) -> DatabaseUnreachable:
        """Return the error that a failure of the database or the system leads to."""
        return cls(f"The database cannot be used: check DATABASE_URL ({describe_cause(error)}).")

    @property
    def code(self) -> str:
        """The code that a caller gets."""
        return "database_unreachable"

    @property
    def public_detail(self) -> str:
        """The sentence that a caller gets, without the server's address."""
        return "The service cannot reach its database at the moment."


class DatabaseMissing(DatabaseUnreachable):
    """Raised by a command that reads, in place of making a database that nothing is in."""

    message = "There is no database: `make run` or `python -m worker migrate` makes one."

    @classmethod
    def at(cls, path: object) -> DatabaseMissing:
        """Return the error for the path at which there is no file."""
        return cls(
            f"There is no database at {path}: check DATABASE_URL and VAR_DIR. A new one is made by "
            "`make run` or `python -m worker migrate`."
        )


class StoredSecretBroken(SealBroken):
    """Raised for a sealed column that does not open; the sentence says of what, and what helps."""

    message = "A stored secret does not open: check SECRET_KEY and SECRET_KEY_PREVIOUS."
    is_foreseen = True

    @classmethod
    def of(cls, column: str, owner: str, remedy: str) -> StoredSecretBroken:
        """Return the error for a column of `owner`, such as a connection by its id."""
        return cls(
            f"The stored {column} of {owner} does not open. Check that SECRET_KEY, or one of "
            f"SECRET_KEY_PREVIOUS, is the one that sealed it; if so, it was damaged: {remedy}."
        )


class ForeignSecretKey(OperatorError):
    """Raised at start, before this process seals anything that the others could not open."""

    message = (
        "Stored secrets need another SECRET_KEY: set that one, or add it to SECRET_KEY_PREVIOUS."
    )


class SecretKeyTooNew(OperatorError):
    """Raised when all is to be sealed with a key that the running service does not hold."""

    message = "No process of the service was started with this SECRET_KEY yet: restart them first."


class SchemaTooOld(OperatorError):
    """Raised at start when a migration of this version is missing."""

    message = "The database lacks tables that this version needs: run `python -m worker migrate`."


class BackupInvalid(OperatorError):
    """Raised for a file that cannot be restored; the database is as it was."""

    message = "The file is no backup of this service, or it is damaged: nothing is restored."


class DatabaseInUse(OperatorError):
    """Raised by a restore that would erase what the service has stored."""

    message = (
        "The database of DATABASE_URL is in use, and a restore would erase it: name an empty one."
    )


def describe_cause(error: Exception) -> str:
    """Return the reason that a database or the system gives, in one line without a full stop.

    The client of MySQL puts a number before its sentence.
    """
    reason = getattr(error, "strerror", None) or (error.args[-1] if error.args else "")
    return str(reason).partition("\n")[0].rstrip(". ") or "it gave no reason"
