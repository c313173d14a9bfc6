"""Print the lowest versions that pyproject.toml allows, as pinned requirements, or run the fast tests with them.

python tools/lowest.py [EXTRA ...] > lowest.txt    EXTRA: lab, test, browser or site; without one, the library alone
python tools/lowest.py --run DIR                   make a virtual environment DIR with these versions and those of the
                                                   extras lab and test, run the fast tests of the library and of the
                                                   command line in it, and write results/lowest.json (a download of
                                                   some gigabytes)
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import subprocess
import sys
import tomllib
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = ROOT / "pyproject.toml"
RESULT = ROOT / "results" / "lowest.json"
EXTRAS = ("lab", "test")  # what the tests need
REPOSITORY = (  # what is not run: tests of the notebooks, pages, documents, studies and tools, which take long
    "notebook_* browser browser_tool live* site overview packaging layering studies recipes tables teaching tools fuzz "
    "gpu use data_page scale_docs vocabulary streaming_benchmark throughput wheel"
).split()
COUNT = re.compile(r"(\d+) (passed|failed|skipped|errors?|xfailed|deselected)")


def lowest(project: dict, extras: Sequence[str] = ()) -> list[str]:
    """The requirements of the table ``project`` of pyproject.toml, each pinned to its lowest version.

    Raises:
        ValueError: for an unknown extra, and for a requirement without a lower bound.
    """
    known = project.get("optional-dependencies", {})
    if unknown := [extra for extra in extras if extra not in known]:
        raise ValueError(f"there is no extra {unknown[0]}; there are {', '.join(known)}")
    pinned = []
    for requirement in [*project["dependencies"], *(line for extra in extras for line in known[extra])]:
        found = re.fullmatch(r"([\w.-]+)(?:>=|==)([\w.]+)", requirement.replace(" ", ""))
        if found is None:
            raise ValueError(f"{requirement} is not of the form name>=version")
        pinned.append(f"{found[1]}=={found[2]}")
    return pinned


def install(folder: Path, pinned: Sequence[str]) -> Path:
    """Make a virtual environment in ``folder`` with exactly these requirements and the library; its Python."""
    venv.create(folder, with_pip=True, clear=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, *pinned], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)], check=True)
    return python


def versions(python: Path, pinned: Sequence[str]) -> dict[str, str]:
    """The installed versions of these requirements, and that of Python."""
    names = [line.split("==")[0] for line in pinned]
    code = (
        "import json, platform, sys; from importlib.metadata import version; "
        "print(json.dumps({'python': platform.python_version()} | {name: version(name) for name in sys.argv[1:]}))"
    )
    return json.loads(subprocess.run([python, "-c", code, *names], check=True, capture_output=True, text=True).stdout)


def library_tests() -> list[str]:
    """The test files of the library and of the command line: all but those of ``REPOSITORY``."""
    others = {file for name in REPOSITORY for file in (ROOT / "tests").glob(f"test_{name}.py")}
    return sorted(file.relative_to(ROOT).as_posix() for file in {*(ROOT / "tests").glob("test_*.py")} - others)


def counts(output: str) -> dict[str, int]:
    """The numbers in the last line of pytest: passed, failed, skipped and so on."""
    lines = [line for line in output.splitlines() if COUNT.search(line)]
    return {word: int(number) for number, word in COUNT.findall(lines[-1])} if lines else {}


def run(folder: Path, pinned: Sequence[str]) -> dict:
    """Install these versions into ``folder`` and run the fast tests there: what results/lowest.json holds."""
    python = folder / "bin" / "python"
    if not (folder / "done").exists():  # a whole environment is used again
        python = install(folder, pinned)
        (folder / "done").touch()
    command = [python, "-m", "pytest", *library_tests(), "-m", "not slow", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    print(done.stdout[-10_000:], done.stderr[-2000:])
    return {
        "date": datetime.date.today().isoformat(),
        "versions": versions(python, pinned),
        "tests": counts(done.stdout),
        "status": done.returncode,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("extras", nargs="*", metavar="EXTRA")
    parser.add_argument("--run", type=Path, metavar="DIR", help="make an environment there and run the fast tests")
    args = parser.parse_args()
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    try:
        pinned = lowest(project, args.extras or (EXTRAS if args.run else ()))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if args.run is None:
        print(*pinned, sep="\n")
        return 0
    from mp3lib.json_files import write_json  # the list above is printed without it

    result = run(args.run.absolute(), pinned)
    write_json(RESULT, result)
    return result["status"]


if __name__ == "__main__":
    sys.exit(main())
