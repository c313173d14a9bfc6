"""Kill downloads, fill the disk, start two commands at once, and see what is left: python tools/interruptions.py

    downloads   a process that downloads an archive from a slow server on 127.0.0.1 is killed with SIGKILL at a random
                moment. Afterwards the cache has the images or nothing, `data status` names what is left half done, and
                `data clear` removes it.
    full disk   no file may grow beyond six sizes, from nothing to most of what is needed. A training and an evaluation
                end in one line or are done, and nothing damaged is left: the run goes on when there is room.
    at once     two trainings in one folder, two evaluations into one file, two loads of the same images.

Results go to results/interruptions.json. The exit status is 1 if anything damaged is left.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import io
import os
import pickle
import random
import resource
import shutil
import signal
import sys
import tarfile
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch._dynamo  # which the optimizers ask for: once, for all processes to come

from mp3lib.__main__ import main as main_of_mp3lib
from mp3lib.data import cached, clear_cache, load
from mp3lib.data.sources import cache, download
from mp3lib.json_files import read_json, write_json
from mp3lib.model import load_model
from mp3lib.train.run_folder import versions

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "results" / "interruptions.json"
PROCESSES = get_context("fork")
IMAGES = 100  # in each of the six batches of the small archive
PIECE, PAUSE = 40_000, 0.02  # bytes and seconds: how slowly the server sends
SIZES = (0, 1_000, 5_000, 20_000, 60_000, 100_000)  # bytes that a file may have on the full disk
SMALL = "--size 8 --patch-size 4 --dim 16 --depth 1 --heads 1 --mlp-dim 32 --batch-size 8 --precision float32".split()


# --- downloads --------------------------------------------------------------------------------------------------------


def small_archive() -> bytes:
    """The official archive of CIFAR-10 with few images."""
    rng, out = np.random.default_rng(0), io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
            pixels = rng.integers(0, 256, (IMAGES, 3072), dtype=np.uint8)
            content = pickle.dumps({b"data": pixels, b"labels": [i % 10 for i in range(IMAGES)]}, protocol=2)
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


@contextlib.contextmanager
def slow_server(content: bytes) -> Iterator[str]:
    """The address of a server on this machine that sends ``content`` slowly."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with contextlib.suppress(OSError):  # the other side was killed
                for at in range(0, len(content), PIECE):
                    self.wfile.write(content[at : at + PIECE])
                    time.sleep(PAUSE)

        def log_message(self, *_) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/cifar-10-python.tar.gz"
    finally:
        server.shutdown()
        server.server_close()


def fetch(room: Path, url: str, fingerprint: str) -> None:
    """What a process that downloads does."""
    os.environ["MP3_CACHE"] = str(room)
    os.environ.pop("MP3_DATA", None)
    load.CIFAR10_FINGERPRINT = fingerprint
    download.chain = lambda: [download.Link("a slow server", lambda folder: download.download_file(url, folder))]
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - until the end of the process
    load.fetch_cifar10()


def run_fetch(room: Path, url: str, fingerprint: str, seconds: float | None) -> int | None:
    """Download in a process of its own, which is killed after ``seconds``; its exit status."""
    process = PROCESSES.Process(target=fetch, args=(room, url, fingerprint))
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    return process.exitcode


def kill_downloads(kills: int, seed: int) -> dict:
    """Kill a download again and again: what is in the cache afterwards, and what `status` and `clear` do with it."""
    rng = random.Random(f"{seed}/downloads")
    content = small_archive()
    found = {"absent": 0, "readable": 0, "damaged": 0}
    left = unknown = kept = 0
    before = os.environ.get("MP3_CACHE")
    with tempfile.TemporaryDirectory(prefix="mp3lib-interruptions-") as room, slow_server(content) as url:
        archive = Path(room, "x.tar.gz")
        archive.write_bytes(content)
        os.environ["MP3_CACHE"] = str(Path(room, "mine"))
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is not the whole CIFAR-10
            images = load.load_images(archive)
        home = Path(room, "cache")
        begun = time.monotonic()
        assert run_fetch(home, url, images.fingerprint, None) == 0, "the download does not work"
        whole = time.monotonic() - begun
        os.environ["MP3_CACHE"] = str(home)
        clear_cache()
        for _ in range(kills):
            run_fetch(home, url, images.fingerprint, rng.uniform(0, 1.1 * whole))
            state = cache.read(home / "cifar10.safetensors", images.fingerprint)
            if isinstance(state, tuple):
                state = "readable" if state[0]["train_images"].equal(images.train.images) else "damaged"
            found[{"empty": "absent"}.get(state, state if state in found else "damaged")] += 1
            names = {path.name for path in home.glob("*")} - {"cifar10.safetensors"}
            left += len(names)
            status = cached.cache_status()
            unknown += sum(f"{name}  left over from a killed process" not in status for name in names)
            clear_cache()
            kept += len(list(home.glob("*")))
    os.environ.pop("MP3_CACHE")
    if before is not None:
        os.environ["MP3_CACHE"] = before
    return {"kills": kills, **found, "left half done": left, "unknown to status": unknown, "kept by clear": kept}


# --- a full disk ------------------------------------------------------------------------------------------------------


class Running(NamedTuple):
    """A command that runs in a process of its own, and the pipe on which it tells what came of it."""

    process: BaseProcess
    pipe: Connection


def work(arguments: list[str], cache_folder: Path, size: int | None, pipe: Connection) -> None:
    os.environ["MP3_CACHE"] = str(cache_folder)
    os.environ.pop("MP3_DATA", None)
    torch.set_num_threads(1)
    if size is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    errors = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        try:
            status = main_of_mp3lib(arguments)
        except BaseException:
            traceback.print_exc()
            status = 99
    pipe.send((status, errors.getvalue()))


