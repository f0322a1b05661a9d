"""User info in the shape of each provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

_User = Mapping[str, Any]


def openid(user: _User) -> dict[str, Any]:
    """Answer as OpenID Connect Core section 5.3 says; Google does."""
    return {
        "sub": user["id"],
        "name": user["name"],
        "email": user["email"],
        "email_verified": user["email_verified"],
        "picture": user["picture"],
    }


def facebook(user: _User) -> dict[str, Any]:
    """Answer as Facebook's /me: the picture lies deep, and nothing is said of the address."""
    return {
        "id": user["id"],
        "name": user["name"],
        "email": user["email"],
        "picture": {"data": {"height": 50, "is_silhouette": False, "url": user["picture"]}},
    }


def github(user: _User) -> dict[str, Any]:
    """Answer as GitHub's /user: a number for an id, and the public address alone."""
    return {
        "login": "jane",
        "id": int(user["id"]),
        "name": user["name"],
        "avatar_url": user["picture"],
        "email": "public@example.com",
        "two_factor_authentication": True,
    }


def github_emails(user: _User) -> list[dict[str, Any]]:
    """Answer as GitHub's /user/emails."""
    return [
        {"email": "old@example.com", "primary": False, "verified": True, "visibility": None},
        {
            "email": user["email"],
            "primary": True,
            "verified": user["email_verified"],
            "visibility": "private",
        },
    ]


def microsoft(user: _User) -> dict[str, Any]:
    """Answer as Microsoft's OpenID user info: a tenant's administrator sets the address."""
    return {
        "sub": user["id"],
        "name": user["name"],
        "email": user["email"],
        "picture": "https://graph.microsoft.com/v1.0/me/photo/$value",
    }


def linkedin(user: _User) -> dict[str, Any]:
    """Answer as LinkedIn: the locale is an object."""
    return {**openid(user), "locale": {"country": "US", "language": "en"}}


def x(user: _User) -> dict[str, Any]:
    """Answer as X: all of it under `data`, the address only when it is confirmed."""
    data = {
        "id": user["id"],
        "name": user["name"],
        "username": "jane",
        "profile_image_url": user["picture"],
    }
    if user["email_verified"]:
        data["confirmed_email"] = user["email"]
    return {"data": data}


def discord(user: _User) -> dict[str, Any]:
    """Answer as Discord: the picture is a hash alone."""
    return {
        "id": user["id"],
        "username": "jane",
        "discriminator": "0",
        "global_name": user["name"],
        "avatar": "8342729096ea3675442027381ff50dfe",
        "email": user["email"],
        "verified": user["email_verified"],
    }


def spotify(user: _User) -> dict[str, Any]:
    """Answer as Spotify: the address is not verified."""
    return {
        "id": user["id"],
        "display_name": user["name"],
        "email": user["email"],
        "images": [{"url": user["picture"], "height": 300}, {"url": "https://example.com/small"}],
        "product": "open",
    }


def slack(user: _User) -> dict[str, Any]:
    """Answer as Slack: a user is one of a workspace."""
    names = {"https://slack.com/user_id": user["id"], "https://slack.com/team_id": "T0R7GR"}
    return {"ok": True, **openid(user), **names}


SHAPES: Final[Mapping[str, Callable[[_User], dict[str, Any]]]] = {
    "openid": openid,
    "google": openid,
    "facebook": facebook,
    "github": github,
    "microsoft": microsoft,
    "linkedin": linkedin,
    "x": x,
    "discord": discord,
    "spotify": spotify,
    "gitlab": openid,
    "slack": slack,
    "slack_app": slack,
    "apple": openid,
}
