"""Endpoints of a scripted provider: the answer at each path by its script."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

from tests.provider.answers import Answer, form_post, json_answer, redirect_answer
from tests.provider.clients import Expected, check_client
from tests.provider.devices import DEVICE_CODE, Devices
from tests.provider.grants import Grant, Grants, Refused
from tests.provider.script import Script, merged
from tests.provider.server import Request
from tests.provider.signing import SigningKeys
from tests.provider.user_infos import SHAPES, github_emails


class Endpoints:
    """An OAuth 2.0 and OpenID provider that consents to everything at once."""

    client_id: Final = "client-of-tests"

    def __init__(self) -> None:
        self.host = ""
        self.client_secret = "client-secret-of-tests"
        self.script = Script()
        self.keys = SigningKeys()
        self.grants = Grants()
        self.devices = Devices()
        #: Whose each refresh token of a pair is, as long as it serves.
        self.pair_owners: dict[str, str] = {}
        #: The number of consents: the first one has the name that Apple sends once.
        self.consents = 0
        self.paths: Mapping[str, Callable[[Request], Answer]] = {
            "/.well-known/openid-configuration": self._describe,
            "/authorize": self._authorize,
            "/device": self._authorize_device,
            "/token": self._grant_tokens,
            "/token/refresh": self._grant_tokens,
            "/exchange": self._exchange_token,
            "/exchange/again": self._exchange_token,
            "/userinfo": self._answer_user_info,
            "/user/emails": self._answer_emails,
            "/jwks": lambda _: json_answer(self.keys.key_set()),
            "/revoke": self._revoke,
            f"/applications/{self.client_id}/grant": self._delete_grant,
            "/me/permissions": self._delete_permissions,
            "/debug_token": self._debug_token,
            "/auth.revoke": self._revoke_own_token,
        }

    @property
    def issuer(self) -> str:
        """The issuer, which is also where its paths begin."""
        return f"http://{self.host}"

    def addresses(self) -> dict[str, str]:
        """Return the addresses, by the names of RFC 8414."""
        return {
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks",
            "revocation_endpoint": f"{self.issuer}/revoke",
        }

    def _describe(self, _request: Request) -> Answer:
        metadata = {
            "issuer": self.issuer,
            **self.addresses(),
            "response_types_supported": ["code"],
            "token_endpoint_auth_methods_supported": [self.script.client_authentication],
            "authorization_response_iss_parameter_supported": self.script.sends_iss,
        }
        return json_answer(merged(metadata, self.script.metadata))

    def _authorize(self, request: Request) -> Answer:
        dialect = self.script.dialect
        try:
            asked = dialect.read_authorization(request)
        except Refused:
            return Answer(400)
        wanted = {"client_id": self.client_id, "response_type": dialect.response_type}
        method = asked.get("code_challenge_method")
        is_known = method is None or method in self.script.challenge_methods
        if not wanted.items() <= asked.items() or not is_known:
            return Answer(400)
        state = {"state": asked.get("state", "")}
        if asked.get("prompt") == "none" and asked.get("max_age") == "0":
            # No page may be shown, and no login is recent enough.
            back = {"error": "login_required", **state}
        else:
            self.consents += 1
            back = {"code": self.grants.begin(asked).code, **state}
        if self.script.sends_iss:
            back["iss"] = self.issuer
        back = dialect.write_callback(back)
        if asked.get("response_mode") == "form_post":
            is_first = self.consents == 1 and "code" in back
            first = {"user": json.dumps(self.script.told_once)} if is_first else {}
            return form_post(asked["redirect_uri"], {**back, **first})
        joint = "&" if "?" in asked["redirect_uri"] else "?"
        return redirect_answer(asked["redirect_uri"] + joint + urlencode(back), 302)

    def _authorize_device(self, request: Request) -> Answer:
        """Issue a code to a device (RFC 8628 section 3.1)."""
        try:
            check_client(request, self._expected())
        except Refused as refused:
            return json_answer({"error": refused.error}, 401)
        return json_answer(self.devices.issue(request.form, self.issuer))

    def _grant_tokens(self, request: Request) -> Answer:
        try:
            members = self._granted(request)
        except Refused as refused:
            if self.script.tells_ok:
                return json_answer({"ok": False, "error": refused.error})
            status = 200 if self.script.errors_are_200 else 400
            return json_answer({"error": refused.error}, status)
        if self.script.tells_ok:
            members = {"ok": True, **members}
        return json_answer(self.script.dialect.answer(merged(members, self.script.token_members)))

    def _exchange_token(self, request: Request) -> Answer:
        """Exchange an access token as one of the script's exchanges at this path does."""
        (exchange,) = (one for one in self.script.exchanges if one.path == request.path)
        try:
            grant = self.grants.of_access_token(exchange.read_token(request))
        except Refused as refused:
            return json_answer({"error": refused.error}, 400)
        token, _ = self.grants.add_tokens(grant, with_refresh_token=False)
        return json_answer({"access_token": token, "expires_in": 5184000})

    def _granted(self, request: Request) -> dict[str, Any]:
        request = self.script.dialect.read_token_request(request)
        script, form = self.script, request.form
        check_client(request, self._expected())
        match form.get("grant_type"):
            case "authorization_code":
                if script.refuses_pkce and "code_verifier" in form:
                    raise Refused("invalid_request")
                grant = self.grants.redeem_code(form, requires_pkce=script.requires_pkce)
                has_new = script.gives_refresh_token and self._is_lasting(grant)
            case grant_type if grant_type == DEVICE_CODE:
                grant = self.grants.begin(self.devices.poll(form))
                has_new = script.gives_refresh_token
            case "refresh_token":
                grant = self.grants.use_refresh_token(form["refresh_token"], script.rotation)
                wanted = grant.request.get("redirect_uri")
                if script.requires_redirect_uri_at_renewal and form.get("redirect_uri") != wanted:
                    raise Refused("invalid_request")
                has_new = script.rotation != "none"
            case "fb_exchange_token":
                grant = self.grants.of_access_token(form["fb_exchange_token"])
                has_new = False
            case _:
                raise Refused("unsupported_grant_type")
        if script.gives_pairs:
            return self._pairs(grant, form)
        access_token, refresh_token = self.grants.add_tokens(grant, with_refresh_token=has_new)
        return self._members(grant, access_token, refresh_token)

    def _members(
        self, grant: Grant, access_token: str, refresh_token: str | None
    ) -> dict[str, Any]:
        asked = grant.request.get("scope", "").replace(",", " ").split()
        granted = asked if self.script.granted_scope is None else self.script.granted_scope.split()
        if not self._is_lasting(grant):
            granted = [scope for scope in granted if scope != "offline_access"]
        members = {
            "access_token": access_token,
            "token_type": "Bearer",
            "refresh_token": refresh_token,
            "expires_in": self.script.expires_in,
            "scope": self.script.scope_separator.join(granted) if self.script.tells_scope else None,
        }
        is_asked = "openid" in asked or self.script.always_gives_id_token
        if is_asked and self.script.gives_id_token:
            claims = merged(self._claims(grant), self.script.claims)
            members["id_token"] = self.script.make_id_token(self.keys, claims)
        return merged(members, {})

    def _is_lasting(self, grant: Grant) -> bool:
        """Return whether a grant has a refresh token, by OpenID Connect Core section 11."""
        asked = grant.request.get("scope", "").split()
        is_consented = "consent" in grant.request.get("prompt", "").split()
        return not self.script.wants_consent or ("offline_access" in asked and is_consented)

    def _pairs(self, grant: Grant, form: Mapping[str, str]) -> dict[str, Any]:
        """Answer two independent pairs; the renewal of one answers that one alone, on top."""
        shown = form.get("refresh_token")
        asked = {"bot": grant.request.get("scope", ""), "user": grant.request.get("user_scope", "")}
        wanted = self.script.pairs if shown is None else (self.pair_owners.pop(shown, ""),)
        whole: dict[str, Any] = {"team": {"id": "T0R7GR", "name": "Cats"}, "bot_user_id": "B1"}
        whole["authed_user"] = {"id": self.script.user["id"]}
        for whose in wanted:
            if not whose:
                # Each refresh token serves once.
                raise Refused("invalid_refresh_token")
            token, refresh_token = self.grants.add_tokens(grant, with_refresh_token=True)
            self.pair_owners[str(refresh_token)] = whose
            pair: dict[str, Any] = {
                "access_token": token,
                "refresh_token": refresh_token,
                "token_type": whose,
            }
            pair |= {"scope": asked[whose], "expires_in": 43200}
            is_on_top = whose == "bot" or shown is not None
            (whole if is_on_top else whole["authed_user"]).update(pair)
        return whole

    def _claims(self, grant: Grant) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": self.client_id,
            "sub": self.script.user["id"],
            "iat": now,
            "exp": now + 300,
            "nonce": grant.request.get("nonce"),
        }
        return merged(claims, {})

    def _answer_user_info(self, request: Request) -> Answer:
        if not self._is_authorized(request):
            if self.script.tells_ok:
                return json_answer({"ok": False, "error": "invalid_auth"})
            return Answer(401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        if self.script.proof_secret is not None:
            token = request.headers["authorization"].removeprefix("Bearer ")
            if request.query.get("appsecret_proof") != _proof(self.script.proof_secret, token):
                return json_answer({"error": {"type": "GraphMethodException", "code": 100}}, 400)
        if request.method not in self.script.user_info_methods:
            return Answer(405, headers={"Allow": ", ".join(self.script.user_info_methods)})
        raw = merged(SHAPES[self.script.shape](self.script.user), self.script.user_info)
        if self.script.signed_user_info is None:
            return json_answer(raw)
        claims = {"iss": self.issuer, "aud": self.client_id, **raw}
        token = self.script.make_user_info(self.keys, merged(claims, self.script.signed_user_info))
        return Answer(200, token.encode(), {"Content-Type": "application/jwt"})

    def _answer_emails(self, request: Request) -> Answer:
        if not self._is_authorized(request):
            return Answer(401)
        return json_answer(github_emails(self.script.user))

    def _is_authorized(self, request: Request) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            self.grants.of_access_token(token)
        except Refused:
            return False
        return scheme == "Bearer"

    def _expected(self) -> Expected:
        method = self.script.client_authentication
        # The audience is the token endpoint, but with Apple the issuer.
        audience = self.issuer if method == "apple_client_secret" else f"{self.issuer}/token"
        return Expected(
            method,
            self.client_id,
            self.client_secret,
            self.script.assertion_audience or audience,
            self.script.assertion_issuer,
            self.script.assertion_algorithm,
            decodes_basic=self.script.decodes_basic,
            by_certificate=self.script.wants_certificate,
        )

    def _delete_grant(self, request: Request) -> Answer:
        try:
            expected = replace(self._expected(), method="client_secret_basic")
            check_client(request, expected)
        except Refused:
            return Answer(401)
        token = json.loads(request.body)["access_token"]
        try:
            self.grants.of_access_token(token)
        except Refused:
            return Answer(404)
        self.grants.end(token)
        return Answer(204 if request.method == "DELETE" else 404)

    def _delete_permissions(self, request: Request) -> Answer:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        proof = _proof(self.client_secret, token)
        if request.query.get("appsecret_proof") != proof or request.method != "DELETE":
            return json_answer({"error": {"type": "GraphMethodException", "code": 100}}, 400)
        self.grants.end(token)
        return json_answer({"success": True})

    def _debug_token(self, request: Request) -> Answer:
        """Describe a user's token to an app that authenticates with its own token."""
        app_token = f"{self.client_id}|{self.client_secret}"
        is_app = request.headers.get("authorization") == f"Bearer {app_token}"
        if not is_app or request.query["appsecret_proof"] != _proof(self.client_secret, app_token):
            return json_answer({"error": {"type": "OAuthException", "code": 190}}, 400)
        if request.method != "POST" or request.form["method"] != "get":
            return json_answer({"error": {"type": "OAuthException", "code": 100}}, 400)
        try:
            self.grants.of_access_token(request.form["input_token"])
        except Refused:
            return json_answer({"error": {"type": "OAuthException", "code": 190}}, 400)
        data = {"app_id": self.client_id, "type": "USER", "is_valid": True, "scopes": ["email"]}
        return json_answer({"data": {**data, "expires_at": self.script.token_expires_at}})

    def _revoke_own_token(self, request: Request) -> Answer:
        if not self._is_authorized(request):
            return json_answer({"ok": False, "error": "token_revoked"})
        self.grants.end(request.headers["authorization"].removeprefix("Bearer "))
        return json_answer({"ok": True, "revoked": True})

    def _revoke(self, request: Request) -> Answer:
        try:
            check_client(request, self._expected())
        except Refused as refused:
            return json_answer({"error": refused.error}, 401)
        token = request.form["token"]
        if self.script.revocation_ends == "token":
            self.grants.forget(token)
        else:
            self.grants.end(token)
        return Answer(200)


def _proof(secret: str, token: str) -> str:
    return hmac.new(secret.encode(), token.encode(), "sha256").hexdigest()
