"""The two secrets of a workspace, and the keyed hash that stands for an address."""

import hmac
from dataclasses import dataclass

from subscribers.addresses import canonical


@dataclass(frozen=True, repr=False)
class Secrets:
    """`suppression` never changes: it is what remembers a refusal after an erase. `signing` may be rotated: newest
    first, older ones still open links. Has no repr, so that no log can show it."""

    suppression: bytes
    signing: tuple[str, ...]

    def key_of(self, address: str) -> str:
        """128 bits of HMAC-SHA256 over the canonical address, as 32 hex digits.

        Case and Unicode variants of one address give one key.
        """
        spelled = canonical(address).encode("utf-8", "surrogatepass")  # a shell may hand over broken UTF-8
        return hmac.digest(self.suppression, spelled, "sha256").hex()[:32]  # twice as fast as hmac.new
