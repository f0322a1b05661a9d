"""Options of a sign-in, by the same names in Python, HTTP and the authorization request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict


class RequestParameters(TypedDict, total=False):
    """What one sign-in asks of its provider (OpenID Connect Core section 3.1.2.1).

    A parameter of it stands in place of that of the provider's `authorization_parameters`.
    """

    #: What the provider's pages do: `none`, `login`, `consent`, `select_account`.
    prompt: str | None
    #: The user to expect, such as an address.
    login_hint: str | None
    #: How many seconds ago the user may have logged in with the provider.
    max_age: int | None
    #: How the user shall be authenticated, the best first; an `acr` that is none is refused.
    acr_values: str | None
    #: Whether the id_token has to prove one of `acr_values` (OpenID Connect Core section 5.5.1.1).
    acr_essential: bool | None
    #: Languages of the provider's pages, the best first.
    ui_locales: str | None
    #: Where the token is to be used (RFC 8707): an absolute URI, or several.
    resource: str | Sequence[str] | None


class SignInOptions(RequestParameters, total=False):
    """What an app may ask of a sign-in."""

    #: The asking app's own name for its user; it needs `relay` or `unbound`.
    subject: str | None
    #: Scopes parted by spaces, in place of the provider's usual ones.
    scope: str | None
    #: Where the callback sends the browser in the end.
    return_to: str | None
    #: Whether the callback passes the answer on to `return_to` as it came, for `exchange_code`.
    relay: bool
    #: Whether any browser that ends the sign-in may be attached to `subject`; it is on record.
    unbound: bool
    #: What the provider's URLs are filled in with, such as the subdomain of a customer.
    variables: Mapping[str, str] | None
    #: Whether the connection is to last; None leaves it to the provider's setting.
    offline_access: bool | None


def check_sign_in_options(options: SignInOptions) -> dict[str, Any]:
    """Return the options that are given.

    Raises:
        TypeError: There is no such option.
    """
    if unknown := options.keys() - SignInOptions.__optional_keys__:
        raise TypeError(f"authorize() has no option {', '.join(sorted(unknown))}")
    return {name: value for name, value in options.items() if value is not None}
