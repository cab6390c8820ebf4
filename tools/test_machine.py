"""System packages the tests need: PostgreSQL, Chromium and two fonts. Installed when we are root, named when not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = {
    "postgresql": "a PostgreSQL server",
    "chromium": "Chromium",
    "fonts-liberation": "the Liberation fonts",  # the golden pictures of the mails are taken in these two
    "fonts-dejavu-core": "the DejaVu fonts",
}
FONTS = {"fonts-liberation": "LiberationSerif-Italic.ttf", "fonts-dejavu-core": "DejaVuSans-Bold.ttf"}


def there(package: str) -> bool:
    """Whether the programs of a package are on this machine, wherever it puts them."""
    if package == "postgresql":
        return bool(list(Path("/usr/lib/postgresql").glob("*/bin/postgres")) or shutil.which("postgres"))
    if package in FONTS:
        return any(Path("/usr/share/fonts").rglob(FONTS[package]))
    return bool(shutil.which("chromium") or shutil.which("chromium-browser"))


def main() -> int:
    """Install what is missing if we may. Without the right to, say what to do; under CI that is a failure."""
    missing = [package for package in PACKAGES if not there(package)]
    if not missing:
        return 0
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"installing {', '.join(PACKAGES[package] for package in missing)}", flush=True)
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        for step in (["apt-get", "update", "-q"], command):
            subprocess.run(step, env=environment, stdout=subprocess.DEVNULL, check=False)
        missing = [package for package in PACKAGES if not there(package)]
        if not missing:
            return 0
    names = " and ".join(PACKAGES[package] for package in missing)
    print(f"handpicked: the tests need {names}; install with: sudo {' '.join(command)}", file=sys.stderr)
    return 2 if os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main())
