"""Parameter types: names, values and headers of token requests, each with its sentence."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from actors.providers.config.schema.types.fields import TemplateURL, Text, check_member_name
from actors.providers.config.schema.types.placeholders import refuse_json_path

_PARAMETER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:\[\]-]{0,63}")
#: A header's name (RFC 9110 section 5.1).
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_HEADER_VALUE: Final = re.compile(r"[!-~]([ -~]{0,1022}[!-~])?")
_SEPARATOR: Final = re.compile(r"[ -/:-@\[-`{-~]{1,3}")
_PATH: Final = re.compile(r"[!-~]{1,256}")
_RESPONSE_TYPE: Final = re.compile(r"[A-Za-z_]{1,32}( [A-Za-z_]{1,32}){0,2}")
_PLACEHOLDER: Final = re.compile(r"\{([a-z][A-Za-z0-9_.:-]*)\}")
#: Names of what is a secret of the client; {client_secret} is sealed, and a setting is not.
_SECRET: Final = re.compile("secret|passw|private|api[_-]?key|(^|[_-])key$", re.IGNORECASE)

#: What a token request and an authorization request write themselves.
_OWN_PARAMETERS: Final = (
    *("client_assertion", "code", "code_challenge", "code_challenge_method", "code_verifier"),
    *("nonce", "redirect_uri", "refresh_token", "response_type", "state"),
)
_OWN_HEADERS: Final = (
    *("accept-encoding", "authorization", "connection", "content-encoding", "content-length"),
    *("content-type", "cookie", "expect", "host", "keep-alive", "proxy-authorization", "te"),
    *("proxy-connection", "trailer", "transfer-encoding", "upgrade", "user-agent"),
)
_OF_CALLBACKS: Final = ("error", "error_description", "error_uri", "iss", "state", "user")
#: A parameter without which a request cannot be told from a forged one is never left out.
_OPTIONAL: Final = ("client_id", "client_secret", "grant_type", "redirect_uri", "response_type")

StandardParameter = Literal[
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "grant_type",
    "nonce",
    "redirect_uri",
    "refresh_token",
    "resource",
    "response_type",
    "scope",
    "state",
]
TokenMember = Literal[
    "access_token",
    "token_type",
    "refresh_token",
    "expires_in",
    "refresh_token_expires_in",
    "scope",
    "id_token",
    "error",
    "error_description",
]


def find_placeholders(text: str) -> list[str]:
    """Return the names that stand in braces in a text.

    Raises:
        ValueError: A brace or a dollar sign is left over, of a template that nothing fills in.
    """
    if "{" in (rest := _PLACEHOLDER.sub("", text)) or "}" in rest or "$" in rest:
        raise ValueError(
            "holds { } or $ of a template: only {client_id}, {client_secret}, {token.member} of a "
            "renewal and the names of variables are filled in"
        )
    return _PLACEHOLDER.findall(text)


def _check_parameter_name(name: str) -> str:
    if name and not _PARAMETER.fullmatch(name):
        raise ValueError("must be a parameter's name: letters, digits, dots, colons, [ ] - and _")
    return name


def _check_parameters(parameters: dict[str, str]) -> dict[str, str]:
    if own := [name for name in _OWN_PARAMETERS if name in parameters]:
        raise ValueError(f"must not hold {', '.join(own)}: each request writes its own")
    for name, text in parameters.items():
        _check_parameter_name(name)
        _check_value(name, text)
    return parameters


def _check_value(name: str, text: str) -> None:
    names = find_placeholders(text)
    if name in ("client_id", "client_secret") and text != f"{{{name}}}":
        raise ValueError(f"may hold {name} as {{{name}}} alone")
    if _SECRET.search(name) and not names:
        raise ValueError(
            f"must not hold {name} in the clear: write {{client_secret}}, which is sealed"
        )


def _check_headers(headers: dict[str, str]) -> dict[str, str]:
    for name, text in headers.items():
        if not _HEADER.fullmatch(name):
            raise ValueError("must have names of RFC 9110: letters, digits and -")
        if name.lower() in _OWN_HEADERS:
            raise ValueError(f"must not hold {name}: each request writes its own")
        if not _HEADER_VALUE.fullmatch(text):
            raise ValueError("must have values of visible ASCII characters, without line breaks")
        _check_value(name, text)
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("must not hold a header twice")
    return headers


def _check_names(names: dict[str, str]) -> dict[str, str]:
    if needed := [name for name, other in names.items() if not other and name not in _OPTIONAL]:
        raise ValueError(f"must not leave out {', '.join(needed)}")
    given = [name for name in names.values() if name]
    if len(set(given)) < len(given):
        raise ValueError("must give each parameter a name of its own")
    return names


def _check_response_type(text: str) -> str:
    if not _RESPONSE_TYPE.fullmatch(text):
        raise ValueError("must be names of letters and _, parted by single spaces")
    words = text.split()
    if "token" in words or words == ["id_token"]:
        raise ValueError(
            "must leave tokens to the token endpoint: the implicit grant shows them to the browser "
            "(RFC 9700 section 2.1.2)"
        )
    return text


def _check_code_parameter(name: str) -> str:
    _check_parameter_name(name)
    if name in _OF_CALLBACKS:
        raise ValueError(f"must not be {name}, which callbacks have for something else")
    return name


def _check_callback_parameter(name: str) -> str:
    return name if name == "state" else check_member_name(name)


def _check_separator(text: str) -> str:
    if not _SEPARATOR.fullmatch(text):
        raise ValueError("must be 1 to 3 blanks or punctuation marks")
    return text


def _check_path(path: str) -> str:
    refuse_json_path(path)
    if not _PATH.fullmatch(path) or "" in path.split("."):
        raise ValueError("must be names of members, or places in a list, parted by dots")
    return path


_Parameter = Annotated[str, Field(max_length=64), AfterValidator(_check_parameter_name)]
CodeParameter = Annotated[str, Field(min_length=1), AfterValidator(_check_code_parameter)]
CallbackParameter = Annotated[str, AfterValidator(_check_callback_parameter)]
ParameterNames = Annotated[dict[StandardParameter, _Parameter], AfterValidator(_check_names)]
Parameters = Annotated[dict[Text, Text], Field(max_length=20), AfterValidator(_check_parameters)]
Headers = Annotated[dict[str, str], Field(max_length=20), AfterValidator(_check_headers)]
ResponseType = Annotated[str, AfterValidator(_check_response_type)]
ScopeSeparator = Annotated[str, AfterValidator(_check_separator)]
MemberPath = Annotated[str, AfterValidator(_check_path)]

PlainMembers = Annotated[dict[MemberPath, Text], Field(min_length=1, max_length=10)]


class TokenExchangeSettings(BaseModel):
    """The exchange of an access token for a longer-lived one."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    grant_type: Text
    token_parameter: Annotated[_Parameter, Field(min_length=1)] | None = None
    method: Literal["GET", "POST"] | None = None
    endpoint: TemplateURL | None = None
    parameters: Parameters | None = None
