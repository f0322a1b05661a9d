"""What an operator wants of a provider, checked as a whole: each mistake is told by its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from actors.errors import ProviderInvalid
from actors.providers.config.fields import ProviderSettings
from actors.providers.config.lookup import is_provider_name

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

#: /v1/oauth/callback/authorize is the callback of a provider that is called authorize.
_NO_NAME: Final = "callback"


def check_name(name: str) -> None:
    """Make sure that a provider may be called so.

    Raises:
        ProviderInvalid: It may not.
    """
    if not is_provider_name(name):
        raise ProviderInvalid({"name": "must be lower case letters, digits, - and _, 64 at most"})
    if name == _NO_NAME:
        raise ProviderInvalid({"name": f"must not be {_NO_NAME}, whose routes are the callback's"})


def checked_settings(body: Mapping[str, Any]) -> ProviderSettings:
    """Return the settings that a body holds.

    Raises:
        ProviderInvalid: A field cannot be used, or one is missing that nobody else gives.
    """
    try:
        settings = ProviderSettings.model_validate(dict(body))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        raise ProviderInvalid({_place(one["loc"]): _sentence(one) for one in problems}) from None
    _check_complete(settings)
    return settings


def _place(path: Sequence[int | str]) -> str:
    """Return a path as a JSON pointer writes it (RFC 6901 section 3)."""
    # This stands behind a name that is wrong itself.
    parts = (str(part) for part in path if part != "[key]")
    return "/".join(part.replace("~", "~0").replace("/", "~1") for part in parts)


def _sentence(problem: ErrorDetails) -> str:
    if problem["type"] == "extra_forbidden":
        return "is no setting of a provider"
    return problem["msg"].removeprefix("Value error, ")


def _check_complete(settings: ProviderSettings) -> None:
    """Make sure that somebody gives the endpoints: a preset, an issuer or the operator."""
    if settings.preset is None and settings.issuer is None:
        needed = ("authorization_endpoint", "token_endpoint")
        missing = [name for name in needed if getattr(settings, name) is None]
        if missing:
            raise ProviderInvalid(
                dict.fromkeys(missing, "is needed where there is neither preset nor issuer")
            )
