"""Files of tools, site and benchmarks as modules. They belong to no package, so tests cannot import them by name."""

from __future__ import annotations

import importlib.util
import sys
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
