"""Verbs of passwords: hash, check, and ask the policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from catfeeder.http_api import ApiRequest
from catfeeder.logins import LOGIN_TIMEOUT_SECONDS
from catfeeder.messages import CHECK_PASSWORD, HASH_PASSWORD
from catfeeder.results import PasswordCheck, PasswordHash, PolicyVerdict
from catfeeder.sealing import Secret
from catfeeder.verbs.job_requests import API_TIMEOUT_SECONDS, JobRequest, LoginRequest, wrap_secret


class PasswordVerbs:
    """What an app may ask for of passwords."""

    def hash_password(
        self,
        password: str | bytes | Secret,
        rounds: int | None = None,
        *,
        scheme: str | None = None,
        argon2: str | None = None,
        user_inputs: Sequence[str] = (),
    ) -> JobRequest[PasswordHash]:
        """Ask for a hash, by the service's own scheme and cost unless others are named.

        `scheme` is `bcrypt`, which takes `rounds` of 10 to 16, or `argon2id`, which takes the name
        of a set of parameters as `argon2`. `user_inputs` are what an attacker knows of the user:
        a password made of them is refused.
        """
        arguments: dict[str, Any] = {"password": wrap_secret(password), "rounds": rounds}
        more = {"scheme": scheme, "argon2": argon2, "user_inputs": list(user_inputs)}
        return JobRequest(HASH_PASSWORD, arguments | _name_given(more))

    def check_password(
        self,
        password: str | bytes | Secret,
        password_hash: str | bytes | Secret | None,
        *,
        rehash: bool = False,
        scheme: str | None = None,
    ) -> JobRequest[PasswordCheck]:
        """Ask whether a hash is of a password, and with `rehash` for a new hash where it is due.

        Pass None where there is no such user: the answer is no, and takes as long as any other.
        `scheme` is what a new hash is made with, unless it is the service's own.
        """
        stored = None if password_hash is None else wrap_secret(password_hash)
        arguments: dict[str, Any] = {"password": wrap_secret(password), "password_hash": stored}
        more = {"rehash": rehash, "scheme": scheme}
        return JobRequest(CHECK_PASSWORD, arguments | _name_given(more))

    def login(
        self,
        password: str | bytes | Secret,
        password_hash: str | bytes | Secret | None,
        *,
        scheme: str | None = None,
        timeout: float = LOGIN_TIMEOUT_SECONDS,
    ) -> LoginRequest:
        """Check a password at a login, and return whether it is right and what to store.

        Pass None as `password_hash` where there is no such user: the check takes as long. The
        policy for new passwords is not applied. Where the hash is outdated, `new_hash` takes its
        place; it is made in the same job.

        Raises:
            JobTimeout: It has not ended within `timeout` seconds.
            JobFailed: The hash is of no known form, or the password has a NUL.
            QueueUnreachable: Redis did not answer.
        """
        # A client has verbs of the same names, which send what these only build.
        check = PasswordVerbs.check_password(
            self, password, password_hash, rehash=True, scheme=scheme
        )
        return LoginRequest(check, timeout)

    def check_policy(
        self,
        password: str | Secret,
        *,
        user_inputs: Sequence[str] = (),
        scheme: str | None = None,
        timeout: float = API_TIMEOUT_SECONDS,
    ) -> ApiRequest[PolicyVerdict]:
        """Return over HTTP whether a new password would be taken, with every reason why not.

        `scheme` is what it would be hashed with, unless it is the service's own.

        Raises:
            ApiNotGiven: The client was made without `api_url` and `api_key`.
            RequestRefused: The service refused it.
            ServiceUnreachable: It did not answer within `timeout` seconds.
        """
        body = {
            "password": wrap_secret(password).reveal(),
            **_name_given({"user_inputs": [*user_inputs], "scheme": scheme}),
        }
        return ApiRequest(PolicyVerdict, timeout, "POST", "/v1/passwords/policy", body)


def _name_given(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that are given: a service of an earlier release takes none of them."""
    return {name: value for name, value in arguments.items() if value}
