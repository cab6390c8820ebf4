"""The settings of a workspace: the only reader of the environment and of configuration files.

Each setting is looked for in the environment (HANDPICKED_…), then in `handpicked.toml` of the workspace, then here.
"""

import json
import os
import secrets as random_secrets
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from campaigns.errors import SettingsInvalid
from engine.render.content import Sender
from engine.render.environment import SHIPPED, TemplateFolders
from subscribers.addresses import usable
from subscribers.errors import AddressInvalid
from subscribers.secrets import Secrets

SETTINGS_FILE = "handpicked.toml"
SECRETS_FILE = "secrets.json"


class Settings(BaseSettings):
    """What can be set. The reference in docs/settings.md is made from these descriptions."""

    model_config = SettingsConfigDict(env_prefix="HANDPICKED_", extra="forbid")

    workspace: Path = Field(default=Path("workspace"), exclude=True, description="The folder everything is kept in.")
    database_url: str = Field(
        default="", description="SQLAlchemy address of the database. Empty: an SQLite file in the workspace."
    )
    public_url: str = Field(
        default="http://127.0.0.1:8025",
        description="Where subscribers reach unsubscribe pages and pictures. Must be https:// before SMTP is used.",
    )
    sender_name: str = Field(default="", max_length=200, description="The name mails come from.")
    sender_address: str = Field(default="", description="The address mails come from.")
    postal_address: str = Field(
        default="", max_length=300, description="The sender's postal address; stands in every mail, as the law asks."
    )
    website: str = Field(default="", description="The shop's home page, where buttons lead.")
    currency: str = Field(default="GBP", min_length=3, max_length=3, description="Currency of order files without one.")
    smtp_host: str = Field(default="", description="Mail server for the smtp transport.")
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How the connection is secured: starttls, tls, or none (loopback only)."
    )
    smtp_username: str = Field(default="", description="User name for the mail server; empty for none.")
    smtp_password: SecretStr = Field(default=SecretStr(""), description="Password for the mail server.")
    smtp_connections: int = Field(
        default=8, ge=1, le=100, description="How many connections to the mail server one sender keeps open."
    )
    senders: int = Field(
        default=0, ge=0, le=64, description="Processes that send a run by SMTP side by side. 0: one for each core."
    )
    mails_per_second: float = Field(
        default=0,
        ge=0,
        description="The most mails a second that leave by SMTP, over all processes and campaigns. 0: no limit.",
    )
    domain_mails_per_second: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default={}, description='The same for recipients of one domain: {"example.com" = 5}.'
    )
    retry_days: float = Field(
        default=2, gt=0, le=14, description="How long a mail that the other side put off (4xx) is tried again, in days."
    )
    pause_at_failures: float = Field(
        default=0.1, gt=0, le=1, description="The share of refused mails from which a run pauses itself."
    )
    pause_at_bounces: float = Field(
        default=0.05, gt=0, le=1, description="The share of mails that came back from which a run pauses itself."
    )
    pause_after: int = Field(
        default=100, ge=1, description="How many mails must have been tried before a run may pause itself."
    )
    quiet_hours: str = Field(
        default="",
        pattern=r"^(([01]?\d|2[0-3])-([01]?\d|2[0-3]))?$",
        description='Hours in which nobody gets a mail by SMTP, in their own time zone: "21-8". Empty: none.',
    )
    frequency_cap: int = Field(
        default=0, ge=0, le=1_000, description="The most mails a person gets from all campaigns together. 0: no limit."
    )
    frequency_days: int = Field(default=7, ge=1, le=365, description="The days over which frequency_cap counts.")
    dkim_domain: str = Field(default="", description="The domain that signs. Empty: that of sender_address.")
    dkim_keys: dict[str, Path] = Field(
        default={}, description='Private keys in PEM by their selector: {"ed2026" = "keys/ed.pem"}; each one signs.'
    )
    bounce_address: str = Field(
        default="",
        description="Where undeliverable mails return to, such as bounces@example.com; a sub-address for each mail.",
    )
    language: str = Field(
        default="en",
        pattern="^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
        description="The language campaigns are written in, for everybody whose own language they are not written in.",
    )
    require_approval: bool = Field(
        default=False, description="A campaign goes out only as an approver has approved it; else the run asks."
    )
    studio_url: str = Field(
        default="",
        description="Where people reach the studio when it is not on this machine, such as https://studio.example.com.",
    )
    studio_hours: int = Field(
        default=12, ge=1, le=720, description="How long somebody stays logged in to the studio, in hours."
    )
    train_at: str = Field(default="0 3 * * *", description="When the scheduler trains the model anew: cron, UTC.")
    repeat_mails: int = Field(
        default=3,
        ge=0,
        le=100,
        description="A product shown in somebody's last N mails is not shown again, unless they showed new interest.",
    )
    view_delay_minutes: int = Field(
        default=60, ge=0, le=525_600, description="How old a look or click must be before a pick may follow from it."
    )
    label_people: int = Field(
        default=5, ge=1, le=1_000_000, description="How many people must share a label before it is used in a profile."
    )
    sensitive_types: list[str] = Field(
        default=[], description="Product types that are never picked, and from which nothing is inferred."
    )
    replenish_days: dict[str, Annotated[int, Field(ge=1, le=3_650)]] = Field(
        default={}, description="Days until a product of a type is used up and may be picked again: {Creams = 60}."
    )

    @field_validator("sender_address")
    @classmethod
    def _address(cls, value: str) -> str:
        try:
            return usable(value) if value else ""
        except AddressInvalid as error:
            raise ValueError(error.reason) from None

    @field_validator("public_url", "website", "studio_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must start with https:// (or http:// on this machine)")
        return value.rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, _toml_of(init_settings()))

    @property
    def database(self) -> str:
        """The database's address, with the default filled in."""
        return self.database_url or f"sqlite:///{self.workspace / 'handpicked.db'}"

    @property
    def models(self) -> Path:
        """Where trained models are kept."""
        return self.workspace / "models"

    @property
    def media(self) -> Path:
        """Where drawn pictures are kept."""
        return self.workspace / "media"

    @property
    def outbox(self) -> Path:
        """The Maildir of the outbox transport."""
        return self.workspace / "outbox"

    @property
    def rejects(self) -> Path:
        """Where rejected rows of imports are kept."""
        return self.workspace / "rejects"

    @property
    def templates(self) -> TemplateFolders:
        """Where templates are looked for: the workspace's own first."""
        return TemplateFolders((self.workspace / "templates", SHIPPED))

    def sender(self) -> Sender:
        """Who mails come from. Raises SettingsInvalid when what every mail needs is not set."""
        missing = [name for name in ("sender_name", "sender_address", "postal_address") if not getattr(self, name)]
        if missing:
            where = self.workspace / SETTINGS_FILE
            raise SettingsInvalid(f"set {', '.join(missing)} in {where}: no mail can be made without")
        return Sender(self.sender_name, self.sender_address, self.postal_address, self.website or self.public_url)


