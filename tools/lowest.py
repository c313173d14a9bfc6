"""Print the lowest versions that pyproject.toml allows, as pinned requirements.

python tools/lowest.py [EXTRA ...] > lowest.txt    EXTRA: lab, test, browser or site; without one, the library alone
pip install -r lowest.txt
"""

import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


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


def main() -> int:
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    try:
        print(*lowest(project, sys.argv[1:]), sep="\n")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
