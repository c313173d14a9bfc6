"""Set up the project and run it, on Linux, macOS and Windows, with Python's standard library alone.

    python tools/setup.py [VENV]          create the virtual environment (.venv) and install the project into it
    python tools/setup.py lab [FLAGS]     the same, then fetch CIFAR-10 and open JupyterLab (make lab)
    python tools/setup.py test            the same, then run everything that continuous integration runs (make test)
    python tools/setup.py check           the same, then lint and the fast tests (make check)
    python tools/setup.py data            the same, then fetch CIFAR-10; lint: only ruff

What is done already is not done again: a stamp in the environment names the place of the clone and the state of
pyproject.toml that were installed. Environment variables: PYTHON, the interpreter to make the environment with; VENV,
the environment's folder where a command is named; WORKERS, the number of tests at a time.

This file also runs under a Python that is too old for the project, so that it can say so.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STAMP = ".mp3lib-installed"
OLDEST = (3, 11)
TRIED = ("python3", "python3.13", "python3.12", "python3.11")  # after the Python that runs this file
NEW_ENOUGH = "import sys; sys.exit(sys.version_info < {})".format(OLDEST)  # noqa: UP032 - readable by any Python 3


# --- the steps of each command, which the Makefile calls by name ------------------------------------------------------


def steps(python, flags=(), workers="auto"):
    """What each command runs after the installation, in order: (program, what to say where it fails, stop).

    ``python`` is that of the environment; ``stop``: whether a failure ends the command.
    """
    tests = [python, "-m", "pytest", "--numprocesses", workers, "--maxprocesses", "4"]
    tests += ["--dist", "loadfile", "--no-loadscope-reorder"]  # in the order of conftest.py
    data = [
        ([python, "-m", "mp3lib", "data", "fetch"], "Without CIFAR-10 the notebooks use the embedded scenes.", False)
    ]
    lint = [
        ([python, "-m", "ruff", "check", "."], f"Ruff can correct some of it: {python} -m ruff check --fix .", True),
        ([python, "-m", "ruff", "format", "--check", "."], f"To format: {python} -m ruff format .", True),
    ]
    # without a browser some tests are skipped with a warning; in continuous integration they fail
    browser = [([python, "tools/browser.py", "--install"], "", False)]
    return {
        "setup": [],
        "data": data,
        "lint": lint,
        "check": [*lint, ([*tests, "tests", "-m", "not slow", "-q"], "", True)],
        "test": [
            *data,
            *lint,
            *browser,
            ([*tests, "tests", "--durations", "30"], "", True),
            ([*tests, "--nbval", "notebooks/"], "", True),
        ],
        "lab": [*data, ([python, "tools/lab.py", *flags], "", True)],
    }


def run(command, venv, flags=(), workers="auto"):
    """Install what is missing, then run the steps of the command; the exit status."""
    install(venv)
    todo = steps(python_of(venv), flags, workers)[command]
    if command == "lab":
        *todo, (lab, _, _) = todo  # JupyterLab runs until the reader ends it
    for program, advice, stop in todo:
        status = subprocess.call(program)
        if status and advice:
            print(advice, file=sys.stderr, flush=True)
        if status and stop:
            return status
    return replace_process(lab) if command == "lab" else 0


def replace_process(program):
    """Run a program in the place of this one. It alone answers Ctrl-C: JupyterLab asks whether it is meant."""
    sys.stdout.flush()
    if os.name != "nt":
        os.execv(program[0], program)
    process = subprocess.Popen(program)  # Windows has no such call
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


# --- the installation -------------------------------------------------------------------------------------------------


class Failed(Exception):
    """Why the installation cannot be done, in sentences for the reader."""


def install(venv):
    """Create the environment where it is missing and install the project into it; nothing where that is done."""
    stamp, python = Path(venv, STAMP), python_of(venv)
    state = "{} {}\n".format(ROOT, hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest())  # noqa: UP032
    if Path(python).exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == state:
        return
    if answers(python, "-m", "pip", "--version"):
        if not answers(python, "-c", NEW_ENOUGH):
            raise Failed(
                f"{venv} holds {version_of(python)}, but mp3lib needs Python 3.11 or newer.\n"
                "Delete that folder (make clean) and try again."
            )
    else:
        create(venv)
    print(f"Installing into {venv} (PyTorch is large: this takes a few minutes) ...", flush=True)
    pip = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--editable", ".[dev]"]
    if subprocess.call(pip):
        raise Failed(
            "The installation did not finish. If the network failed, run the same command again.\n"
            f"If a package was not found for {version_of(python)}, delete {venv} (make clean) and name another Python: "
            "make setup PYTHON=python3.12, or python3.12 tools/setup.py"
        )
    link_plugin(venv)
    stamp.write_text(state, encoding="utf-8")


def link_plugin(venv):
    """Make the plugin of JupyterLab known to the environment: pip does not install data files in editable mode."""
    plugin, link = ROOT / "labextensions" / "mp3lib", Path(venv, "share", "jupyter", "labextensions", "mp3lib")
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        shutil.rmtree(str(link))
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        link.symlink_to(plugin, target_is_directory=True)
    except OSError:  # Windows permits links only to some users
        shutil.copytree(str(plugin), str(link))


def create(venv):
    """Make the virtual environment with the first Python that is new enough."""
    named = os.environ.get("PYTHON")
    candidates = [named] if named else [sys.executable, *TRIED]
    python = next((candidate for candidate in candidates if answers(candidate, "-c", NEW_ENOUGH)), None)
    if python is None:
        raise Failed(
            f"mp3lib needs Python 3.11 or newer; found {version_of(candidates[0])}.\n"
            "Install one (https://www.python.org/downloads), or name it: make setup PYTHON=/path/to/python3"
        )
    if not answers(python, "-c", "import ensurepip, venv"):
        raise Failed(f"{python} cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv")
    print(f"Creating {venv} with {version_of(python)} ...", flush=True)
    # --clear: an interrupted attempt, or a Python that was removed, leaves an environment that does not work
    clear = ["--clear"] if Path(venv, "pyvenv.cfg").exists() else []
    if subprocess.call([python, "-m", "venv", *clear, str(venv)]):
        raise Failed(f"{python} -m venv {venv} failed: see its message above.")


def python_of(venv):
    """The interpreter of a virtual environment, as an absolute path."""
    inside = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return os.path.join(os.path.abspath(str(venv)), *inside)


def answers(*program):
    """Whether a program exists and ends without an error."""
    try:
        return subprocess.call(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def version_of(python):
    """What ``python --version`` says, or that there is none."""
    try:
        done = subprocess.run([python, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout.decode().strip() or f"{python}, which has no version"
    except OSError:
        return f"no {python}"


def only_in_make():
    """The targets of the Makefile that are no commands here; a folder with such a name cannot be an environment."""
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    return {line.partition(":")[0] for line in lines if line[:1].isalpha() and " ## " in line} - set(steps(""))


def main(arguments):
    first, flags = (arguments[0], arguments[1:]) if arguments else ("setup", [])
    if first in ("-h", "--help"):
        print(__doc__)
        return 0
    if first.startswith("-") or flags and first != "lab":
        print(f"{' '.join(arguments)!r} is not understood.\n\n{__doc__}", file=sys.stderr)
        return 2
    os.chdir(str(ROOT))
    if first in only_in_make():
        print(f"{first!r} is a target of make alone. Commands here: {', '.join(steps(''))}.", file=sys.stderr)
        return 2
    command, venv = (first, os.environ.get("VENV") or ".venv") if first in steps("") else ("setup", first)
    try:
        return run(command, venv, flags, os.environ.get("WORKERS") or "auto")
    except Failed as failed:
        print(failed, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
