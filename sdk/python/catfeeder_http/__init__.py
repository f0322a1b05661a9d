"""Typed client of Cat Feeder's auth worker over HTTP: `connect`, then one function an operation.

`api` and `models` are generated from /openapi.json. What is written by hand waits for jobs, tries
again what is safe to try again, turns problems into errors, and verifies webhooks.
"""

from __future__ import annotations

from .faults import (
    CatFeederError,
    InvalidApiKey,
    JobCancelled,
    JobFailed,
    JobTimeout,
    ProblemAnswered,
    ServiceUnreachable,
    SignInRefused,
    StateMismatch,
    WebhookNotOurs,
)
from .logins import Login
from .service import CatFeeder, connect
from .sign_ins import SignIn
from .webhooks import verify_webhook

__all__ = (
    "CatFeeder",
    "CatFeederError",
    "InvalidApiKey",
    "JobCancelled",
    "JobFailed",
    "JobTimeout",
    "Login",
    "ProblemAnswered",
    "ServiceUnreachable",
    "SignIn",
    "SignInRefused",
    "StateMismatch",
    "WebhookNotOurs",
    "connect",
    "verify_webhook",
)
