"""Introduction of the OpenAPI document: how to call the service, and a sign-in from end to end."""

from __future__ import annotations

import json
from typing import Any, Final

from worker.http.schemas.oauth import ExchangeCode
from worker.http.schemas.passwords import HashPassword
from worker.http.schemas.sign_ins import Authorize


def _get_example(body: type[Any]) -> str:
    """Return the first example of a body, as a command line has it."""
    return json.dumps(body.model_config["json_schema_extra"]["examples"][0])


INTRODUCTION: Final = f"""
Your app asks over HTTP; what takes time is a **job** that a worker performs. Every route below
has an example that can be sent as it stands: press **Authorize**, enter a key, then **Try it
out**.

### Keys
`Authorization: Bearer <key>` with each request. `ADMIN_API_KEY` of `.env` may do everything;
give each app a key of its own (`POST /v1/keys`) with the scopes that it needs. The operator
acts for one app by the header `Catfeeder-App`.

### Jobs
A job is answered with `202` at once; `Location` leads to it. With `Prefer: wait=10` the answer
waits up to ten seconds for the job's end, and is `200`. `Idempotency-Key` makes a repeat
return the first job.

```sh
curl -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" -H "Prefer: wait=10" \\
  http://127.0.0.1:5000/v1/passwords/hash -d '{_get_example(HashPassword)}'
```

### A sign-in, by `relay`
1. Begin, in your user's session, and keep `state` there:

```sh
curl -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \\
  http://127.0.0.1:5000/v1/oauth/google/authorize -d '{_get_example(Authorize)}'
```

2. Send the browser to `authorization_url`. With `relay` it comes back to `return_to` with
   `code` and `state`. **Go on only if that `state` is the one in this browser's session**:
   otherwise another person's account could be attached to your user.
3. Redeem both. The result of the job is the connection; its tokens stay here, and are kept
   fresh:

```sh
curl -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" -H "Prefer: wait=10" \\
  http://127.0.0.1:5000/v1/oauth/google/exchange -d '{_get_example(ExchangeCode)}'
```

4. Whenever you call the provider's API, ask for a token that works (scope `tokens:read`): `GET
   /v1/connections/{{connection_id}}/token`.

### Errors
Every error is `application/problem+json` (RFC 9457): act upon `code`; `detail` is for people,
and says what to do. Schemas state what they can. The rest is answered with a code of its own:
a password has to be good enough (`password_…`), a hash of a known form
(`password_hash_invalid`), a cursor from the page before (`cursor_invalid`); names and origins
have to be known (`return_to_forbidden`, `variables_invalid`), settings to fit each other
(`provider_invalid`, `app_invalid`, `api_key_invalid`), and the credentials to fit their provider
(`credentials_invalid`). `429` and `503` carry `Retry-After`.
""".strip()

TAGS: Final = [
    {"name": "passwords", "description": "Hash new passwords, and check those that users type."},
    {
        "name": "oauth",
        "description": "Sign-ins with providers: begin them, and redeem what comes back.",
    },
    {
        "name": "connections",
        "description": "Users' accounts with providers, and tokens that are kept fresh.",
    },
    {"name": "providers", "description": "Where users can sign in; the operator's."},
    {"name": "apps", "description": "The apps that share the service; the operator's."},
    {"name": "keys", "description": "API keys with scopes, an end and a rate; the operator's."},
    {"name": "events", "description": "The audit trail: what happened, when, and by which key."},
    {"name": "jobs", "description": "What was asked, and what became of it."},
    {"name": "queues", "description": "What waits, what failed for good, and pauses."},
    {"name": "server", "description": "Health, metrics, and the end of the service."},
]
