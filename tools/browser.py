"""The browser of the tests: finds one that Playwright can drive, or brings one.

    python tools/browser.py               prints the path of the browser; exit code 1 where there is none
    python tools/browser.py --install     the same, and brings one first where there is none

Looked for, in this order: $MP3_BROWSER; Chromium, Chrome or Edge on the path; their usual places on macOS; what
Playwright downloaded earlier. Brought by apt, for root on Debian and Ubuntu, else by Playwright's own download.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

NAMES = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge",
    "microsoft-edge-stable",
)  # fmt: skip
MACOS = (
    "Chromium.app/Contents/MacOS/Chromium",
    "Google Chrome.app/Contents/MacOS/Google Chrome",
    "Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
# No sandbox: as root and in containers it cannot start. It loads pages of 127.0.0.1 alone; the rest keeps it quiet.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
    "--disable-domain-reliability",
)  # fmt: skip
APT = (
    ["apt-get", "update", "-qq"],
    ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-dejavu-core"],
)
DOWNLOAD = [sys.executable, "-m", "playwright", "install"]
NONE = "no chromium"  # the reason of the skip, as in tests/allowed_skips.toml


def candidates(environ: Mapping[str, str], which: Callable, platform: str, downloaded: Callable) -> Iterator[str]:
    """Where a browser may be, the most wanted first. downloaded: tells where Playwright keeps its own."""
    if environ.get("MP3_BROWSER"):
        yield environ["MP3_BROWSER"]
        return  # who names one wants that one
    for name in NAMES:
        if path := which(name):
            yield path
    if platform == "darwin":
        for folder in ("/Applications", f"{environ.get('HOME', '')}/Applications"):
            yield from (f"{folder}/{app}" for app in MACOS if Path(folder, app).exists())
    if path := downloaded():
        yield path


def find(environ=os.environ, which=shutil.which, platform=sys.platform, downloaded=None, trial=None) -> tuple[str, str]:
    """(path, "") of the first browser that starts, or ("", why there is none)."""
    tried = []
    for path in candidates(environ, which, platform, downloaded or playwrights_own):
        problem = (trial or problem_of)(path)
        if not problem:
            return path, ""
        tried.append(f"{path}: {problem}")
    return "", "; ".join(tried) or "none found"


def install(uid: int, which=shutil.which, run=None, search=find, platform=sys.platform) -> tuple[str, str]:
    """Bring a browser and find it: (path, "") or ("", why that failed)."""
    run, failed = run or run_loudly, []
    ways = []
    root = platform.startswith("linux") and uid == 0 and which("apt-get")
    if root:
        ways.append(("apt", APT))
    # Ubuntu's chromium is a snap, so there the download has to bring the libraries that it needs too
    ways.append(("Playwright's download", [[*DOWNLOAD, *["--with-deps"] * bool(root), "chromium"]]))
    for name, commands in ways:
        print(f"The tests need a browser: trying {name} ...", file=sys.stderr, flush=True)
        problem = next(filter(None, (run(command) for command in commands)), "")
        path, why = search()
        if path:
            return path, ""
        failed.append(f"{name}: {problem or why}")
    return "", "; ".join(failed)


def run_loudly(command: list[str]) -> str:
    """Run a command with its messages on stderr; what went wrong, or ""."""
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        code = subprocess.run(command, env=environ, stdout=sys.stderr, stdin=subprocess.DEVNULL, timeout=900).returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{type(error).__name__}: {error}"
    return f"{' '.join(command[:3])} ended with {code}" if code else ""


def problem_of(path: str) -> str:
    """Why Playwright cannot start this browser, in a line; "" where it can."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return "playwright is not installed"
    try:
        with sync_playwright() as playwright:
            playwright.chromium.launch(executable_path=path, args=list(FLAGS), timeout=60_000).close()
    except Exception as error:
        return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return ""


def playwrights_own() -> str:
    """The path of the browser that Playwright downloaded earlier, or ""."""
    try:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            path = playwright.chromium.executable_path
    except Exception:
        return ""
    return path if Path(path).exists() else ""


def must_be_there(environ: Mapping[str, str]) -> bool:
    """In continuous integration the tests that need a browser are never left out."""
    return environ.get("CI", "").lower() not in ("", "0", "false", "no")


def main(arguments: list[str]) -> int:
    path, why = find()
    if not path and "--install" in arguments:
        path, why = install(getattr(os, "getuid", lambda: 1)())
    if not path:
        end = "fail" if must_be_there(os.environ) else "are LEFT OUT"
        print(f"WARNING: no browser, so the tests that need one {end}. {why}", file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
