"""What the template folders hold, as one word that changes with every save, and a stream that says so."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path

LOOKS_EVERY = 0.08  # seconds; a change is told when two looks agree, so that a half-written file is not shown


class Watch:
    """Looks at folders until it is ended. Modification times and sizes are enough, and need no other package."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self.ended = False

    def version(self) -> str:
        """A word for everything in the folders as it is now. Deleting, adding and saving a file change it."""
        digest = hashlib.sha256()
        for folder in self._folders:
            for path in sorted(folder.rglob("*")):
                with suppress(OSError):  # gone since it was listed
                    state = path.stat()
                    digest.update(f"{path} {state.st_mtime_ns} {state.st_size}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()[:16]

    async def changes(self, seen: str) -> AsyncIterator[str]:
        """Each version that is not the one seen last, as a server-sent event."""
        yield "retry: 1000\n\n"
        before = seen
        while not self.ended:
            now = self.version()
            if now not in (seen, "") and now == before:
                seen = now
                yield f"data: {now}\n\n"
            before = now
            await asyncio.sleep(LOOKS_EVERY)
