"""Files of tools, site and benchmarks as modules, which belong to no package; and programs that end with their test."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]


def load_script(name: str) -> ModuleType:
    """A new module made from a file, such as ``"tools/lab.py"``. As when it is run, it finds the files beside it."""
    path = ROOT / name
    spec = importlib.util.spec_from_file_location(name.removesuffix(".py").replace("/", "_"), path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


@contextmanager
def running(
    command: list[str], ready: Callable[[], object], seconds: float = 120, **options
) -> Iterator[subprocess.Popen]:
    """A process, as soon as ``ready()`` is true of what it does. It is killed at the end, where it still runs."""
    with subprocess.Popen(command, **options) as process:
        try:
            end = time.monotonic() + seconds
            while not ready():
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < end, f"not ready after {seconds} s: {command}"
                time.sleep(0.01)
            yield process
        finally:
            process.kill()
