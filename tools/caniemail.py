"""Fetch the caniemail data: which mail clients support which HTML and CSS. For `handpicked template check --clients`.

Usage: python tools/caniemail.py VENV

The data come from the npm package `caniemail`, by npm itself, so that whatever npm is set up with here counts. They are
pinned by version and by the SHA-256 of the file, and kept beside the environment, never in the repository. Without npm
or without a network nothing is fetched and nothing fails: only `--clients` has nothing to say then.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

PACKAGE, VERSION = "caniemail", "2.0.2"
MEMBER = "package/dist/data/caniemail.json"
SHA256 = "28121a5dac0eab0f405ff091af8408c2aa092e6ff22e3240c4e42388b7f403a4"
PLACE = os.path.join("share", "handpicked", "caniemail.json")  # in the environment; read by engine/render/clients.py
LONGEST = 30  # seconds


def main(venv):
    """Fetch, or do nothing when the very file is there. Always 0; a sentence on stderr says why there is none."""
    target = os.path.join(venv, PLACE)
    if os.path.exists(target) and digest_of(target) == SHA256:
        return 0
    problem = fetch(target)
    if problem:
        sys.stderr.write(f"no caniemail data ({problem}); `template check --clients` needs them\n")
    return 0


def fetch(target):
    """Put the data file in its place. What went wrong, in a few words; None when nothing did."""
    npm = shutil.which("npm")
    if not npm:
        return "npm is missing: apt-get install npm, then make caniemail"
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--fetch-retries=0", "--pack-destination", folder]
        quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        try:
            done = subprocess.run(command, check=False, cwd=folder, timeout=LONGEST, **quiet)
        except (OSError, subprocess.TimeoutExpired):
            return "npm does not answer"
        packed = [name for name in os.listdir(folder) if name.endswith(".tgz")]
        if done.returncode or len(packed) != 1:
            return f"npm cannot fetch {PACKAGE} {VERSION}; are you offline?"
        with tarfile.open(os.path.join(folder, packed[0])) as archive:
            member = archive.extractfile(MEMBER) if MEMBER in archive.getnames() else None
            body = member.read() if member else b""
    if hashlib.sha256(body).hexdigest() != SHA256:
        return f"{PACKAGE} {VERSION} is not the file we know; nothing was kept"
    os.makedirs(os.path.dirname(target), exist_ok=True)
    fresh = f"{target}.{os.getpid()}"
    with open(fresh, "wb") as stream:
        stream.write(body)
    os.replace(fresh, target)
    return None


def digest_of(path):
    """The SHA-256 of a file."""
    with open(path, "rb") as stream:
        return hashlib.sha256(stream.read()).hexdigest()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
