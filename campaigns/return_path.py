"""The envelope sender of each mail: an address of its own, signed, by which a bounce tells which mail came back.

Called VERP: `bounces+<token>@example.com`. A report about a mail can say whatever it likes; that it was sent to this
address is the one thing in it that only a mail of ours could have taught anybody.
"""

import base64
import hmac
import re

from campaigns.errors import CampaignsError, SettingsInvalid
from campaigns.settings import SETTINGS_FILE, Settings
from subscribers.addresses import usable
from subscribers.errors import AddressInvalid
from subscribers.secrets import Secrets

_NUMBER = 5  # octets of a row's number: 10^12 mails
_SIGNATURE = 15  # octets, 120 bits; 20 octets in all are 32 letters, without padding or spare bits
_TOKEN = re.compile(r"[a-z2-7]{32}")
LONGEST_LOCAL_PART = 64  # octets: RFC 5321 section 4.5.3.1.1
_DELIMITER = "+"  # what postfix, Exim, Dovecot and the large providers take for a sub-address


class ReturnPathInvalid(CampaignsError):
    """An address that is no return path of a mail of ours. reason: in a few words, for a count."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"this address is no return path of ours: {reason}")
        self.reason = reason


class ReturnPath:
    """Makes and opens return paths below `bounce_address`. Raises SettingsInvalid when that cannot be used.

    The token is the number of the message's row and a signature, in base32 and small letters: mail servers may fold
    the case. It holds no address. The number is masked, so that nobody can read from two mails how many were sent
    between them. The same row has the same return path, until the signing key is changed; the old keys still open.
    """

    def __init__(self, settings: Settings, secrets: Secrets) -> None:
        self._local, self._domain = _parts(settings)
        self._keys = [
            (_derived(key, "return path"), _derived(key, "return path number")) for key in secrets.signing
        ]  # newest first

    def of(self, message_id_row: int) -> str:
        """The return path of the message in this row (`Message.id`)."""
        number = message_id_row.to_bytes(_NUMBER, "big")
        signing, masking = self._keys[0]
        signature = _signature(signing, number)
        token = base64.b32encode(_masked(masking, signature, number) + signature).decode().lower()
        return f"{self._local}{_DELIMITER}{token}@{self._domain}"

    def opened(self, address: str) -> int:
        """The row of the message with this return path. Raises ReturnPathInvalid for anything else."""
        local, _, domain = address.strip().strip("<>").lower().rpartition("@")
        if domain != self._domain.lower() or len(local) > LONGEST_LOCAL_PART:
            raise ReturnPathInvalid("not ours")
        name, delimiter, token = local.rpartition(_DELIMITER)
        if local == self._local.lower():
            raise ReturnPathInvalid("not signed")
        if not delimiter or name != self._local.lower():
            raise ReturnPathInvalid("not ours")
        if not _TOKEN.fullmatch(token):
            raise ReturnPathInvalid("the signature is not ours")
        octets = base64.b32decode(token.upper())
        masked, signature = octets[:_NUMBER], octets[_NUMBER:]
        for signing, masking in self._keys:
            number = _masked(masking, signature, masked)
            if hmac.compare_digest(signature, _signature(signing, number)):
                return int.from_bytes(number, "big")
        raise ReturnPathInvalid("the signature is not ours")


def _parts(settings: Settings) -> tuple[str, str]:
    where = settings.workspace / SETTINGS_FILE
    if not settings.bounce_address:
        raise SettingsInvalid(f"set bounce_address in {where}: without it no mail can come back to us")
    try:
        local, _, domain = usable(settings.bounce_address).rpartition("@")
    except AddressInvalid as error:
        raise SettingsInvalid(f"bounce_address in {where}: {error}") from None
    if not (local + domain).isascii():
        raise SettingsInvalid(f"bounce_address in {where} must be in ASCII: every server has to return mail to it")
    longest = LONGEST_LOCAL_PART - len(_DELIMITER) - 32
    if len(local) > longest:
        raise SettingsInvalid(
            f"bounce_address in {where}: at most {longest} characters before the @; 33 more follow for each mail"
        )
    return local, domain


def _derived(key: str, purpose: str) -> bytes:
    return hmac.digest(key.encode(), f"handpicked {purpose}".encode(), "sha256")


def _signature(key: bytes, number: bytes) -> bytes:
    return hmac.digest(key, number, "sha256")[:_SIGNATURE]


def _masked(key: bytes, signature: bytes, number: bytes) -> bytes:
    """The number under a mask that follows from its signature, as in SIV (RFC 5297); twice gives the number again."""
    mask = hmac.digest(key, signature, "sha256")
    return bytes(each ^ covering for each, covering in zip(number, mask, strict=False))