def command(*arguments: object, room: Path, size: int | None = None) -> Running:
    """Start a command of the library in a process of its own, where no file may have more than ``size`` bytes."""
    ours, theirs = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=work, args=([str(a) for a in arguments], room / "cache", size, theirs))
    process.start()
    theirs.close()
    return Running(process, ours)


def ended(running: Running) -> tuple[int, str]:
    """Exit status and the line on standard error; more than one line is a fault of its own."""
    try:
        status, errors = running.pipe.recv()
    except EOFError:
        status, errors = -1, "the process ended without a word"
    running.process.join()
    lines = [line for line in errors.splitlines() if line.strip()]
    return status, lines[0] if len(lines) == 1 else f"{len(lines)} lines: {lines[-1]}" if lines else ""


def make_pictures(room: Path) -> Path:
    from PIL import Image

    rng = np.random.default_rng(0)
    for split, number in (("train", 12), ("test", 6)):
        for name in ("cat", "dog"):
            place = room / "pictures" / split / name
            place.mkdir(parents=True)
            for i in range(number):
                Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(place / f"{i}.png")
    return room / "pictures"


def is_told(status: int, text: str) -> bool:
    """Whether a command has failed in one line that is a sentence."""
    return status == 1 and len(text.split()) >= 4 and " lines: " not in text and "--debug" not in text


def full_disk() -> dict:
    """A training and an evaluation at each size: refused in a line or done, and nothing damaged is left."""
    counts = {"tried": 0, "done": 0, "refused": 0, "faults": []}
    with tempfile.TemporaryDirectory(prefix="mp3lib-interruptions-") as name:
        room = Path(name)
        train = ["pretrain", "--data", make_pictures(room), "--epochs", 1, *SMALL]
        for size in SIZES:
            run = room / f"run-{size}"
            status, text = ended(command(*train, "--out", run, room=room, size=size))
            note(counts, f"pretrain at {size}", status, text)
            status, text = ended(command(*train, "--out", run, "--resume", room=room))
            if status != 0:
                counts["faults"].append(f"pretrain at {size} does not go on with room: {text}")
            figures = room / f"figures-{size}.json"
            evaluate = [
                "evaluate",
                "--data",
                room / "pictures",
                "--weights",
                run,
                "--floor-epochs",
                1,
                "--out",
                figures,
            ]
            shutil.rmtree(room / "cache", ignore_errors=True)
            status, text = ended(command(*evaluate, room=room, size=size))
            note(counts, f"evaluate at {size}", status, text)
            try:
                load_model(run)
                whole = not figures.exists() or "positions" in read_json(figures)
            except (ValueError, OSError) as error:
                whole = False
                counts["faults"].append(f"at {size}: {error}")
            left = [path.name for path in room.rglob(".*") if path.name != ".lock"]
            if not whole or left:
                counts["faults"].append(f"at {size} there is left: {left or 'half a file'}")
    return counts | {"sizes": list(SIZES)}


def note(counts: dict, what: str, status: int, text: str) -> None:
    counts["tried"] += 1
    if status == 0:
        counts["done"] += 1
    elif is_told(status, text):
        counts["refused"] += 1
    else:
        counts["faults"].append(f"{what}: status {status}: {text[:300]}")


# --- two at once ------------------------------------------------------------------------------------------------------


def at_once(rounds: int) -> dict:
    """Two commands that write to the same place at the same time: one is refused or both are done."""
    counts = {"tried": 0, "done": 0, "refused": 0, "faults": []}
    with tempfile.TemporaryDirectory(prefix="mp3lib-interruptions-") as name:
        room = Path(name)
        pictures = make_pictures(room)
        for number in range(rounds):
            run, figures = room / f"run-{number}", room / f"figures-{number}.json"
            shutil.rmtree(room / "cache", ignore_errors=True)  # both read and keep the images, too
            train = ["pretrain", "--data", pictures, "--epochs", 30, *SMALL, "--out", run]
            outcomes = [ended(p) for p in [command(*train, room=room) for _ in range(2)]]
            for status, text in outcomes:
                note(counts, "pretrain beside another", status, text)
            if sorted(status for status, _ in outcomes) != [0, 1]:
                counts["faults"].append(f"two trainings in one folder: {outcomes}")
            evaluate = ["evaluate", "--data", pictures, "--weights", run, "--floor-epochs", 1, "--out", figures]
            for status, text in [ended(p) for p in [command(*evaluate, room=room) for _ in range(2)]]:
                note(counts, "evaluate beside another", status, text)
            load_model(run)
            if "positions" not in read_json(figures) or list(room.glob(".figures*")):
                counts["faults"].append(f"two evaluations into one file: {sorted(p.name for p in room.iterdir())}")
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="of downloads; default: 20")
    parser.add_argument("--rounds", type=int, default=3, help="of two at once; default: 3")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--out", type=Path, default=RESULT, metavar="FILE", help="where the results go")
    args = parser.parse_args()
    result = {"seed": args.seed, "versions": versions(), "downloads": kill_downloads(args.kills, args.seed)}
    print("downloads", result["downloads"], flush=True)
    for name, call in (("full disk", full_disk), ("at once", lambda: at_once(args.rounds))):
        result[name] = call()
        print(name, result[name], flush=True)
    write_json(args.out, result)
    bad = sum(result["downloads"][name] for name in ("damaged", "unknown to status", "kept by clear"))
    return int(bad > 0 or any(result[name]["faults"] for name in ("full disk", "at once")))


if __name__ == "__main__":
    sys.exit(main())
