"""Authorization error response (RFC 6749 section 4.1.2.1): its code and description, cleaned."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus

from actors.providers.http.answers import clean_sentence, one_line
from catfeeder.sealing import Secret

#: Codes of RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6, RFC 8707, 9101 and 9470.
_STANDARD: Final = frozenset(
    {
        *("invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type"),
        *("invalid_scope", "server_error", "temporarily_unavailable", "interaction_required"),
        *("login_required", "account_selection_required", "consent_required"),
        *("invalid_request_uri", "invalid_request_object", "request_not_supported"),
        *("request_uri_not_supported", "registration_not_supported"),
        *("unmet_authentication_requirements", "invalid_target"),
    }
)
#: What the user alone decides; the operator need do nothing.
_OF_THE_USER: Final = re.compile(
    "access_denied|consent_required|login_required|interaction_required|account_selection_required"
    "|user_.*|.*cancel.*",
    re.IGNORECASE,
)
#: What may be repeated: words and numbers, such as those of Microsoft and Facebook.
_CODE: Final = re.compile("-?[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
#: A provider's number before its sentence, all in one parameter.
_NUMBERED: Final = re.compile(r"(?=\S*[0-9])(-?[A-Za-z0-9_.-]{1,63}): +(\S.*)", re.DOTALL)
_CAPITAL: Final = re.compile("(?<=[a-z])(?=[A-Z])")
_SEPARATOR: Final = re.compile("[-_ ]+")
#: Parameter names, in small letters and without separators, in the order of preference. `error` is
#: the standard's; Facebook and others use the rest, sometimes without it.
_CODE_NAMES: Final = ("error", "errorcode", "errorreason", "errortype", "errcode")
_DESCRIPTION_NAMES: Final = (
    *("errordescription", "errormessage", "errormsg", "errmsg", "errorstring", "errorreason"),
    *("errordetails", "errordetail"),
)
#: Names that speak of an error only beside its code.
_VAGUE_NAMES: Final = ("description", "message", "msg", "detail", "reason")


@dataclass(frozen=True, slots=True)
class ProviderError:
    """Why a provider did not sign a user in; what is not fit to repeat is None."""

    error: str | None
    description: str | None

    @property
    def is_users_choice(self) -> bool:
        """Whether the user has refused, so that nothing is wrong."""
        return self.error is not None and _OF_THE_USER.fullmatch(self.error) is not None

    @property
    def sentence(self) -> str:
        """What happened, for people."""
        parts = [part for part in (self.error, self.description) if part]
        return ": ".join(["The provider did not sign the user in", *parts]).rstrip(".") + "."


def read_provider_error(
    parameters: Mapping[str, str], secrets: Iterable[Secret] = ()
) -> ProviderError | None:
    """Return the error of an authorization response; None where it holds none.

    A standard code in another spelling, such as `ACCESS_DENIED`, becomes the standard's. The
    description repeats none of the `secrets`.
    """
    found = {_SEPARATOR.sub("", name).lower(): value for name, value in parameters.items()}
    named = [found[name] for name in _CODE_NAMES if name in found]
    described = [found[name] for name in _DESCRIPTION_NAMES if name in found]
    if not named and not described:
        return None
    error = next(filter(None, map(_read_code, named)), None)
    if error is not None:
        described += [found[name] for name in _VAGUE_NAMES if name in found]
    # Some providers have a sentence in place of the code, with a number before it or without.
    described += [text for text in map(_read_sentence, named) if text]
    decoded = map(_undo_encoding, described)
    description = next(filter(None, (clean_sentence(text, secrets) for text in decoded)), None)
    return ProviderError(error, None if description == error else description)


def _read_code(text: str) -> str | None:
    code = text.strip()
    standard = _SEPARATOR.sub("_", _CAPITAL.sub("_", code)).lower()
    if standard in _STANDARD:
        return standard
    if numbered := _NUMBERED.fullmatch(code):
        return numbered[1]
    return code if _CODE.fullmatch(code) else None


def _read_sentence(text: str) -> str | None:
    """Return what a code's parameter says beside a code, if it is of words."""
    if numbered := _NUMBERED.fullmatch(text.strip()):
        text = numbered[2]
    elif _read_code(text) is not None or " " not in text:
        return None
    # What has more than one line was never meant for a code.
    return text if one_line(text) == text.strip() else None


def _undo_encoding(text: str) -> str:
    """Return a sentence that is encoded once more in place of its blanks."""
    return unquote_plus(text) if " " not in text else text
