"""A connection to the mail server, greeted, secured and logged in: as far as `smtplib` takes it, it does."""

import smtplib
import socket
import ssl
from dataclasses import dataclass
from functools import cache

from campaigns.errors import SettingsInvalid, TransportUnavailable
from campaigns.settings import Settings

CONNECT_SECONDS = 60
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Opened:
    """A connection at which MAIL may be said. The socket does not block. extensions: of EHLO, in lower case."""

    connection: smtplib.SMTP
    sock: socket.socket
    extensions: frozenset[str]

    def close(self) -> None:
        """Hang up."""
        self.connection.close()


class LoginRefused(TransportUnavailable):
    """The server does not take our name, our password or our kind of encryption: trying again will not help."""


def check(settings: Settings) -> None:
    """Whether these settings can send by SMTP at all. Raises SettingsInvalid."""
    if not settings.smtp_host:
        raise SettingsInvalid("set smtp_host in handpicked.toml to send by SMTP")
    on_this_machine = settings.smtp_host in _LOOPBACK
    if settings.smtp_security == "none" and not on_this_machine:
        raise SettingsInvalid("smtp_security = none is only for a server on this machine; use starttls or tls")
    if not settings.public_url.startswith("https://") and not on_this_machine:
        raise SettingsInvalid("set public_url to an https:// address: unsubscribe links must work (RFC 8058)")


def open_connection(settings: Settings, context: ssl.SSLContext | None = None) -> Opened:
    """Connect, EHLO, STARTTLS, AUTH, as the settings say. Raises TransportUnavailable, LoginRefused."""
    where = f"{settings.smtp_host}:{settings.smtp_port}"
    if context is None and settings.smtp_security != "none":
        context = _context()
    connection: smtplib.SMTP | None = None
    try:
        if settings.smtp_security == "tls":
            connection = smtplib.SMTP_SSL(timeout=CONNECT_SECONDS, context=context)
        else:
            connection = smtplib.SMTP(timeout=CONNECT_SECONDS)
        connection._host = settings.smtp_host  # type: ignore[attr-defined]  # the name that TLS checks: set by the constructor only where it connects itself
        code, greeting = connection.connect(settings.smtp_host, settings.smtp_port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, greeting)
        if settings.smtp_security == "starttls":
            connection.starttls(context=context)
        connection.ehlo_or_helo_if_needed()
        if settings.smtp_username:
            connection.login(settings.smtp_username, settings.smtp_password.get_secret_value())
    except (smtplib.SMTPException, OSError) as error:
        if connection is not None:
            connection.close()
        lasting = isinstance(error, smtplib.SMTPAuthenticationError | smtplib.SMTPNotSupportedError | ssl.SSLError)
        if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code < 500:
            lasting = False
        kind = LoginRefused if lasting else TransportUnavailable
        raise kind(f"the mail server {where} cannot be used now: {_said(error)}; what is left stays planned") from error
    sock = connection.sock
    assert sock is not None  # connected
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    return Opened(connection, sock, frozenset(connection.esmtp_features))


@cache
def _context() -> ssl.SSLContext:
    """Made once: reading the machine's certificates takes 18 ms."""
    return ssl.create_default_context()


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error
        return f"{error.smtp_code} {text.decode('utf-8', 'replace') if isinstance(text, bytes) else text}"
    return str(error) or type(error).__name__
