"""Peer of sign-ins: a bare loop of Authlib, `python -m ... ISSUER THREADS COUNT FILE`.

Each redeems a code, verifies the id_token, and stores the tokens in SQLite. It begins no sign-in,
checks no state, seals nothing and answers no one. Prints the seconds, and those of a core.
"""

from __future__ import annotations

import json
import secrets
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

import peewee
import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

from benchmarks.tokens.openid_provider import CLIENT_ID, CLIENT_SECRET

database: Final = peewee.SqliteDatabase(None, pragmas={"journal_mode": "wal"}, timeout=30)
_local: Final = threading.local()


class Connection(peewee.Model):
    """An account with its tokens."""

    id = peewee.AutoField()
    subject = peewee.CharField(max_length=255, unique=True)
    profile = peewee.TextField()
    access_token = peewee.TextField()
    refresh_token = peewee.TextField()
    expires_at = peewee.DateTimeField()

    class Meta:
        """Names the database."""

        database = database


def _sign_in(metadata: dict[str, Any], keys: KeySet, nonce: str) -> None:
    if not hasattr(_local, "session"):
        _local.session = OAuth2Session(
            CLIENT_ID, CLIENT_SECRET, token_endpoint_auth_method="client_secret_post"
        )
    tokens = _local.session.fetch_token(
        metadata["token_endpoint"],
        code=nonce,
        code_verifier=secrets.token_urlsafe(48),
        redirect_uri="http://127.0.0.1/callback",
    )
    decoded = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"])
    claims = CodeIDToken(
        decoded.claims,
        decoded.header,
        options={
            "iss": {"essential": True, "value": metadata["issuer"]},
            "aud": {"essential": True, "value": CLIENT_ID},
        },
        params={"nonce": nonce, "client_id": CLIENT_ID},
    )
    claims.validate(leeway=60)
    Connection.insert(
        subject=claims["sub"],
        profile=json.dumps({"email": claims["email"], "name": claims["name"]}),
        access_token=tokens["access_token"],
        refresh_token=tokens["refresh_token"],
        expires_at=datetime.fromtimestamp(tokens["expires_at"], UTC),
    ).execute()


def main(issuer: str, threads: int, count: int, file: str) -> None:
    """Sign in so many times by so many threads."""
    database.init(file)
    database.create_tables([Connection])
    metadata = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=10).json()
    keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=10).json())
    nonces = [secrets.token_urlsafe(16) for _ in range(count)]
    _sign_in(metadata, keys, secrets.token_urlsafe(16))
    busy, began = time.process_time(), time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(_sign_in, metadata, keys, nonce) for nonce in nonces]:
            done.result()
    print(json.dumps([time.perf_counter() - began, time.process_time() - busy]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
