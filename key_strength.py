"""Key strength: refuses secrets that an attacker would guess early, by their length and variety.

Variety is counted as a compressor would see it (LZ77): each character counts one, and so does a
whole repeat, a run of the alphabet or the keyboard, and a word that examples of keys are made of.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from settings import ConfigurationError

#: Shorter keys could be guessed; what `make run` writes has 43 characters.
MINIMUM_KEY_LENGTH: Final = 32
#: 32 random hexadecimal digits have some 30 parts, a sentence of that length more than 20.
_MINIMUM_PARTS: Final = 20
_MINIMUM_CHARACTERS: Final = 6
#: Shorter repeats are in every random key.
_SHORTEST_PART: Final = 3
#: The rest of a longer key cannot make it weak.
_READ_CHARACTERS: Final = 512
_SEQUENCES: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "azertyuiop",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
)
#: What stands where a key is to be put in, and the passwords that are tried first.
_WORDS: Final = (
    *("admin", "api", "auth", "change", "changeme", "changeit", "characters", "chars", "default"),
    *("demo", "dev", "development", "dummy", "enter", "example", "foobar", "generate", "here"),
    *("hunter2", "iloveyou", "insecure", "insert", "key", "least", "letmein", "long", "master"),
    *("monkey", "must", "passphrase", "passw0rd", "password", "placeholder", "please", "prod"),
    *("production", "random", "replace", "replaceme", "root", "s3cret", "safe", "sample", "secret"),
    *("secure", "set", "some", "something", "string", "super", "test", "testing", "this", "todo"),
    *("token", "unsafe", "user", "value", "very", "welcome", "with", "your"),
)
_PHRASES: Final = (*_SEQUENCES, *(text[::-1] for text in _SEQUENCES))
_COMMAND: Final = 'Make one by `python3 -c "import secrets; print(secrets.token_urlsafe(32))"`'
_REMEDIES: Final = {
    "SECRET_KEY": f"{_COMMAND}; docs/operations.md says how to change the key of a database.",
    "ADMIN_API_KEY": f"{_COMMAND}.",
    "PASSWORD_PEPPER": f"{_COMMAND}.",
    "PASSWORD_PEPPER_PREVIOUS": "It lists former values of PASSWORD_PEPPER, with commas between "
    "them or one a line.",
}
_FORMER: Final = (
    "SECRET_KEY_PREVIOUS lists a key of too little variety, by which others could seal what opens "
    "here. Stop the service, run `python -m worker migrate` and `python -m worker reseal`, which "
    "alone still take it, and then drop it; jobs of the last hour are lost."
)


def check_secret_key(text: str | None) -> str | None:
    """Return SECRET_KEY, or None where it is unset.

    Raises:
        ConfigurationError: It could be guessed; the sentence shows nothing of it.
    """
    return _check("SECRET_KEY", text)


def check_admin_key(text: str | None) -> str | None:
    """Return ADMIN_API_KEY, or None where it is unset.

    Raises:
        ConfigurationError: No header carries it, or it could be guessed.
    """
    if text is not None and not (text.isascii() and text.isprintable() and " " not in text):
        raise ConfigurationError(
            "ADMIN_API_KEY can be sent by no client: it must be of ASCII, without spaces."
        )
    return _check("ADMIN_API_KEY", text)


def check_pepper(name: str, text: str | None) -> str | None:
    """Return PASSWORD_PEPPER, or one that PASSWORD_PEPPER_PREVIOUS lists; None where it is unset.

    Raises:
        ConfigurationError: It could be guessed, or no list could hold it.
    """
    if text is not None and not (text.isascii() and text.isprintable() and not set(text) & {*" ,"}):
        raise ConfigurationError(
            f"{name} must be of ASCII, without spaces and commas. {_REMEDIES[name]}"
        )
    return _check(name, text)


def check_pepper_alone(pepper: str | None, others: Collection[str | None]) -> None:
    """Refuse a PASSWORD_PEPPER that is another key as well, which its processes are not to have.

    Raises:
        ConfigurationError: It is SECRET_KEY, one of before, or ADMIN_API_KEY.
    """
    if pepper is not None and pepper in others:
        raise ConfigurationError(
            "PASSWORD_PEPPER is SECRET_KEY or ADMIN_API_KEY as well, and must be a key of its own. "
            f"{_REMEDIES['PASSWORD_PEPPER']}"
        )


def check_former_keys(keys: tuple[str, ...], *, may_be_weak: bool) -> tuple[str, ...]:
    """Return the keys of SECRET_KEY_PREVIOUS: what they open is as safe as they are.

    Raises:
        ConfigurationError: One could be guessed; only its length counts where it `may_be_weak`.
    """
    if any(len(key) < MINIMUM_KEY_LENGTH for key in keys):
        raise ConfigurationError(
            "SECRET_KEY_PREVIOUS must list former values of SECRET_KEY, with commas between them "
            f"or one a line, each of {MINIMUM_KEY_LENGTH} characters or more."
        )
    if not may_be_weak and not all(map(_has_variety, keys)):
        raise ConfigurationError(_FORMER)
    return keys


def _check(name: str, text: str | None) -> str | None:
    if text is None:
        return None
    if len(text) < MINIMUM_KEY_LENGTH:
        raise ConfigurationError(
            f"{name} is too short: it needs {MINIMUM_KEY_LENGTH} characters. {_REMEDIES[name]}"
        )
    if not _has_variety(text):
        raise ConfigurationError(
            f"{name} has too little variety: what repeats itself, counts up or is made of "
            f"the words of examples is guessed early. {_REMEDIES[name]}"
        )
    return text


def _has_variety(text: str) -> bool:
    text = text[:_READ_CHARACTERS].lower()
    return len(set(text)) >= _MINIMUM_CHARACTERS and _count_parts(text) >= _MINIMUM_PARTS


def _count_parts(text: str) -> int:
    """Return in how many parts the text can be told, up to as many as a key needs."""
    at = parts = 0
    while at < len(text) and parts < _MINIMUM_PARTS:
        at += max(1, _match_word(text, at), _match_earlier(text, at), _match_phrase(text, at))
        parts += 1
    return parts


def _match_word(text: str, at: int) -> int:
    return max((len(word) for word in _WORDS if text.startswith(word, at)), default=0)


def _match_earlier(text: str, at: int) -> int:
    """Return how much of what begins here has begun earlier, and may have gone on until here."""
    length = _SHORTEST_PART
    while at + length <= len(text) and text.find(text[at : at + length], 0, at + length - 1) >= 0:
        length += 1
    return length - 1 if length > _SHORTEST_PART else 0


def _match_phrase(text: str, at: int) -> int:
    length = _SHORTEST_PART
    while at + length <= len(text) and any(text[at : at + length] in each for each in _PHRASES):
        length += 1
    return length - 1 if length > _SHORTEST_PART else 0
