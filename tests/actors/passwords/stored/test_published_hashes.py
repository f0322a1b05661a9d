"""Published hashes: what the software's own tests and manuals print is checked, and no other."""

from __future__ import annotations

import json
from typing import Final

import pytest
from argon2.low_level import Type, hash_secret_raw

from actors.passwords.derivation import is_of
from actors.passwords.rules import parse_hash
from actors.passwords.schemes import choose_scheme, is_outdated
from config import Settings


def keycloak(value: str, salt: str, **parameters: object) -> str:
    """Return a credential as Keycloak exports it."""
    return json.dumps(
        {
            "type": "password",
            "secretData": json.dumps({"value": value, "salt": salt, "additionalParameters": {}}),
            "credentialData": json.dumps(parameters),
        }
    )


def keycloak_argon2() -> str:
    """Return a credential of Keycloak 25, with the parameters that it then has, made here."""
    import base64

    made = hash_secret_raw(b"test", b"s" * 16, 5, 7168, 1, 32, Type.ID)
    return keycloak(
        base64.b64encode(made).decode(),
        base64.b64encode(b"s" * 16).decode(),
        hashIterations=5,
        algorithm="argon2",
        additionalParameters={
            "hashLength": ["32"],
            "memory": ["7168"],
            "type": ["id"],
            "version": ["1.3"],
            "parallelism": ["1"],
        },
    )


_FIREBASE_KEY: Final = (
    "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA=="
)
_FIREBASE_HASH: Final = (
    "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="
)
#: By name, what it is from, the password and the hash.
PUBLISHED: Final = {
    # The README of firebase/scrypt.
    "firebase": (
        "user1password",
        f"$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk={_FIREBASE_KEY}$42xEC+ixf3L2lw==${_FIREBASE_HASH}",
    ),
    # PasswordHasherTest of ASP.NET Core.
    "asp-net-2": (
        "my password",
        "AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggHIVY0sdEUfdyeM+E1LtH1uJg==",
    ),
    "asp-net-3-sha1": (
        "my password",
        "AQAAAAAAAAD6AAAAEAhftMyfTJylOlZT+eEotFXd1elee8ih5WsjXaR3PA9M",
    ),
    "asp-net-3-sha256": (
        "my password",
        (
            "AQAAAAEAA9CQAAAAIESkQuj2Du8Y+kbc5lcN/W/3NiAZFEm11P27nrSN5/tId+bR1SwV8CO1Jd72r4C08OLvplNlCDc"
            "3oQZ8efcW+jQ="
        ),
    ),
    # A test by Novareto against Keycloak's own provider.
    "keycloak-pbkdf2": (
        "test",
        keycloak(
            "/bVkHA4G/VOskjaCgNYyTz1BhgD+9X8bxCNEPGGpnDCJbWHDXIW0G8IlSBhDdJsXTjrXt/7yQguBwJ3sxSmSKA==",
            "lZtleWv1DeEcNIr8MTzdeg==",
            hashIterations=27500,
            algorithm="pbkdf2-sha256",
            additionalParameters={},
        ),
    ),
    "keycloak-argon2": ("test", keycloak_argon2()),
    # Spring Security's reference, "Password Storage Format".
    "spring-bcrypt": (
        "password",
        "{bcrypt}$2a$10$dXJ3SW6G7P50lGmMkkmwe.20cQQubK3.HZWzG3YB1tlRy.fqvM/BG",
    ),
    "spring-pbkdf2": (
        "password",
        "{pbkdf2}5d923b44a6d129f3ddf3e3c8d29412723dcbde72445e8ef6bf3b508fbf17fa4ed4d6b99ca763d8dc",
    ),
    "spring-scrypt": (
        "password",
        (
            "{scrypt}$e0801$8bWJaSu2IKSn9Z9kM+TPXfOc/9bdYSrN1oD9qfVThWEwdRTnO7re7Ei+fUZRJ68k9lTyuTeUp4of"
            "4g24hHnazw==$OAOec05+bXxvuu/1qZ6NUR+xQYvYv7BeL1QxwRpY5Pc="
        ),
    ),
    # WordPress Playground's pinned administrator.
    "wordpress": ("admin", "$wp$2y$10$Q1xinFjrZeLWJBvxviIL6u834Fu.evIEFHAUVisQ5O.w9Dm0sMdES"),
    # Hashcat's example hashes.
    "phpass": ("hashcat", "$P$984478476IagS59wHZvyQMArzfx58u."),
    "phpass-phpbb": ("hashcat", "$H$984478476IagS59wHZvyQMArzfx58u."),
    "drupal-7": ("hashcat", "$S$C33783772bRXEx1aCsvY.dqgaaSu76XmVlKrW9Qu8IQlvxHlmzLf"),
    "ssha": ("hashcat", "{SSHA}AZKja92fbuuB9SpRlHqaoXxbTc43Mzc2MDM1Ng=="),
    "ssha-512": (
        "hashcat",
        (
            "{SSHA512}ALtwKGBdRgD+U0fPAy31C28RyKYx7+a8kmfksccsOeLknLHv2DBXYI7TDnTolQMBuPkWDISgZr2cHfnNPF"
            "jGZTEyNDU4OTkw"
        ),
    ),
    # U. Drepper's specification of SHA-crypt.
    "sha-256-crypt": ("Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
    "sha-512-crypt": (
        "Hello world!",
        (
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEO"
            "faS35inz1"
        ),
    ),
    # test.c of the reference implementation of Argon2.
    "argon2id": (
        "password",
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    ),
    "argon2i": (
        "password",
        "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
    ),
    "argon2i-1.0": (
        "password",
        "$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_hash_is_of_its_password_alone(name: str, settings: Settings) -> None:
    # Given a hash of other software
    password, text = PUBLISHED[name]
    stored = parse_hash(text.encode())
    # Then it is confirmed for its password, and for no other
    assert is_of(password.encode(), stored)
    assert not is_of(password.encode() + b"!", stored)
    # And both schemes of ours would replace it, whose repr shows nothing
    for scheme in ("bcrypt", "argon2id"):
        assert is_outdated(stored, choose_scheme(settings.passwords, scheme))
    assert text[-8:] not in repr(stored)
