"""HTTP statuses by error code.

By code and not by class: a job's failure reaches the web process as a code alone. A test walks the
subclasses of CatFeederError: each that can reach a caller has an entry, and no entry lacks a class.
"""

from __future__ import annotations

from typing import Final

STATUS_BY_CODE: Final = {
    "address_forbidden": 422,
    "api_key_invalid": 422,
    "api_key_unknown": 404,
    "app_exists": 409,
    "app_in_use": 409,
    "app_invalid": 422,
    "app_unknown": 404,
    "body_too_large": 413,
    "browser_mismatch": 400,
    "code_invalid": 422,
    "connection_busy": 503,
    "connection_unknown": 404,
    "cursor_invalid": 422,
    "database_unreachable": 503,
    "discovery_needed": 503,
    "host_not_trusted": 400,
    "id_token_invalid": 502,
    "idempotency_key_reused": 422,
    "issuer_mismatch": 400,
    "job_cancelled": 409,
    "job_expired": 404,
    "job_not_cancellable": 409,
    "job_outdated": 503,
    "job_timeout": 504,
    "key_lacks_scope": 403,
    "key_required": 401,
    "key_unknown": 401,
    "media_type_unsupported": 415,
    "message_too_large": 413,
    "outcome_unknown": 409,
    "parameters_invalid": 400,
    "password_blank": 422,
    "password_has_nul": 422,
    "password_hash_invalid": 422,
    "password_hash_too_slow": 422,
    "password_not_text": 422,
    "password_too_common": 422,
    "password_too_long": 422,
    "password_too_short": 422,
    "provider_in_use": 409,
    "provider_invalid": 422,
    "provider_misbehaved": 502,
    "provider_not_configured": 409,
    "provider_paused": 503,
    "provider_refused": 502,
    "provider_unknown": 404,
    "provider_unreachable": 502,
    "queue_full": 503,
    "queue_overloaded": 429,
    "queue_unreachable": 503,
    "rate_exceeded": 429,
    "reauthorization_required": 409,
    "redirect_mismatch": 400,
    "refresh_token_missing": 409,
    "renewal_broken": 503,
    "renewal_delayed": 503,
    "renewal_failing": 503,
    "renewal_too_soon": 409,
    "return_to_forbidden": 400,
    "rounds_out_of_range": 422,
    "scope_invalid": 422,
    "server_stopping": 503,
    "sign_in_refused": 400,
    "state_expired": 400,
    "state_missing": 400,
    "state_unknown": 400,
    "state_used": 400,
    "subject_invalid": 422,
    "token_invalid": 422,
    "token_source_invalid": 422,
    "too_many_attempts": 429,
    "too_many_wrong_keys": 429,
}


def get_status(code: str) -> int:
    """Return the HTTP status for an error code; 500 for one that the table does not have."""
    return STATUS_BY_CODE.get(code, 500)
