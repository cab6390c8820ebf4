"""Files that a browser sends: written to the workspace as they come, never held in memory, under a name of ours."""

import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from studio.errors import BodyTooLarge, StudioError
from subscribers.errors import shorten

LARGEST_FILE = 2 << 30  # bytes
LARGEST_FIELD = 1_000  # bytes of what is no file
KEPT_FOR = 86_400  # seconds that a file waits for its columns to be chosen
TOKEN_DIGITS = 32
_KEEP = 64 * 1024  # bytes of one write, at least


class FileTooLarge(BodyTooLarge):
    """A file of more bytes than are taken."""

    def __init__(self, limit: int) -> None:
        StudioError.__init__(self, f"this file is larger than {limit >> 20:,} MB; pack it with gzip, or split it")


class UploadUnknown(StudioError):
    """A file that is not here any more."""


@dataclass(frozen=True)
class Upload:
    """A file that came in. file_name: as its sender calls it, to be shown and for nothing else."""

    token: str
    kind: str
    file_name: str

    def path(self, folder: Path) -> Path:
        """Where it is."""
        return folder / f"{self.token}.csv"


@dataclass
class _Part:
    """The part of a form that is just being read."""

    name: str = ""
    file_name: str | None = None
    header: bytes = b""
    value: bytes = b""
    headers: dict[bytes, bytes] = field(default_factory=dict)


class _Reader:
    """Tells the parts of a form apart as their bytes come; the first file's bytes are left in `pending`."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.file_name: str | None = None
        self.pending: list[bytes] = []
        self.ended = False
        self._part, self._text, self._takes_file = _Part(), b"", False

    def callbacks(self) -> dict[str, Callable[..., None]]:
        """What the parser calls."""
        names = "part_begin header_field header_value header_end headers_finished part_data part_end end"
        return {f"on_{name}": getattr(self, f"on_{name}") for name in names.split()}

    def on_part_begin(self) -> None:
        self._part, self._text, self._takes_file = _Part(), b"", False

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._part.header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._part.value += data[start:end]

    def on_header_end(self) -> None:
        self._part.headers[self._part.header.lower()] = self._part.value
        self._part.header = self._part.value = b""

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._part.headers.get(b"content-disposition", b""))
        self._part.name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" in options and self.file_name is None:
            self.file_name = options[b"filename"].decode("utf-8", "replace")
            self._takes_file = True

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._takes_file:
            self.pending.append(data[start:end])
        else:
            self._text = (self._text + data[start:end])[:LARGEST_FIELD]

    def on_part_end(self) -> None:
        if not self._takes_file and len(self.fields) < 20:
            self.fields[self._part.name[:100]] = self._text.decode("utf-8", "replace").replace("\x00", "")

    def on_end(self) -> None:
        self.ended = True


async def receive(request: Request, folder: Path, *, largest: int = LARGEST_FILE) -> Upload:
    """The file of a multipart form, in `folder`. Without a file its name is empty and nothing is kept.

    Raises FileTooLarge as soon as that is known, StudioError for what is no such form, or ends too early. Nothing of
    a file that was not taken whole stays.
    """
    if int(request.headers.get("content-length") or 0) > largest:
        raise FileTooLarge(largest)
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise StudioError("this is no form with a file; choose one on the page for imports")
    await run_in_threadpool(sweep, folder)
    token = secrets.token_hex(TOKEN_DIGITS // 2)
    path = folder / f"{token}.part"
    try:
        with path.open("wb") as stream:
            reader = await _read(request, options[b"boundary"], stream, largest)
        upload = Upload(token, reader.fields.get("kind", "").strip(), _name(reader.file_name or ""))
        if upload.file_name:
            (folder / f"{token}.json").write_text(json.dumps(asdict(upload)), encoding="utf-8")
            path.replace(upload.path(folder))
        return upload
    finally:
        path.unlink(missing_ok=True)


async def _read(request: Request, boundary: bytes, stream: IO[bytes], largest: int) -> _Reader:
    reader, taken = _Reader(), 0
    callbacks: Any = reader.callbacks()
    try:
        parser = MultipartParser(boundary, callbacks)
        async for chunk in request.stream():
            taken += len(chunk)
            if taken > largest:
                raise FileTooLarge(largest)
            parser.write(chunk)
            if sum(map(len, reader.pending)) >= _KEEP:
                await _write(stream, reader)
        await _write(stream, reader)
        parser.finalize()
    except ClientDisconnect:
        raise StudioError("the connection ended before the file had arrived") from None
    except FormParserError:
        raise StudioError("this form cannot be read; choose the file once more") from None
    if not reader.ended:
        raise StudioError("the connection ended before the file had arrived")
    return reader


async def _write(stream: IO[bytes], reader: _Reader) -> None:
    await run_in_threadpool(stream.write, b"".join(reader.pending))
    reader.pending.clear()


def find_upload(folder: Path, token: str) -> Upload:
    """The file of this token. Raises UploadUnknown."""
    try:
        upload = Upload(**json.loads((folder / f"{token}.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        upload = None
    if upload is None or not upload.path(folder).is_file():
        raise UploadUnknown("this file is not here any more; choose it once more on the page for imports")
    return upload


def forget(folder: Path, token: str) -> None:
    """Delete the file of this token."""
    for ending in ("csv", "json"):
        (folder / f"{token}.{ending}").unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Delete what nobody came back for, a day after the newest of what is here: no clock but the files' own."""
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / ".now"
    marker.touch()
    now = marker.stat().st_mtime
    for path in folder.iterdir():
        if path != marker and path.is_file() and now - path.stat().st_mtime > KEPT_FOR:
            path.unlink(missing_ok=True)


def _name(said: str) -> str:
    """How the sender calls the file, fit to be shown: browsers of old said the whole path."""
    return shorten(said.replace("\\", "/").rpartition("/")[2].strip())
