"""Strict provider process: it answers nothing but what the catalogues' facts make it demand."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from joserfc.jwt import decode

from tests.catalogue.answers import SUBJECT, Account, write_token_answer, write_user_info
from tests.catalogue.demands import Demands, fits, holds
from tests.provider.answers import Answer, json_answer, redirect_answer
from tests.provider.clients import client_key
from tests.provider.devices import DEVICE_CODE
from tests.provider.server import Request
from tests.provider.signing import SigningKeys

CLIENT_ID: Final = "client-of-the-harness"
CLIENT_SECRET: Final = "secret-of-the-harness"
ASSERTION_ISSUER: Final = "app.example.com"
#: The first of the parts of an access token, which dots part.
_FIRST: Final = "{access_token.0}"
_DISCOVERY: Final = "/.well-known/openid-configuration"


class Unmet(Exception):
    """A demand that a request does not meet."""


@dataclass
class StrictProvider:
    """One provider; all its hosts are paths of one server."""

    demands: Demands
    #: Where its paths begin.
    base: str
    issuer: str | None = None
    keys: SigningKeys = field(default_factory=SigningKeys)
    #: The first demand that was not met.
    unmet: str | None = None
    asked: dict[str, str] = field(default_factory=dict)
    #: The steps that were passed.
    steps: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def perform(self, request: Request, path: str) -> Answer:
        """Answer a request for a path, which begins with a host."""
        try:
            return self._route(request, path)
        except Unmet as unmet:
            self.unmet = self.unmet or str(unmet)
            return json_answer({"error": "invalid_request"}, 400)

    def _route(self, request: Request, path: str) -> Answer:
        if path.endswith(_DISCOVERY):
            return json_answer(self._describe())
        if path.endswith("/jwks-of-the-harness"):
            return json_answer(self.keys.key_set())
        for setting, answer in (
            ("userinfo_endpoint", self._answer_user_info),
            ("refresh_endpoint", self._renew),
            ("token_endpoint", self._answer_token_request),
            ("device_authorization_endpoint", self._issue_device_code),
            ("authorization_endpoint", self._authorize),
        ):
            url = self._stated(setting)
            if setting == "refresh_endpoint" and url == self._stated("token_endpoint"):
                continue
            if url and self._leads_to(url, path, request.query):
                is_same = setting == "token_endpoint" and self._is_authorization(request)
                return self._authorize(request) if is_same else answer(request)
        if (emails := self.demands.get("emails_endpoint")) and fits(emails, path, request.query):
            return json_answer([{"email": "jane@example.com", "primary": True, "verified": True}])
        exchange = self.demands.get("long_lived_token")
        if exchange and fits(exchange["endpoint"], path, {}):
            return self._exchange(request, exchange)
        raise Unmet(f"no catalogue states the URL https://{path.lstrip('/')}")

    def _leads_to(self, url: str, path: str, query: Mapping[str, str]) -> bool:
        """Return whether a path is that of a URL, which a token answer may tell as a whole."""
        is_told = url.startswith("{token.") and url.endswith("}")
        return path == "/api.example" if is_told else fits(url, path, query)

    def _stated(self, setting: str) -> str | None:
        stated = self.demands.get(setting)
        if stated is None and setting in ("authorization_endpoint", "token_endpoint"):
            return f"{self.demands.facts['issuer'].rstrip('/')}/{setting}"
        return stated if isinstance(stated, str) else None

    def _is_authorization(self, request: Request) -> bool:
        """Tell the requests apart of a provider with one URL for both."""
        name = self.demands.get("parameter_names", {}).get("redirect_uri", "redirect_uri")
        return request.method == "GET" and name in request.query and "state" in request.query

    def _describe(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{str(self.issuer).rstrip('/')}/authorization_endpoint",
            "token_endpoint": f"{str(self.issuer).rstrip('/')}/token_endpoint",
            "jwks_uri": f"{self.base}/jwks-of-the-harness",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            **self._rewritten_endpoints(),
        }

    def _rewritten_endpoints(self) -> dict[str, str]:
        names = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
        stated = {name: self.demands.facts.get(name, "") for name in names}
        plain = {name: url for name, url in stated.items() if url and "{" not in url}
        return {name: f"{self.base}/{url.removeprefix('https://')}" for name, url in plain.items()}

    # -- The authorization request

    def _authorize(self, request: Request) -> Answer:
        demands, asked = self.demands, dict(request.query)
        names = demands.get("parameter_names", {})
        _demand(asked.get(names.get("client_id", "client_id")) == CLIENT_ID, "client_id")
        redirect_uri = asked.get(names.get("redirect_uri", "redirect_uri"), "")
        _demand(redirect_uri.startswith("http"), "redirect_uri")
        _demand(asked.get("state", "") != "", "state")
        _demand(asked.get("response_type") == demands.response_type, "response_type")
        stated = demands.parameters("authorization_parameters")
        ours = ("scope", "response_type", "nonce")
        stated = {name: text for name, text in stated.items() if name not in ours}
        _demand(holds(stated, asked), f"authorization parameters {stated}")
        self._check_scopes(asked.get("scope", ""))
        self._check_challenge(asked)
        self.asked = {**asked, "redirect_uri": redirect_uri}
        self.steps.append("authorization")
        code_name = demands.get("code_parameter", "code")
        repeated = dict.fromkeys(demands.get("callback_parameters", ()), "repeated")
        kept = {name: f"kept-{name}" for name in demands.kept["callback"]}
        back = {**repeated, **kept, code_name: "code-1", "state": asked["state"]}
        return redirect_answer(f"{redirect_uri}?{urlencode(back)}", 302)

    def _check_scopes(self, text: str) -> None:
        stated = self.demands.scopes
        separator = self.demands.get("scope_separator", " ")
        given = text.split(separator)
        _demand(set(stated) <= set(given), f"scopes {stated} parted by {separator!r}, not {text!r}")

    def _check_challenge(self, asked: Mapping[str, str]) -> None:
        stated = self.demands.get("code_challenge_method")
        given = asked.get("code_challenge_method") if asked.get("code_challenge") else "none"
        # What no catalogue states, we may send: servers ignore it (RFC 6749 section 3.1).
        _demand(given == (stated or "S256"), f"code_challenge_method {stated}, not {given}")

    # -- The token request

    def _answer_token_request(self, request: Request) -> Answer:
        form = self._read(request)
        names = self._token_names()
        grant_type = form.get(names.get("grant_type", "grant_type"))
        refresh_name = names.get("refresh_token", "refresh_token")
        if refresh_name in form:
            elsewhere = self._stated("refresh_endpoint")
            is_here = elsewhere in (None, self._stated("token_endpoint"))
            _demand(is_here, f"the renewal at {elsewhere}")
            return self._renew(request)
        self._check_client(request, form)
        if "device_code" in form:
            return self._grant_to_device(form)
        stated = self.demands.parameters("token_parameters")
        _demand(holds(stated, form), f"token parameters {stated}")
        _demand(grant_type == stated.get("grant_type", "authorization_code"), "grant_type")
        _demand(form.get(names.get("code", "code")) == "code-1", "code")
        redirect_name = names.get("redirect_uri", "redirect_uri")
        _demand(form.get(redirect_name) == self.asked["redirect_uri"], "redirect_uri")
        for name in self.demands.get("callback_parameters", ()):
            given = self.asked["state"] if name == "state" else "repeated"
            _demand(form.get(name) == given, f"the callback's {name}")
        self._check_verifier(form)
        self.steps.append("exchange")
        return self._grant(with_id_token=True)

    def _issue_device_code(self, request: Request) -> Answer:
        """Answer a device authorization request (RFC 8628 section 3.1)."""
        form = self._read(request)
        self._check_client(request, form)
        self._check_scopes(form.get("scope", ""))
        self.asked = dict(form)
        uri = {"verification_uri": f"{self.base}/activate", "expires_in": 600}
        return json_answer({"device_code": "device-1", "user_code": "ABCD", **uri})

    def _grant_to_device(self, form: Mapping[str, str]) -> Answer:
        """Answer a poll, whose user has agreed at once (RFC 8628 section 3.4)."""
        _demand(form.get("grant_type") == DEVICE_CODE, "grant_type")
        _demand(form["device_code"] == "device-1", "device_code")
        self.steps.append("device")
        return self._grant(with_id_token=True)

    def _read(self, request: Request) -> Mapping[str, str]:
        """Return the parameters of a token request, written as they have to be."""
        stated = self.demands.token_format
        if stated == "json":
            given = request.headers.get("content-type", "")
            _demand(given.startswith("application/json"), "a JSON body")
            return {name: str(value) for name, value in json.loads(request.body).items()}
        if stated == "query":
            _demand(not request.body and request.method == "GET", "a request by GET")
            return request.query
        given = request.headers.get("content-type", "")
        _demand(given == "application/x-www-form-urlencoded", "a form")
        return request.form

    def _token_names(self) -> Mapping[str, str]:
        usual = self.demands.get("parameter_names", {})
        names: Mapping[str, str] = {**usual, **self.demands.get("token_parameter_names", {})}
        return names

    def _check_client(self, request: Request, form: Mapping[str, str]) -> None:
        stated = self.demands.get("token_endpoint_auth_method")
        shown = self._shown_by(request, form)
        is_usual = stated is None and shown in ("client_secret_post", "client_secret_basic")
        _demand(is_usual or shown == stated, f"{stated}, not {shown}")
        headers = self._fill(self.demands.parameters("token_headers"))
        _demand(holds(headers, _named(headers, request)), f"headers {headers}")

    def _shown_by(self, request: Request, form: Mapping[str, str]) -> str:
        """Return how the client has shown its secret."""
        names = self._token_names()
        shown_id = form.get(names.get("client_id", "client_id"))
        shown = form.get(names.get("client_secret", "client_secret"))
        header = request.headers.get("authorization", "")
        if header:
            _demand(shown is None, "one client authentication")
            scheme, _, text = header.partition(" ")
            if text == CLIENT_SECRET:
                return "secret_as_bearer" if scheme == "Bearer" else scheme
            user, _, password = base64.b64decode(text).decode().partition(":")
            if (user, password) == (CLIENT_SECRET, ""):
                return "secret_as_basic_username"
            return "client_secret_basic" if (user, password) == (CLIENT_ID, CLIENT_SECRET) else user
        if "client_assertion" in form and shown is None:
            key, text = client_key("ES256"), form["client_assertion"]
            claims = decode(text, key, algorithms=["ES256"]).claims
            _demand(claims["iss"] == ASSERTION_ISSUER, "the assertion's issuer")
            audience = self.demands.get("client_assertion_audience")
            _demand(claims["aud"] == audience, f"the assertion's audience {audience}")
            return "private_key_jwt"
        is_named = shown_id == CLIENT_ID or names.get("client_id") == ""
        return "client_secret_post" if (shown == CLIENT_SECRET and is_named) else "none"

    def _check_verifier(self, form: Mapping[str, str]) -> None:
        challenge = self.asked.get("code_challenge")
        verifier = form.get("code_verifier", "")
        if challenge is None:
            _demand(not verifier, "no code_verifier without a challenge")
        elif self.asked["code_challenge_method"] == "plain":
            _demand(verifier == challenge, "code_verifier")
        else:
            digest = hashlib.sha256(verifier.encode()).digest()
            computed = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            _demand(computed == challenge, "code_verifier")

    def _grant(self, *, with_id_token: bool = False) -> Answer:
        first = f"{SUBJECT}." if _FIRST in str(self.demands.get("userinfo_endpoint")) else ""
        self.tokens.append(f"{first}token-{len(self.tokens) + 1}")
        is_openid = "openid" in self.asked.get("scope", "").split() or self.demands.get("issuer")
        account = Account(self.demands, self.base)
        members = write_token_answer(account, self.tokens[-1])
        if with_id_token and self.issuer is not None and is_openid:
            now = int(time.time())
            claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300}
            nonce = self.asked.get("nonce")
            claims |= {**account.claims, **({"nonce": nonce} if nonce else {})}
            members["id_token"] = self.keys.sign(claims)
        return json_answer(members)

    # -- The renewal

    def _renew(self, request: Request) -> Answer:
        stated = self.demands.parameters("refresh_parameters")
        if self.demands.get("renewal") == "access_token":
            _demand(holds(stated, request.query), f"parameters {stated}")
            _demand(request.query.get("access_token") == self.tokens[-1], "the access token")
        else:
            form = self._read(request)
            names = self._token_names()
            _demand(holds(stated, form), f"refresh parameters {stated}")
            shown = form.get(names.get("refresh_token", "refresh_token"))
            _demand(shown == "refresh-1", "the refresh token")
            grant_type = form.get(names.get("grant_type", "grant_type"))
            _demand(grant_type == stated.get("grant_type", "refresh_token"), "grant_type")
            self._check_client(request, form)
        self.steps.append("renewal")
        if prolonging := self.demands.get("prolonging_answer"):
            self.tokens.append(self.tokens[-1])
            return json_answer(dict(prolonging))
        return self._grant()

    def _exchange(self, request: Request, exchange: Mapping[str, Any]) -> Answer:
        stated = {"grant_type": exchange["grant_type"], **self._fill(exchange["parameters"])}
        _demand(request.method == exchange["method"], exchange["method"])
        _demand(holds(stated, request.query), f"parameters {stated}")
        _demand(request.query.get(exchange["token_parameter"]) == self.tokens[-1], "the token")
        return self._grant()

    # -- User info

    def _answer_user_info(self, request: Request) -> Answer:
        demands = self.demands
        is_post = demands.has_tag("U_POST") or demands.get("userinfo_method") == "POST"
        is_post = is_post or bool(demands.parameters("userinfo_body"))
        _demand(request.method == ("POST" if is_post else "GET"), "the method of user info")
        usual = "query" if demands.has_tag("U_QUERY") else "header"
        location = demands.get("userinfo_token_location", usual)
        headers = self._fill(demands.parameters("userinfo_headers"))
        _demand(holds(headers, _named(headers, request)), f"headers {headers}")
        token = self.tokens[-1]
        if _FIRST in str(demands.get("userinfo_endpoint")):
            _demand(request.path.endswith(f"/{SUBJECT}"), "the first part of the token")
        if "{access_token}" in str(demands.get("userinfo_endpoint")):
            _demand(token in request.path, "the token in the path")
        elif not any(token in text for text in headers.values()):
            scheme = demands.get("userinfo_token_scheme", "Bearer")
            shown = {
                "header": request.headers.get("authorization", "").removeprefix(f"{scheme} "),
                "query": request.query.get("access_token"),
                "body": request.form.get("access_token"),
            }
            _demand(shown[location] == token, f"the token in the {location}")
        body = self._fill(demands.parameters("userinfo_body"))
        _demand(holds(body, _read_body(request)), f"the body {body}")
        self.steps.append("identity")
        return json_answer(write_user_info(Account(demands, self.base)))

    def _fill(self, texts: Mapping[str, str]) -> dict[str, str]:
        token = self.tokens[-1] if self.tokens else ""
        values = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "access_token": token}
        filled = dict(texts)
        for name, value in values.items():
            filled = {key: text.replace(f"{{{name}}}", value) for key, text in filled.items()}
        return {key: text.replace("{", "[").replace("}", "]") for key, text in filled.items()}


def _read_body(request: Request) -> dict[str, str]:
    text: dict[str, Any] = dict(parse_qsl(request.body.decode()))
    with suppress(ValueError):
        text = json.loads(request.body)
    plain = {key: it if isinstance(it, str) else json.dumps(it) for key, it in text.items()}
    return {key: it.replace("{", "[").replace("}", "]") for key, it in plain.items()}


def _named(wanted: Mapping[str, str], request: Request) -> dict[str, str]:
    return {name: request.headers.get(name.lower(), "") for name in wanted}


def _demand(is_met: bool, what: str) -> None:
    if not is_met:
        raise Unmet(f"the provider demands {what}")
