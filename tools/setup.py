"""Make .venv and install what is locked. Runs on any Python 3, to say in one sentence when it is the wrong one.

Usage: python3 tools/setup.py VENV LOCKFILE
"""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig

OLDEST, NEWEST = (3, 11), (3, 13)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main(venv, lockfile):
    """Set up, or do nothing at all when the lock file was installed before."""
    python = os.path.join(venv, "bin", "python")
    stamp = os.path.join(venv, ".installed-" + os.path.basename(lockfile))
    wanted = fingerprint(lockfile)
    if os.path.exists(stamp) and open(stamp).read() == wanted and os.path.exists(python):
        return 0
    problem = missing()
    if problem:
        sys.stderr.write("handpicked: " + problem + "\n")
        return 2
    if not os.path.exists(python):
        sys.stdout.write("making %s with Python %s\n" % (venv, sys.version.split()[0]))
        run([sys.executable, "-m", "venv", venv])
    sys.stdout.write("installing %s (the first time LightFM is compiled: about a minute)\n" % lockfile)
    sys.stdout.flush()
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    # LightFM: no -march=native, so that an environment copied to another machine still runs; the model is the same
    run(pip + ["--require-hashes", "-r", lockfile], LIGHTFM_NO_CFLAGS="1")
    run(pip + ["--no-deps", "-e", ROOT])
    with open(stamp, "w") as stream:
        stream.write(wanted)
    # not needed to work: without npm or a network only `template check --clients` has nothing to say
    with open(os.devnull, "w") as nowhere:
        subprocess.call([python, os.path.join(ROOT, "tools", "caniemail.py"), venv], stderr=nowhere)
    return 0


def missing():
    """What keeps this machine from being set up, as one sentence with the way out; None when nothing does."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        return (
            "this is Python %d.%d, and Handpicked needs 3.11, 3.12 or 3.13; run make PYTHON=python3.12"
            % (sys.version_info[:2])
        )
    if not (shutil.which("gcc") or shutil.which("cc")):
        return "a C compiler is missing (LightFM is compiled once); install one: apt-get install gcc"
    if not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")):
        return "Python.h is missing (LightFM is compiled once); install it: apt-get install python3-dev"
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return "this Python has no venv; install it: apt-get install python3-venv"
    return None


def fingerprint(lockfile):
    """Of everything the environment is made from."""
    digest = hashlib.sha256(sys.version.encode())
    for name in (lockfile, os.path.join(ROOT, "pyproject.toml")):
        with open(name, "rb") as stream:
            digest.update(stream.read())
    return digest.hexdigest()


def run(command, **environment):
    """Run a step; its failure is ours, without a traceback."""
    code = subprocess.call(command, env=dict(os.environ, **environment))
    if code:
        sys.stderr.write("handpicked: `%s` failed, see above\n" % " ".join(command))
        sys.exit(2)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
