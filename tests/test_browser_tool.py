"""tools/browser.py: which browser is taken, how one is brought, and what happens where there is none."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from scripts import load_script

ROOT = Path(__file__).resolve().parents[1]
tool = load_script("tools/browser.py")


def find(there=(), broken=(), environ=None, platform="linux", downloaded=""):
    return tool.find(
        environ or {},
        lambda name: f"/usr/bin/{name}" if name in there else None,
        platform,
        lambda: downloaded,
        lambda path: "it does not start" if path in broken else "",
    )


def test_the_browser_that_is_there_is_taken():
    assert find(["google-chrome", "chromium"]) == ("/usr/bin/chromium", "")
    assert find(["microsoft-edge"]) == ("/usr/bin/microsoft-edge", "")
    assert find(["google-chrome"], downloaded="/cache/chrome") == ("/usr/bin/google-chrome", "")
    assert find(downloaded="/cache/chrome") == ("/cache/chrome", "")
    assert find() == ("", "none found")


def test_one_that_does_not_start_is_passed_over():
    stub = "/usr/bin/chromium-browser"  # on Ubuntu it says that a snap has to be installed
    assert find(["chromium-browser", "google-chrome"], [stub]) == ("/usr/bin/google-chrome", "")
    assert find(["chromium-browser"], [stub]) == ("", f"{stub}: it does not start")
    assert find(["chromium-browser"], [stub], downloaded="/cache/chrome") == ("/cache/chrome", "")


def test_who_names_one_gets_that_or_none():
    assert find(["chromium"], environ={"MP3_BROWSER": "/opt/mine"}) == ("/opt/mine", "")
    answer = find(["chromium"], ["/opt/mine"], {"MP3_BROWSER": "/opt/mine"}, downloaded="/cache/chrome")
    assert answer == ("", "/opt/mine: it does not start")


def test_the_usual_places_on_macos(tmp_path):
    app = tmp_path / "Applications" / "Google Chrome.app" / "Contents" / "MacOS" / "Google Chrome"
    app.parent.mkdir(parents=True)
    app.touch()
    home = {"HOME": str(tmp_path)}
    assert find(environ=home, platform="darwin") == (str(app), "")
    assert find(environ=home, platform="linux") == ("", "none found")
    assert find(["chromium"], environ=home, platform="darwin") == ("/usr/bin/chromium", "")


class Machine:
    """Where `works` names the command that brings a browser; `failing` the commands that fail."""

    def __init__(self, works: str = "", failing: str = "", apt: bool = True):
        self.works, self.failing, self.ran = works, failing, []
        self.which = lambda name: f"/usr/bin/{name}" if apt else None

    def run(self, command):
        line = " ".join(command)
        self.ran.append(line)
        return "it failed" if self.failing and self.failing in line else ""

    def search(self):
        there = any(self.works in line for line in self.ran) if self.works else False
        return ("/usr/bin/new", "") if there else ("", "none found")

    def install(self, uid, platform="linux"):
        return tool.install(uid, self.which, self.run, self.search, platform)


def test_root_brings_it_with_apt():
    machine = Machine("apt-get install")
    assert machine.install(0) == ("/usr/bin/new", "")
    assert [line.split()[:2] for line in machine.ran] == [["apt-get", "update"], ["apt-get", "install"]]
    assert machine.ran[1].endswith("-y -qq --no-install-recommends chromium fonts-dejavu-core")


def test_others_take_playwrights_download():
    for machine, uid, platform in ((Machine("playwright"), 1000, "linux"), (Machine("playwright"), 0, "darwin")):
        assert machine.install(uid, platform) == ("/usr/bin/new", "")
        assert len(machine.ran) == 1 and machine.ran[0].endswith("-m playwright install chromium")
    machine = Machine("playwright", apt=False)
    assert machine.install(0) == ("/usr/bin/new", "") and "apt-get" not in machine.ran[0]


def test_after_apt_comes_the_download_with_what_it_needs():
    for failing in ("apt-get update", "apt-get install"):
        machine = Machine("playwright", failing)
        assert machine.install(0) == ("/usr/bin/new", "")
        assert machine.ran[-1].endswith("-m playwright install --with-deps chromium")


def test_where_nothing_works_it_says_why():
    path, why = Machine("", "install").install(0)
    assert path == "" and "apt: it failed" in why and "Playwright's download: it failed" in why
    path, why = Machine().install(1000)
    assert path == "" and why == "Playwright's download: none found"


@pytest.mark.parametrize("value, must", [(None, False), ("", False), ("false", False), ("true", True), ("1", True)])
def test_only_continuous_integration_insists(value, must):
    assert tool.must_be_there({} if value is None else {"CI": value}) is must


def test_commands_that_fail_are_told(capfd):
    assert tool.run_loudly([sys.executable, "-c", "raise SystemExit(3)"]).endswith("ended with 3")
    assert "FileNotFoundError" in tool.run_loudly(["no-such-command"])
    assert tool.run_loudly([sys.executable, "-c", "print('brought')"]) == ""
    out, err = capfd.readouterr()
    assert out == "" and "brought" in err, "the path alone goes to stdout"


def test_the_reason_is_on_the_list():
    allowed = tomllib.loads((ROOT / "tests" / "allowed_skips.toml").read_text(encoding="utf-8"))["skip"]
    assert tool.NONE in {entry["reason"] for entry in allowed}


@pytest.mark.slow
@pytest.mark.parametrize("ci", ["", "true"])
def test_without_a_browser_the_tests_are_left_out_loudly_and_never_in_ci(ci, tmp_path):
    environ = os.environ | {"MP3_BROWSER": str(tmp_path / "none"), "CI": ci}
    told = subprocess.run([sys.executable, ROOT / "tools" / "browser.py"], env=environ, capture_output=True, text=True)
    assert told.returncode == 1 and told.stdout == "" and "WARNING: no browser" in told.stderr
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/test_browser.py", "-k", "broken"]
    answer = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)
    assert "WARNING: tests left out for want of a browser" in answer.stdout
    assert f"{tmp_path / 'none'}: " in answer.stdout
    if ci:
        assert answer.returncode == 1 and f"{tool.NONE}, and CI is set" in answer.stdout
    else:
        assert answer.returncode == 0 and "1 skipped" in answer.stdout
