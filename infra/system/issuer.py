"""An authorization server on the loopback interface: it publishes a key and signs tokens with it."""

import base64
import http.server
import json
import threading
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

KEY_ID = "system-test"


class Issuer:
    def __init__(self):
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        numbers = self._key.public_key().public_numbers()
        jwk = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": KEY_ID, "n": number(numbers.n), "e": number(numbers.e)}
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/oauth2/aus1"
        self._server.documents = {
            "/oauth2/aus1/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/v1/keys"},
            "/oauth2/aus1/.well-known/oauth-authorization-server": {"issuer": self.url, "jwks_uri": f"{self.url}/v1/keys"},
            "/oauth2/aus1/v1/keys": {"keys": [jwk]},
        }
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def token(self, claims):
        """A signed token. The claims replace those of a valid one."""
        now = int(time.time())
        claims = {"iss": self.url, "iat": now, "nbf": now - 5, "exp": now + 300, "ver": 1} | claims
        signed = ".".join(encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": KEY_ID}, claims))
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{encoded(signature)}"

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        document = self.server.documents.get(self.path)
        body = json.dumps(document or {}).encode()
        self.send_response(200 if document else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def encoded(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def number(value):
    return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))
