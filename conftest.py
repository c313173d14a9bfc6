"""Makes ``pytest tests`` and ``pytest --nbval notebooks/`` strict, honest and repeatable."""

import contextlib
import io
import json
import os
import signal
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

# jsonschema, of nbformat, does without it, and its grammar takes a second to load.
sys.modules.setdefault("rfc3987_syntax", None)

import nbval.kernel  # noqa: E402

ROOT = Path(__file__).resolve().parent
ALLOWED_SKIPS = ROOT / "tests" / "allowed_skips.toml"

# Kernels inherit this. Beside other work, two spinning threads were several times slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell starts a background job with Ctrl-C ignored, and the programs that tests start and interrupt would inherit it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def execute_cell_input(self, cell_input, allow_stdin=None):
    """As JupyterLab does. nbval 0.11 runs cells without history: there ``;`` does not silence (its issue 194)."""
    return self.kc.execute(cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False)


nbval.kernel.RunningKernel.execute_cell_input = execute_cell_input


def pytest_configure(config):
    config.pluginmanager.register(skips := Skips())
    config.stash[skips_key] = skips.reasons
    sanitizer = config.option.nbval_sanitize_with
    if sanitizer:  # nbval would look for it in the current folder
        config.option.nbval_sanitize_with = str(ROOT / sanitizer)


def pytest_sessionstart(session):
    """Bring the data before any notebook asks for them: a download would add a progress bar to its output."""
    if session.config.option.nbval or session.config.option.nbval_lax:
        import matplotlib

        from mp3lib import load_images

        # Where its folder cannot be written, matplotlib warns here, and kernels inherit the folder that it takes.
        matplotlib.get_cachedir(), matplotlib.get_configdir()
        with contextlib.redirect_stdout(io.StringIO()):
            load_images("auto")


# --- a notebook cell that was never run -------------------------------------------------------------------------------


def pytest_collection_modifyitems(items):
    for item in items:
        cell = getattr(item, "cell", None)
        if cell is not None and cell.source.strip() and cell.execution_count is None and not item.options["skip"]:
            item.add_marker(pytest.mark.never_run)
    # the longest files first: no process is left with one of them at the end. The tests of a file stay in their order.
    took = seconds_of_notebooks()
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: (-took.get(item.path.name, 0.0), -slow[item.path]))


def seconds_of_notebooks() -> dict[str, float]:
    """Seconds that each notebook took when it was stored."""
    file = ROOT / "results" / "notebooks.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return {line["notebook"]: line["seconds"] for line in map(json.loads, lines)}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if item.get_closest_marker("never_run"):  # nbval compares nothing then: a stripped notebook would pass
        pytest.fail("this cell has no stored run: make notebooks", pytrace=False)


# --- no skip without a written reason ---------------------------------------------------------------------------------

skips_key = pytest.StashKey[dict[str, str]]()


class Skips:
    """Notes what was skipped and why, whichever process ran it: one of several (``-n 2``) only sends its reports."""

    def __init__(self):
        self.reasons: dict[str, str] = {}

    def pytest_runtest_logreport(self, report):
        if report.skipped and hasattr(report, "wasxfail"):
            self.reasons[report.nodeid] = f"xfail: {report.wasxfail}"
        elif report.skipped:
            self.reasons[report.nodeid] = report.longrepr[2].removeprefix("Skipped: ")

    pytest_collectreport = pytest_runtest_logreport


def unlisted_skips(config) -> dict[str, str]:
    allowed = {entry["reason"] for entry in tomllib.loads(ALLOWED_SKIPS.read_text(encoding="utf-8")).get("skip", [])}
    return {test: reason for test, reason in config.stash[skips_key].items() if reason not in allowed}


def pytest_sessionfinish(session, exitstatus):
    if exitstatus == pytest.ExitCode.OK and unlisted_skips(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    unlisted = unlisted_skips(config)
    if unlisted:
        terminalreporter.section("skipped for a reason that tests/allowed_skips.toml does not list", red=True)
        for test, reason in unlisted.items():
            terminalreporter.line(f"{test}: {reason}")