def load_settings(workspace: Path) -> Settings:
    """The settings of this workspace; the folder need not exist yet. Raises SettingsInvalid."""
    try:
        return Settings(workspace=workspace)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsInvalid(
            f"setting {name}: {first['msg']} ({SETTINGS_FILE} or HANDPICKED_{name.upper()})"
        ) from None
    except ValueError as error:  # not TOML
        raise SettingsInvalid(f"{workspace / SETTINGS_FILE} is not TOML: {error}") from None


def load_secrets(workspace: Path) -> Secrets:
    """The workspace's secrets, made at the first call and then kept in a file only its owner can read.

    Two processes that start at once get the same ones: the file is linked into place, and the loser reads it.
    """
    path = workspace / SECRETS_FILE
    if not path.exists():
        workspace.mkdir(parents=True, exist_ok=True)
        fresh = workspace / f".{SECRETS_FILE}.{random_secrets.token_hex(8)}"
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            json.dump(
                {"suppression": random_secrets.token_hex(32), "signing": [random_secrets.token_urlsafe(32)]}, stream
            )
        try:
            path.hardlink_to(fresh)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    try:
        plain: dict[str, Any] = json.loads(path.read_text())
        return Secrets(bytes.fromhex(plain["suppression"]), tuple(plain["signing"]))
    except (ValueError, KeyError, TypeError):
        raise SettingsInvalid(f"{path} is damaged; put back its backup: every link ever sent depends on it") from None


def _toml_of(given: dict[str, Any]) -> Path:
    return Path(given.get("workspace", "workspace")) / SETTINGS_FILE
