#!/bin/sh
# Creates the virtual environment and installs the project into it. Does nothing where that is done already:
# the stamp names the place of the clone and the state of pyproject.toml that were installed.
#
#     sh tools/setup.sh [.venv]           PYTHON=python3.12 chooses the interpreter
set -eu
cd "$(dirname "$0")/.."
venv=${1:-.venv}
stamp=$venv/.mp3lib-installed
state="$(pwd) $(cksum <pyproject.toml)"
new_enough='import sys; sys.exit(sys.version_info < (3, 11))'

if [ -x "$venv/bin/python" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$state" ]; then
    exit 0
fi

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

if "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    "$venv/bin/python" -c "$new_enough" ||
        fail "$venv holds $("$venv/bin/python" --version 2>&1), but mp3lib needs Python 3.11 or newer." \
            "Remove it (make clean) and try again."
else
    python=
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if "$candidate" -c "$new_enough" 2>/dev/null; then
            python=$candidate
            break
        fi
    done
    [ -n "$python" ] ||
        fail "mp3lib needs Python 3.11 or newer; found $("${PYTHON:-python3}" --version 2>&1 || true)." \
            "Install one (https://www.python.org/downloads), or name it: make setup PYTHON=/path/to/python3"
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"
    echo "Creating $venv with $("$python" --version) ..."
    if [ -f "$venv/pyvenv.cfg" ]; then # what an interrupted attempt or a removed Python left
        "$python" -m venv --clear "$venv"
    else
        "$python" -m venv "$venv"
    fi
fi

echo "Installing into $venv (PyTorch is large: this takes a few minutes) ..."
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --editable '.[dev]' ||
    fail "The installation did not finish. If the network failed, the same command tries again;" \
        "if a package was not found for $("$venv/bin/python" --version), name another Python: make clean, then make setup PYTHON=python3.12"
printf '%s\n' "$state" >"$stamp"
