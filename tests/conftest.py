"""The browser of the tests that need one, and a loud word where they were left out for want of it."""

import functools
import os
import re
import warnings
from contextlib import contextmanager, suppress

import pytest
from lab_page import LabPage
from scripts import load_script


@functools.cache
def browser_tool():
    return load_script("tools/browser.py")


@functools.cache
def found() -> tuple[str, str]:
    """The path of the browser, and why there is none; it is started for a trial once."""
    return browser_tool().find()


@pytest.fixture(scope="module")
def browser():
    """A Chromium that Playwright drives. Without one the test is skipped, and fails where CI is set."""
    tool, (program, why) = browser_tool(), found()
    if not program:
        if tool.must_be_there(os.environ):
            pytest.fail(f"{tool.NONE}, and CI is set: {why}", pytrace=False)
        warnings.warn(f"the tests in a browser are left out: {why}", stacklevel=1)
        pytest.skip(tool.NONE)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=list(tool.FLAGS))
        yield chromium
        chromium.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """A screenshot in tests/shots of a page in JupyterLab whose test has failed."""
    report = yield
    if report.failed and report.when == "call":
        for value in getattr(item, "funcargs", {}).values():
            page = getattr(value, "lab", value)
            if isinstance(page, LabPage):
                with suppress(Exception):
                    page.screenshot(re.sub(r"\W+", "_", item.name))
    return report


def pytest_terminal_summary(terminalreporter):
    tool, stats = browser_tool(), terminalreporter.stats
    ends = [str(report.longrepr) for outcome in ("skipped", "failed", "error") for report in stats.get(outcome, ())]
    if any(tool.NONE in end for end in ends):
        terminalreporter.section("WARNING: tests left out for want of a browser", red=True, bold=True)
        terminalreporter.line(found()[1])
        terminalreporter.line("To bring one: python tools/browser.py --install")


@pytest.fixture(scope="session")
def cifar10():
    """CIFAR-10, for a test of sentences that speak of it. Without it the test is skipped."""
    from mp3lib import load_images

    images = load_images("auto")
    if images.name != "cifar10":
        pytest.skip("no CIFAR-10")
    return images


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache of images for one test."""
    monkeypatch.setenv("MP3_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def full_disk():
    """``with full_disk():`` no file gets larger than 100 bytes, as where the disk is nearly full."""
    resource = pytest.importorskip("resource")

    @contextmanager
    def at():
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return at


@pytest.fixture
def interrupted(monkeypatch):
    """``with interrupted(module, "crop", 7):`` whoever calls ``module.crop`` for the seventh time meets Ctrl-C."""

    @contextmanager
    def at(module, name: str, when: int):
        calls, function = [], getattr(module, name)

        def interrupt(*args, **kwargs):
            calls.append(1)
            if len(calls) == when:
                raise KeyboardInterrupt
            return function(*args, **kwargs)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(module, name, interrupt)
            yield

    return at
