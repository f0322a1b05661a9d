"""Body of a provider: all its settings together, and what is wrong with a body of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pydantic import ConfigDict, ValidationError

from actors.providers.catalogue.presets import preset_settings
from actors.providers.config.lookup import is_provider_name
from actors.providers.config.schema.authorization_requests import AuthorizationRequestSettings
from actors.providers.config.schema.contradictions import find_contradictions
from actors.providers.config.schema.credentials import CredentialSettings
from actors.providers.config.schema.endpoints import EndpointSettings
from actors.providers.config.schema.grants import GrantSettings
from actors.providers.config.schema.identities import find_identity_problems
from actors.providers.config.schema.identity import IdentitySettings
from actors.providers.config.schema.renewal import RenewalSettings
from actors.providers.config.schema.templates import find_template_problems
from actors.providers.config.schema.token_requests import TokenRequestSettings
from actors.providers.errors import ProviderInvalid
from actors.providers.protocol.provider_builder import list_needed_endpoints, needs_base_url

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

#: /v1/oauth/callback/authorize is the callback of a provider that is called authorize.
_RESERVED_NAME: Final = "callback"
_UNKNOWN: Final = "is no setting of a provider"


class ProviderSettings(
    IdentitySettings,
    RenewalSettings,
    TokenRequestSettings,
    AuthorizationRequestSettings,
    GrantSettings,
    CredentialSettings,
    EndpointSettings,
):
    """What an operator may set, by the names of RFC 8414, RFC 7591 and presets.toml."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


def validate_name(name: str) -> None:
    """Make sure that a provider may have this name.

    Raises:
        ProviderInvalid: It may not.
    """
    if not is_provider_name(name):
        raise ProviderInvalid({"name": "must be lower case letters, digits, - and _, 64 at most"})
    if name == _RESERVED_NAME:
        raise ProviderInvalid(
            {"name": f"must not be {_RESERVED_NAME}, whose routes are the callback's"}
        )


def validate_settings(body: Mapping[str, Any]) -> ProviderSettings:
    """Return the settings that a body holds.

    Raises:
        ProviderInvalid: A field cannot be used, contradicts another, or an endpoint is missing
            that neither a preset nor an issuer gives. `fields` has a sentence for each, by its
            JSON pointer.
    """
    try:
        settings = ProviderSettings.model_validate(dict(body))
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        raise ProviderInvalid(
            {_build_pointer(one["loc"]): _write_sentence(one) for one in errors}
        ) from None
    _check_endpoints(settings)
    given = settings.model_dump(exclude_none=True)
    preset = preset_settings(settings.preset)
    problems = {
        **dict(find_identity_problems({**preset, **given})),
        **dict(find_template_problems(given, preset)),
        **find_contradictions(given, preset),
    }
    if problems:
        raise ProviderInvalid(problems)
    return settings


def check_names(body: Mapping[str, Any]) -> None:
    """Make sure that all members are settings, those that a patch removes by null too.

    Raises:
        ProviderInvalid: Some are not.
    """
    unknown = body.keys() - ProviderSettings.model_fields
    if unknown:
        raise ProviderInvalid({_build_pointer([name]): _UNKNOWN for name in unknown})


def _build_pointer(path: Sequence[int | str]) -> str:
    """Return a path as a JSON pointer writes it (RFC 6901 section 3)."""
    # pydantic appends [key] to the path of a dictionary's key.
    parts = (str(part) for part in path if part != "[key]")
    return "/".join(part.replace("~", "~0").replace("/", "~1") for part in parts)


def _write_sentence(problem: ErrorDetails) -> str:
    if problem["type"] == "extra_forbidden":
        return _UNKNOWN
    return problem["msg"].removeprefix("Value error, ")


def _check_endpoints(settings: ProviderSettings) -> None:
    """Make sure that a preset, an issuer or the operator gives the endpoints."""
    _check_base_url(settings)
    whole = {**preset_settings(settings.preset), **settings.model_dump(exclude_none=True)}
    if "issuer" in whole:
        return
    text = "is needed where there is neither preset nor issuer"
    if settings.preset is not None:
        text = "is needed: this preset's providers have a server of each customer for it"
    missing = [name for name in list_needed_endpoints(whole) if name not in whole]
    if missing:
        raise ProviderInvalid(dict.fromkeys(missing, text))


def _check_base_url(settings: ProviderSettings) -> None:
    """Make sure that URLs which begin with the address of a customer's own server have one."""
    given = settings.model_dump(exclude_none=True)
    whole = {**preset_settings(settings.preset), **given}
    if needs_base_url(whole) and "base_url" not in whole:
        raise ProviderInvalid(
            {"base_url": "is needed: this preset's software runs on a server of each customer"}
        )
