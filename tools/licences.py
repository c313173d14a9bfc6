"""Write docs/LICENSES.md, the licenses of what the library needs at run time: python tools/licences.py

The names of the direct dependencies are those of pyproject.toml. The licenses, and what those packages need in turn,
are read from the packages that are installed in this environment.
"""

import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mp3lib.json_files import write_text

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "LICENSES.md"
TEXT = """# Licenses of the dependencies

mp3lib itself is under the MIT license (`LICENSE`). It contains no code of these packages: pip installs them.
`python tools/licences.py` writes this page from the metadata of the installed packages ({system}, Python {python}).

## What mp3lib needs at run time

{direct}

## What these packages need in turn

This list depends on the system and on the versions.
On Linux, PyTorch from PyPI brings NVIDIA's libraries, which have a license of NVIDIA's own.

{indirect}
"""


def direct() -> list[str]:
    """The names of the run-time dependencies in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return sorted(canonicalize_name(Requirement(line).name) for line in project["dependencies"])


def indirect(names: list[str]) -> list[str]:
    """What packages need in turn on this system, as far as it is installed."""
    found, todo = set(), list(names)
    while todo:
        for line in needed(todo.pop()):
            requirement = Requirement(line)
            name = canonicalize_name(requirement.name)
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
                continue
            if name not in found and name not in names and license(name):
                found.add(name)
                todo.append(name)
    return sorted(found)


def needed(name: str) -> list[str]:
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []


def license(name: str) -> str:
    """The license of an installed package, as its metadata says it; empty if it is not installed."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    classifiers = [c.split(" :: ")[-1] for c in about.get_all("Classifier", []) if c.startswith("License ::")]
    field = (about.get("License") or "").strip()
    short = field if field and "\n" not in field and len(field) < 80 and field != "UNKNOWN" else ""
    said = about.get("License-Expression") or short or ", ".join(classifiers) or "see the package"
    return re.sub(r"\s+", " ", said)


def table(names: list[str]) -> str:
    rows = [f"| [{name}](https://pypi.org/project/{name}/) | {license(name) or 'not installed'} |" for name in names]
    return "\n".join(["| package | license |", "|---|---|", *rows])


def names_on(page: str) -> list[str]:
    """The names of the first table of the page."""
    return re.findall(r"^\| \[([^]]+)\]", page.split("## What these packages need")[0], re.MULTILINE)


def main() -> None:
    names = direct()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    text = TEXT.format(system=sys.platform, python=python, direct=table(names), indirect=table(indirect(names)))
    write_text(PAGE, text)


if __name__ == "__main__":
    main()
