"""Contradictions between a provider's settings, each by its field, with the remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from actors.providers.config.schema.combinations import find_useless
from actors.providers.config.schema.placements import check_placements
from actors.providers.config.schema.types.parameters import find_placeholders
from actors.providers.http.members import OF_CALLBACKS, OF_TOKEN_ANSWERS
from actors.providers.protocol.provider import DEVICE_CODE

#: Settings with placeholders; those of renewals and exchanges have a token answer before them.
_TEMPLATES: Final = (
    *("device_authorization_parameters", "token_parameters", "refresh_parameters"),
    "token_headers",
)
_TEMPLATE: Final = re.compile(r"\$?\{[A-Za-z_][A-Za-z0-9_.:-]*\}")
_CREDENTIALS: Final = ("client_id", "client_secret")
_SECRETLESS: Final = ("none", "private_key_jwt", "apple_client_secret")


def find_contradictions(given: Mapping[str, Any], preset: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with settings together, by the JSON pointer of a field that was given.

    Those of the preset count where none is given; with them alone nothing is found.
    """
    whole = {**preset, **given}
    problems = [
        *_check_format(whole),
        *_check_renewal(whole),
        *_check_response_type(whole),
        *_check_devices(whole),
        *_check_names(whole),
        *_check_placeholders(whole),
        *check_placements(whole),
        *_check_authorization(whole),
        *find_useless(given, whole),
    ]
    return {field: text for field, text in problems if field.partition("/")[0] in given}


def find_denied(
    given: Mapping[str, Any], preset: Mapping[str, Any], published: Mapping[str, Any]
) -> dict[str, str]:
    """Return what the metadata of the same issuer denies, as found before (RFC 8414 section 2)."""
    methods = published.get("code_challenge_methods_supported") or []
    method = given.get("code_challenge_method")
    if published.get("issuer") != {**preset, **given}.get("issuer") or not methods:
        return {}
    best = "S256" if "S256" in methods else "plain"
    if method in ("S256", "plain") and (method not in methods or method != best):
        text = f"is not what the issuer publishes, or not the best of it: set it to {best}"
        return {"code_challenge_method": f"{text} (RFC 7636 section 4.2)"}
    return {}


def _check_format(whole: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    is_query = whole.get("token_request_format") == "query"
    if whole.get("token_request_method") == "GET" and not is_query:
        text = "has no body with GET: set token_request_format to query"
        yield "token_request_method", text


def _check_renewal(whole: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    renewal = whole.get("renewal", "refresh_token")
    if renewal == "none":
        for field in ("refresh_endpoint", "refresh_parameters"):
            if whole.get(field):
                yield field, "is never used where renewal is none: leave out one of them"
    has_grant = "grant_type" in whole.get("refresh_parameters", {})
    if renewal == "access_token" and not has_grant and not whole.get("long_lived_token"):
        text = "needs long_lived_token, or grant_type in refresh_parameters"
        yield "renewal", text


def _check_response_type(whole: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    mode = whole.get("authorization_parameters", {}).get("response_mode")
    if "id_token" in whole.get("response_type", "code").split() and mode is None:
        text = "brings the code in a fragment, which stays in the browser: set response_mode to "
        yield "response_type", f"{text}form_post or query in authorization_parameters"


def _check_devices(whole: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the device grant where nothing says where devices get their codes (RFC 8628)."""
    has_endpoint = whole.get("device_authorization_endpoint") or whole.get("issuer")
    if DEVICE_CODE in (whole.get("grant_types") or ()) and not has_endpoint:
        text = "has the device grant: set device_authorization_endpoint, or issuer"
        yield "grant_types", text


def _check_names(whole: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    usual = whole.get("parameter_names", {})
    at_token = whole.get("token_parameter_names", {})
    for field, named, parameters in (
        ("parameter_names", usual, "authorization_parameters"),
        ("parameter_names", usual, "token_parameters"),
        ("parameter_names", usual, "refresh_parameters"),
        ("token_parameter_names", at_token, "token_parameters"),
        ("token_parameter_names", at_token, "refresh_parameters"),
    ):
        if twice := sorted(set(named.values()) & set(whole.get(parameters, {}))):
            yield field, f"names {', '.join(twice)}, which {parameters} hold too"
    is_post = whole.get("token_endpoint_auth_method", "client_secret_post") == "client_secret_post"
    for field, named in (("parameter_names", usual), ("token_parameter_names", at_token)):
        if named.get("client_secret") and not is_post:
            text = "is sent by client_secret_post alone: set token_endpoint_auth_method to it"
            yield f"{field}/client_secret", text
    if usual.get("redirect_uri") == "":
        yield "parameter_names/redirect_uri", "may be left out in token_parameter_names alone"


def _check_authorization(whole: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the parameters with a template; the braces of JSON, as in `claims`, are none."""
    known = {f"{{{name}}}" for name in whole.get("variables", {})}
    for name, text in whole.get("offline_parameters", {}).items():
        if left := _TEMPLATE.findall(text):
            yield f"offline_parameters/{name}", f"holds {left[0]}, which nothing fills in"
    for name, text in whole.get("authorization_parameters", {}).items():
        left = [it for it in _TEMPLATE.findall(text) if it not in known]
        if left:
            shown = ", ".join(left)
            yield f"authorization_parameters/{name}", f"holds {shown}: name it in variables"


def _check_placeholders(whole: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    known = {*_CREDENTIALS, *whole.get("variables", {})}
    is_secretless = whole.get("token_endpoint_auth_method") in _SECRETLESS
    exchange = whole.get("long_lived_token", {}).get("parameters") or {}
    texts = [
        (f"{name}/{key}", it) for name in _TEMPLATES for key, it in whole.get(name, {}).items()
    ]
    texts += [(f"long_lived_token/parameters/{key}", it) for key, it in exchange.items()]
    for field, text in texts:
        names = find_placeholders(text)
        has_answer = field.startswith(("refresh_parameters", "long_lived_token"))
        of_answer = {name for name in names if has_answer and name.startswith("token.")}
        if unknown := [name for name in names if name not in known | of_answer]:
            shown = ", ".join(f"{{{name}}}" for name in unknown)
            yield field, f"holds {shown}, which nothing fills in: name it in variables"
        elif lost := [name for name in of_answer if not _is_kept(name, whole)]:
            member = lost[0].removeprefix("token.")
            yield field, f"holds {{{lost[0]}}}, which is not kept: add {member} to metadata"
        elif is_secretless and "client_secret" in names:
            yield field, "holds {client_secret}, and token_endpoint_auth_method says there is none"


def _is_kept(placeholder: str, whole: Mapping[str, Any]) -> bool:
    """Return whether a member of the token answer or the callback is kept, alone or in another."""
    member = placeholder.removeprefix("token.")
    usual = (*OF_TOKEN_ANSWERS, *OF_CALLBACKS)
    kept = (*whole.get("metadata", usual), *whole.get("callback_parameters", ()))
    return any(member == name or member.startswith(f"{name}.") for name in kept)
