"""Each setting, what it is now, and where that comes from; for people to look at, so never with a secret in it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from pydantic_settings import EnvSettingsSource, TomlConfigSettingsSource
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from campaigns.settings import SETTINGS_FILE, Settings

ENVIRONMENT, FILE, DEFAULT = "environment", SETTINGS_FILE, "default"
SET, NOT_SET = "set", "not set"
_SIGNED_IN = re.compile(r"(?<=//)[^/@\s]*@")


@dataclass(frozen=True)
class SettingLine:
    """A setting as it may be shown. value: a secret is only "set" or "not set". source: environment, the file, default.

    variable: its name in the environment. waiting: the source says something else by now, which counts after a restart.
    """

    name: str
    value: str
    description: str
    source: str
    variable: str
    waiting: bool = False


def setting_lines(settings: Settings) -> list[SettingLine]:
    """All of them in the order of the reference. Where each comes from is looked up now."""
    environment, file = _environment(), _file(settings)
    prefix = Settings.model_config["env_prefix"]
    lines = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        source = ENVIRONMENT if name in environment else FILE if name in file else DEFAULT
        said = environment.get(name, file.get(name, field.default))
        lines.append(
            SettingLine(
                name,
                shown(name, value),
                field.description or "",
                "command line" if name == "workspace" else source,
                f"{prefix}{name.upper()}",
                waiting=name != "workspace" and not _same(name, value, said),
            )
        )
    return lines


def shown(name: str, value: Any) -> str:
    """A setting's value without what must not be seen: passwords, also those within an address.

    >>> shown("database_url", "postgresql://shop:secret@db/shop?sslpassword=x")
    'postgresql://shop:***@db/shop'
    >>> shown("smtp_password", SecretStr("x")), shown("website", "https://me:secret@shop.example")
    ('set', 'https://***@shop.example')
    """
    if isinstance(value, SecretStr):
        return SET if value.get_secret_value() else NOT_SET
    if name == "database_url":
        return _database(str(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list):
        plain = (
            {key: str(said) if not isinstance(said, int | float) else said for key, said in value.items()}
            if (isinstance(value, dict))
            else value
        )
        return json.dumps(plain, ensure_ascii=False) if value else ""
    return _SIGNED_IN.sub("***@", str(value))


def _database(address: str) -> str:
    """Without its password, and without its options, of which some are passwords too."""
    if not address:
        return ""
    try:
        return make_url(address).set(query={}).render_as_string(hide_password=True)
    except ArgumentError:
        return SET


def _environment() -> Mapping[str, Any]:
    """What the environment says; nothing when it cannot be read any more."""
    try:
        return EnvSettingsSource(Settings)()
    except ValueError:
        return {}


def _file(settings: Settings) -> Mapping[str, Any]:
    """What the file says; nothing when it cannot be read any more."""
    try:
        return TomlConfigSettingsSource(Settings, settings.workspace / SETTINGS_FILE)()
    except (ValueError, OSError):
        return {}


def _same(name: str, value: Any, said: Any) -> bool:
    """Whether what a source says is what counts now. What cannot be told apart is taken for the same."""
    try:
        there = Settings.__pydantic_validator__.validate_assignment(Settings.model_construct(), name, said)
        return bool(getattr(there, name) == value)
    except ValueError:
        return False
