"""Signed tokens for the links in a mail. They hold a keyed hash, never an address or a sequential id."""

import hmac
from binascii import b2a_base64
from functools import cache

import orjson
from itsdangerous import BadData, URLSafeSerializer
from itsdangerous.encoding import base64_decode, base64_encode

from subscribers.errors import TokenInvalid
from subscribers.secrets import Secrets

UNSUBSCRIBE = "unsubscribe"
_URLSAFE = bytes.maketrans(b"+/", b"-_")


@cache
def unsubscribe_signer(secrets: Secrets) -> "LinkSigner":
    """The signer of unsubscribe links, made once for a workspace's secrets: a plan signs one for each mail."""
    return LinkSigner(secrets, UNSUBSCRIBE)


class LinkSigner:
    """Signs and opens tokens for one purpose.

    No time stamp is in the token: an unsubscribe link never expires, and the same person gets the same token, so
    that the same mail has the same bytes. A token for one purpose does not open another (the purpose is the salt).
    """

    def __init__(self, secrets: Secrets, purpose: str) -> None:
        # itsdangerous tries the keys from the newest (last) to the oldest
        self._serializer = URLSafeSerializer(list(reversed(secrets.signing)), salt=f"handpicked {purpose}")
        self._key = self._serializer.make_signer(self._serializer.salt).derive_key()

    def sign(self, key: str) -> str:
        """The token of a subscriber key: what the serializer's `dumps` gives, which takes 60 µs instead of 6; a plan
        signs one for each mail. It derives its key for each token, and tries to make the text shorter with zlib, which
        32 hexadecimal digits never get."""
        payload = _base64(orjson.dumps(key))
        return f"{payload.decode()}.{_base64(hmac.digest(self._key, payload, 'sha1')).decode()}"

    def open(self, token: str) -> str:
        """The subscriber key in the token. Raises TokenInvalid, the same for whatever is wrong with it."""
        if not token.isascii():
            raise TokenInvalid
        try:
            signature = token.rpartition(".")[2]
            # base64 has several spellings of the same bytes (spare bits, ignored characters); ours is one
            if base64_encode(base64_decode(signature)).decode() != signature:
                raise TokenInvalid
            key = self._serializer.loads(token)
        except BadData:
            raise TokenInvalid from None
        if not isinstance(key, str):
            raise TokenInvalid
        return key


def _base64(content: bytes) -> bytes:
    # b64encode and its translation through Python take twice as long
    return b2a_base64(content, newline=False).translate(_URLSAFE).rstrip(b"=")
