"""The identity provider (OpenID Connect) beside passwords: the authorization code with PKCE.

It says who somebody is, and how strongly that was made sure; never what they may do. Its
description and keys are fetched with time limits and kept for an hour; what is kept goes on to be
used while it does not answer.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.common.security import generate_token  # type: ignore[import-untyped]
from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]
from authlib.integrations.requests_client import OAuth2Session  # type: ignore[import-untyped]
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from authlib.oidc.discovery import get_well_known_url  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from crm.errors import HotlineError
from crm.settings import Settings

PATIENCE_S = (3.0, 5.0)  # to connect, between two parts of an answer
KEPT_S = 3600.0
DOWN_FOR_S = 120.0  # the sign-in page says so for so long after it did not answer
LEEWAY_S = 60  # between two clocks
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"]
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class ProviderError(HotlineError):
    """Nobody is signed in. `code`: down | refused | untrusted."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True)
class Begun:
    """A sign-in that was begun: what the browser keeps until it comes back."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class Identity:
    """Whom the provider knows. `login`: as it names them; `strong`: by more than a password."""

    login: str
    strong: bool


class IdentityProvider:
    """One provider, as the settings name it."""

    def __init__(self, settings: Settings) -> None:
        if not (settings.oidc_issuer and settings.oidc_client_id and settings.oidc_client_secret):
            raise ValueError("no provider is set")
        self.name = settings.oidc_name
        self._issuer, self._client = settings.oidc_issuer, settings.oidc_client_id
        self._secret = settings.oidc_client_secret
        self._claim, self._strong = settings.oidc_login_claim, frozenset(settings.oidc_strong)
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}
        self._failed_at: float | None = None

    @property
    def is_down(self) -> bool:
        """Whether it did not answer of late."""
        return self._failed_at is not None and time.monotonic() - self._failed_at < DOWN_FOR_S

    def begin(self, back: str) -> tuple[str, Begun]:
        """Where a browser is sent, to come back to the address `back`. Raises ProviderError."""
        begun = Begun(generate_token(32), generate_token(32), generate_token(64))
        url, _state = self._session(back).create_authorization_url(
            self._described()["authorization_endpoint"], state=begun.state, nonce=begun.nonce,
            code_verifier=begun.verifier,
        )
        return str(url), begun

    def finish(self, code: str, begun: Begun, back: str) -> Identity:
        """Who came back with this code. Raises ProviderError."""
        try:
            token = self._session(back).fetch_token(
                self._described()["token_endpoint"], code=code, code_verifier=begun.verifier,
                timeout=PATIENCE_S, allow_redirects=False,
            )
        except OAuthError as error:
            raise ProviderError("refused", f"the code was not taken: {error.error}") from error
        except (requests.RequestException, ValueError) as error:
            raise self._down(error) from error
        claims = self._checked(token, begun.nonce)
        login = claims.get(self._claim)
        if not isinstance(login, str):
            raise ProviderError("untrusted", f"there is no claim {self._claim}")
        how = claims.get("amr") or []
        return Identity(login, bool(self._strong & {claims.get("acr"), *how}))

    def leaving(self, back: str) -> str | None:
        """Where a browser signs out of the provider, too. Raises ProviderError."""
        end = self._described().get("end_session_endpoint")
        if not isinstance(end, str) or not self._is_safe(end):
            return None
        asked = requests.Request(
            "GET", end, params={"client_id": self._client, "post_logout_redirect_uri": back}
        )
        return asked.prepare().url

    def _session(self, back: str) -> OAuth2Session:
        return OAuth2Session(
            self._client, self._secret, redirect_uri=back, scope="openid profile",
            code_challenge_method="S256",
        )

    def _checked(self, token: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        """The claims of an ID token that is signed by the provider, for us, now, and for this
        sign-in."""
        written = token.get("id_token")
        if not isinstance(written, str):
            raise ProviderError("untrusted", "there is no ID token")
        try:
            try:
                read = self._read(written, fresh=False)
            except (InvalidKeyIdError, BadSignatureError):  # its keys may have been changed
                read = self._read(written, fresh=True)
            claims = CodeIDToken(
                read.claims, read.header,
                options={
                    "iss": {"essential": True, "value": self._issuer},
                    "aud": {"essential": True, "value": self._client},
                },
                params={
                    "nonce": nonce, "client_id": self._client,
                    "access_token": token.get("access_token"),
                },
            )
            claims.validate(leeway=LEEWAY_S)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise ProviderError(
                "untrusted", f"the ID token is not good: {type(error).__name__} {error}"
            ) from error
        return dict(claims)

    def _read(self, written: str, *, fresh: bool) -> jwt.Token:
        keys = KeySet.import_key_set(self._fetched(self._described()["jwks_uri"], fresh=fresh))  # type: ignore[arg-type]
        return jwt.decode(
            written, keys, registry=JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        )

    def _described(self) -> dict[str, Any]:
        found = self._fetched(get_well_known_url(self._issuer, external=True))
        if found.get("issuer") != self._issuer:
            raise ProviderError("untrusted", "its description is of another issuer")
        if not all(self._is_safe(found.get(name)) for name in _ENDPOINTS):
            raise ProviderError("untrusted", "its description lacks an address, or one is open")
        return found

    def _is_safe(self, url: object) -> bool:
        """https, or the issuer's own address where that is of this machine or network."""
        if not isinstance(url, str):
            return False
        own, asked = urlsplit(self._issuer), urlsplit(url)
        return asked.scheme == "https" or (asked.scheme, asked.netloc) == (own.scheme, own.netloc)

    def _fetched(self, url: str, *, fresh: bool = False) -> dict[str, Any]:
        at, known = self._kept.get(url, (0.0, None))
        if known is not None and not fresh and time.monotonic() - at < KEPT_S:
            return known
        try:
            answer = requests.get(url, timeout=PATIENCE_S, allow_redirects=False)
            answer.raise_for_status()
            found = answer.json()
            if answer.status_code != requests.codes.ok or not isinstance(found, dict):
                raise ValueError("no JSON object")
        except (requests.RequestException, ValueError) as error:
            if known is not None and not fresh:
                return known
            raise self._down(error) from error
        self._kept[url] = time.monotonic(), found
        self._failed_at = None
        return found

    def _down(self, error: Exception) -> ProviderError:
        self._failed_at = time.monotonic()
        return ProviderError("down", f"the provider does not answer: {type(error).__name__}")
