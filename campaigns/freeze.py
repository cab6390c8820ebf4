"""What a run is made from, kept by the hash of its text, so that the same bytes can be made again at any time."""

import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from campaigns.errors import RunUnknown
from campaigns.models import Frozen
from subscribers.database import insert_new


def freeze(session: Session, kind: str, plain: Mapping[str, Any]) -> str:
    """Keep plain data under the SHA-256 of its JSON; twice is once. The caller commits."""
    body = json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    name = hashlib.sha256(body).hexdigest()
    insert_new(session, Frozen, [{"sha256": name, "kind": kind, "body": zlib.compress(body)}])
    return name


def thaw(session: Session, name: str) -> dict[str, Any]:
    """What was frozen under this hash. Raises RunUnknown when it is gone or damaged."""
    body = session.execute(select(col(Frozen.body)).where(col(Frozen.sha256) == name)).scalar()
    text = zlib.decompress(body) if body is not None else b""
    if hashlib.sha256(text).hexdigest() != name:
        raise RunUnknown(f"what this run was made from ({name[:12]}…) is gone; plan the campaign anew")
    plain: dict[str, Any] = json.loads(text)
    return plain
