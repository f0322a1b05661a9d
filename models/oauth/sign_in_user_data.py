"""User data that a provider sends once alone: kept with its sign-in until a profile has it."""

from __future__ import annotations

from collections.abc import Sequence

from catfeeder.sealing import Secret
from models.oauth.sign_ins import TAB_VERIFICATION, StateStatus
from models.oauth.state_hashes import hash_state


def store_user_data(state: Secret, told_user: Secret) -> None:
    """Store user data that the provider sends once, until a profile has it."""
    key = hash_state(state)
    TAB_VERIFICATION.update(told_user=TAB_VERIFICATION.told_user.seal(key, told_user)).where(
        TAB_VERIFICATION.state_hash == key, TAB_VERIFICATION.status != StateStatus.DONE
    ).execute()


def find_earlier_user_data(
    app: str, provider: str, subject: str | None, browsers: Sequence[Secret]
) -> Secret | None:
    """Return the user data of the latest unfinished sign-in of this subject or browser.

    The app vouches for the subject, and the browser's secrets for the browser.
    """
    table = TAB_VERIFICATION
    is_same = table.browser_hash.in_([hash_state(browser) for browser in browsers])
    if subject:
        is_same |= table.subject == subject
    kept = table.select().where(
        table.app == app, table.provider == provider, table.told_user.is_null(False), is_same
    )
    rows = (row for row in kept.order_by(table.created_at.desc()) if row.is_authentic)
    row = next(rows, None)
    return None if row is None else table.told_user.open(row)
