"""django-allauth and social-auth-app-django: store one account each, and run a recipe's code."""

from __future__ import annotations

import sys
from typing import Any

import django
from django.conf import settings

#: As Google's token endpoint answers.
_ANSWER = {
    "access_token": "ya29.access-of-a-dump",
    "refresh_token": "1//0refresh-of-a-dump",
    "expires_in": 3599,
    "token_type": "Bearer",
    "scope": "openid email",
}


def _configure() -> None:
    settings.configure(
        SECRET_KEY="of tests alone",
        USE_TZ=True,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=[
            *("django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"),
            *("django.contrib.messages", "allauth", "allauth.account", "allauth.socialaccount"),
            *("allauth.socialaccount.providers.google", "social_django"),
        ],
        MIDDLEWARE=["allauth.account.middleware.AccountMiddleware"],
        SOCIALACCOUNT_STORE_TOKENS=True,
    )
    django.setup()


def _store_with_allauth(user: Any) -> None:
    from allauth.socialaccount.models import SocialAccount
    from allauth.socialaccount.providers.google.views import GoogleOAuth2Adapter

    token = GoogleOAuth2Adapter(None).parse_token(_ANSWER)
    account = SocialAccount(user=user, provider="google", uid="1076915", extra_data={})
    account.save()
    token.account = account
    token.save()


def _store_with_social_core(user: Any) -> None:
    from social_core.backends.google import GoogleOAuth2
    from social_django.models import UserSocialAuth
    from social_django.strategy import DjangoStrategy

    backend = GoogleOAuth2(DjangoStrategy(UserSocialAuth))
    extra_data = backend.extra_data(user, "jane@example.com", _ANSWER, {}, {})
    stored = UserSocialAuth(user=user, provider="google-oauth2", uid="jane@example.com")
    stored.set_extra_data(extra_data)
    stored.save()


def main() -> None:
    """Fill a database, and run the code that is given, as `manage.py shell` would."""
    _configure()
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    user = User.objects.create_user("jane")
    _store_with_allauth(user)
    _store_with_social_core(user)
    exec(sys.argv[1], {})  # noqa: S102


if __name__ == "__main__":
    main()
