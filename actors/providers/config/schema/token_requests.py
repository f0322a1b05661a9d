"""Token request settings: format, names, further parameters and headers, and where tokens stand."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from actors.providers.config.schema.types.fields import TemplateURL
from actors.providers.config.schema.types.parameters import (
    CallbackParameter,
    Headers,
    MemberPath,
    ParameterNames,
    Parameters,
    PlainMembers,
    TokenExchangeSettings,
    TokenMember,
)
from actors.providers.config.schema.types.part import SettingsPart


class TokenRequestSettings(SettingsPart):
    """How the token endpoint is asked and answers, where not as RFC 6749 has it."""

    refresh_endpoint: TemplateURL | None = None
    token_request_format: Literal["form", "json", "query"] | None = None
    token_request_method: Literal["GET", "POST"] | None = None
    device_authorization_parameters: Parameters | None = None
    token_parameters: Parameters | None = None
    refresh_parameters: Parameters | None = None
    token_headers: Headers | None = None
    token_parameter_names: ParameterNames | None = None
    callback_parameters: list[CallbackParameter] | None = Field(default=None, max_length=20)
    token_response_paths: dict[TokenMember, MemberPath] | None = None
    prolonging_answer: PlainMembers | None = None
    token_answer: Literal["standard", "slack_app"] | None = None
    redirect_uri_at_renewal: bool | None = None
    single_resource_tokens: bool | None = None
    long_lived_token: TokenExchangeSettings | None = None
    appsecret_proof: bool | None = None
