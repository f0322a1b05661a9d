"""Peer of the token read: a bare endpoint that reads one row by Peewee and opens one seal."""

from __future__ import annotations

import os

import peewee
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import FastAPI
from playhouse.postgres_ext import Psycopg3Database

_NONCE_BYTES = 12
_URL = os.environ["BENCHMARK_DATABASE_URL"]
# Each thread keeps the connection that its first query opens: nothing is quicker.
database = (
    peewee.SqliteDatabase(_URL.removeprefix("sqlite:///"))
    if _URL.startswith("sqlite:")
    else Psycopg3Database(_URL)
)
cipher = AESGCM(bytes.fromhex(os.environ["BENCHMARK_KEY"]))
app = FastAPI()


class Token(peewee.Model):
    """A sealed token by its id."""

    id = peewee.CharField(max_length=36, primary_key=True)
    access_token = peewee.BlobField()

    class Meta:
        """Names the table."""

        database = database
        table_name = "bare_tokens"


def _store(token_id: str, text: str) -> None:
    nonce = os.urandom(_NONCE_BYTES)
    sealed = nonce + cipher.encrypt(nonce, text.encode(), None)
    with database.connection_context():
        database.create_tables([Token])
        Token.insert(id=token_id, access_token=sealed).execute()


def _read(token_id: str) -> dict[str, str]:
    sealed = bytes(Token.get_by_id(token_id).access_token)
    opened = cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
    return {"access_token": opened.decode()}


@app.get("/threaded/{token_id}")
def read_in_thread(token_id: str) -> dict[str, str]:
    """Read in a thread of the pool, as FastAPI calls what is not asynchronous."""
    return _read(token_id)


@app.get("/blocking/{token_id}")
async def read_in_loop(token_id: str) -> dict[str, str]:
    """Read in the event loop, which waits meanwhile."""
    return _read(token_id)


_store(os.environ["BENCHMARK_TOKEN_ID"], f"access-{0:040}")
