"""The errors of imports: a grant that cannot work, or whose account has another one."""

from __future__ import annotations

from actors.errors import AuthError
from catfeeder.errors import OperatorError


class ImportInvalid(AuthError):
    """Raised for a grant that could never be used or renewed."""

    message = "This grant cannot be imported."


class ConnectionExists(AuthError):
    """Raised for a grant of an account that is connected by another one, which works."""

    message = (
        "The account is connected already, by another grant that works; `replace` takes this one "
        "in its place."
    )


class AccountDiffers(AuthError):
    """Raised for a grant that its provider says is another account's than the import states."""

    message = (
        "The provider says that these tokens are another account's than the one that the import "
        "names; check the mapping, and delete the connection."
    )


class ImportFileInvalid(OperatorError):
    """Raised for a file that cannot be imported at all, or flags that do not fit it."""

    message = "The file cannot be imported."


class AgeUnavailable(OperatorError):
    """Raised where pyrage, which encrypts exports, is not installed."""

    message = "Exports need the package pyrage: pip install pyrage."
