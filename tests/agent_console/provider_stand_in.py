"""A stand-in for an identity provider: OpenID Connect's description, keys, and token endpoint over
HTTP on this machine, with tokens that are really signed. No real provider was asked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

CLIENT, SECRET = "hotline", "the-client-secret"


@dataclass
class Provider:
    """What it says can be bent before each sign-in: `claims` go over the right ones."""

    issuer: str = ""
    login: str = "lan"
    claims: dict[str, Any] = field(default_factory=dict)
    keys: list[Any] = field(default_factory=lambda: [RSAKey.generate_key(2048, {"kid": "one"})])
    signs_with: Any = None  # a key that is not published
    forges: str = ""  # "none" or "HS256": what no library would sign
    waits_s: float = 0.0
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def approve(self, address: str) -> dict[str, str]:
        """A person signs in there; what the browser is sent back with."""
        parts = urlsplit(address)
        query = {name: one[0] for name, one in parse_qs(parts.query).items()}
        assert parts.path == "/authorize"
        assert (query["response_type"], query["client_id"]) == ("code", CLIENT)
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(8)
        self.codes[code] = query
        return {"code": code, "state": query["state"]}

    def rotate(self) -> None:
        self.keys = [ECKey.generate_key("P-256", {"kid": "two"})]

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.asked.append(path)
        time.sleep(self.waits_s)
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token", "jwks_uri": f"{self.issuer}/keys",
                "end_session_endpoint": f"{self.issuer}/end",
            }
        if path == "/keys":
            return 200, dict(KeySet(self.keys).as_dict(private=False))
        if path == "/token":
            return self._token(form)
        return 404, {}

    def _token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        asked = self.codes.pop(form.get("code", ""), None)  # good once
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proof = _base64(digest)
        if asked is None or proof != asked["code_challenge"] \
                or form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        key = self.signs_with or self.keys[0]
        header = {"alg": "ES256" if isinstance(key, ECKey) else "RS256", "kid": key.kid}
        claims = {
            "iss": self.issuer, "sub": "1", "aud": CLIENT, "iat": now, "exp": now + 60,
            "nonce": asked["nonce"], "preferred_username": self.login,
        } | self.claims
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.forges:
            signed = self._forged(claims)
        else:
            signed = jwt.encode(header, claims, key, algorithms=[header["alg"]])
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": signed}

    def _forged(self, claims: dict[str, Any]) -> str:
        """Unsigned, or with the published key taken for a secret that both know."""
        head = {"alg": self.forges, "kid": self.keys[0].kid}
        parts = ".".join(_base64(json.dumps(one).encode()) for one in (head, claims))
        secret = self.keys[0].as_pem(private=False)
        mark = hmac.digest(secret, parts.encode(), "sha256") if self.forges == "HS256" else b""
        return f"{parts}.{_base64(mark)}"


def _base64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


class Server:
    """It, listening; `stop` and `start` as often as one likes, at the same address."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._port = 0
        self.start()
        provider.issuer = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        provider = self._provider

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/authorize?"):  # a browser: who is there signs in at once
                    back = parse_qs(urlsplit(self.path).query)["redirect_uri"][0]
                    sent = provider.approve(f"{provider.issuer}{self.path}")
                    self.send_response(302)
                    self.send_header("Location", f"{back}?{urlencode(sent)}")
                    self.end_headers()
                    return
                self._tell(provider.answer(urlsplit(self.path).path, {}))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                signed = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
                if self.headers["Authorization"] != f"Basic {signed}":
                    return self._tell((401, {"error": "invalid_client"}))
                self._tell(provider.answer(
                    self.path, {name: one[0] for name, one in parse_qs(body).items()}
                ))

            def _tell(self, told: tuple[int, dict[str, Any]]) -> None:
                content = json.dumps(told[1]).encode()
                self.send_response(told[0])
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
