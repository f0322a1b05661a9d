"""Password policy after NIST SP 800-63B: new passwords are long, not common, personal or leaked."""

from __future__ import annotations

import functools
import logging
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from actors.passwords.breaches.lists import find_breach
from actors.passwords.errors import (
    BreachListUnavailable,
    PasswordBreached,
    PasswordRefused,
    PasswordTooCommon,
    PasswordTooEasy,
    PasswordTooShort,
    UserInputsInvalid,
)
from catfeeder.queue.requester import DEFAULT_APP, acting_app, app_name
from config import PasswordsSettings

_LOG = logging.getLogger(__name__)
#: The value of `breach_unavailable` with which what cannot be checked is taken.
_ACCEPT: Final = "accept"
#: Fewer guesses than this are within reach of an attack on a login without a limit of attempts,
#: by zxcvbn's scale.
_GUESSABLE: Final = 10**6
#: zxcvbn takes time that grows with the square of the length, and 0.3 seconds for so many.
_ESTIMATED_CHARACTERS: Final = 72
_MAXIMUM_INPUTS: Final = 20
_MAXIMUM_INPUT_LENGTH: Final = 255
#: Shorter pieces of a name or an address are in many passwords by chance.
_PIECE: Final = re.compile(r"[^\W_]{2,}")
#: What may stand beside the words of a password that is as good as those alone.
_LITTLE_CHARACTERS: Final = 6
_LITTLE_LETTERS: Final = 2
#: zxcvbn keeps the inputs of a call in a table that all threads share.
_ESTIMATING: Final = threading.Lock()


def check_policy(
    password: str,
    settings: PasswordsSettings,
    user_inputs: Sequence[str] = (),
    *,
    asks_server: bool = True,
) -> None:
    """Make sure that a new password meets the policy of `[Passwords]`, if it is on.

    `user_inputs` are what an attacker knows of the user: the name, the e-mail address, the product.
    The id and the name of the app that asks count by themselves. Without `asks_server` the range
    server of breach lists is not asked: this process calls no other server, and another will.

    Raises:
        PasswordTooShort: It has too few characters.
        PasswordTooCommon: It is on the list of common ones, in any case.
        PasswordTooEasy: It is easily guessed from these.
        PasswordBreached: It has leaked.
        BreachListUnavailable: That cannot be known, and `breach_unavailable` is `refuse`.
        UserInputsInvalid: They are too many, too long, or not text.
    """
    for refusal in find_refusals(password, settings, user_inputs, asks_server=asks_server):
        if not is_waived(refusal, settings):
            raise refusal
        _LOG.warning("A password was taken unchecked: breach_unavailable is %r.", _ACCEPT)


def is_waived(refusal: PasswordRefused, settings: PasswordsSettings) -> bool:
    """Return whether a password is taken all the same, since a breach list is away."""
    return isinstance(refusal, BreachListUnavailable) and settings.breach_unavailable == _ACCEPT


def find_refusals(
    password: str,
    settings: PasswordsSettings,
    user_inputs: Sequence[str],
    *,
    asks_server: bool,
) -> Iterator[PasswordRefused]:
    """Yield each rule that a password breaks, the quickest to check first.

    Raises:
        UserInputsInvalid: As `check_policy`.
    """
    if user_inputs != ():
        _check_user_inputs(user_inputs)
    if not settings.policy:
        return
    if len(password) < settings.minimum_length:
        yield PasswordTooShort(len(password), settings.minimum_length)
    if settings.refuse_common and password.lower() in load_common_passwords():
        yield PasswordTooCommon()
    if password and _is_personal(password, user_inputs):
        yield PasswordTooEasy()
    try:
        encoded = password.encode(errors="surrogateescape")
        if hit := find_breach(encoded, settings, asks_server=asks_server):
            yield PasswordBreached(hit.count)
    except BreachListUnavailable as error:
        yield error


def _check_user_inputs(user_inputs: Sequence[str]) -> None:
    is_list = isinstance(user_inputs, list | tuple) and len(user_inputs) <= _MAXIMUM_INPUTS
    if not is_list or not all(
        isinstance(item, str) and len(item) <= _MAXIMUM_INPUT_LENGTH for item in user_inputs
    ):
        raise UserInputsInvalid


def _is_personal(password: str, user_inputs: Sequence[str]) -> bool:
    """Return whether a password is made of the inputs, or of what the app that asks is called."""
    names = {acting_app.get(), app_name.get()} - {DEFAULT_APP, None}
    known = [*user_inputs, *filter(None, names)]
    is_given = bool(user_inputs)
    return _has_little_else(password, known) or (is_given and _is_easy(password, user_inputs))


def _is_easy(password: str, user_inputs: Sequence[str]) -> bool:
    """Return whether few guesses made of the inputs and a little more find the password."""
    from zxcvbn import zxcvbn

    words = sorted(_list_all_words(user_inputs))
    with _ESTIMATING:
        found = zxcvbn(password[:_ESTIMATED_CHARACTERS], user_inputs=words)
    is_personal = any(map(_is_of_inputs, found["sequence"]))
    return is_personal and found["guesses"] < _GUESSABLE


def _has_little_else(password: str, known: Sequence[str]) -> bool:
    """Return whether a password is of such words, and but a year, some signs or a letter or two.

    zxcvbn counts 10,000 guesses for each further part of a password, and so takes "Acme2024!".
    """
    rest = password.lower()
    for word in sorted(_list_all_words(known), key=len, reverse=True):
        rest = rest.replace(word, "")
    is_short = len(rest) <= _LITTLE_CHARACTERS and len(rest) < len(password)
    return is_short and sum(map(str.isalpha, rest)) <= _LITTLE_LETTERS


def _list_all_words(texts: Sequence[str]) -> set[str]:
    return {word for text in texts for word in _list_words(text)}


def _list_words(text: str) -> list[str]:
    """Return an input as a whole, an address without its host, and their pieces."""
    lowered = text.lower()
    wholes = [lowered, lowered.partition("@")[0], "".join(lowered.split())]
    words = [*wholes, *_PIECE.findall(lowered)]
    return [word for word in words if len(word) >= (3 if word.isascii() else 2)]


def _is_of_inputs(match: Mapping[str, Any]) -> bool:
    is_word = match.get("dictionary_name") == "user_inputs"
    return is_word or any(map(_is_of_inputs, match.get("base_matches", ())))


@functools.cache
def load_common_passwords() -> frozenset[str]:
    """Return the commonest passwords, in lower case: 30,000 of leaked ones."""
    # Loading the list takes as long as a hash, so a process loads it on first use.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])
