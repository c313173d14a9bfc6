"""JupyterLab in a browser, with the few gestures that the tests need: run all, look, move, drag, pick, upload."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHOTS = ROOT / "tests" / "shots"
SETTINGS = {
    "apputils-extension/notification": {"checkForUpdates": False, "fetchNews": "false"},
    "notebook-extension/tracker": {"windowingMode": "none", "autoStartDefaultKernel": True},  # every cell in the page
    "docmanager-extension/plugin": {"autosave": False},
}
OPTIONS = (
    "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0",
    "--ServerApp.terminals_enabled=False", "--expose-app-in-browser", "--LabApp.extension_manager=readonly",
    f"--LabApp.extra_labextensions_path={ROOT / 'labextensions'}",
    f"--LabApp.app_settings_dir={ROOT / 'tools' / 'lab_settings'}",
)  # fmt: skip
# anywidget 0.11 says so where a widget took more than two seconds to load, as on a busy machine. The widget is shown
# and the page answers, but it no longer hears the kernel, which tests of the kernel would see. Why: board/widget.py
LATE = "[anywidget] Failed to initialize model."
CURRENT = "window.jupyterapp.shell.currentWidget"


@contextlib.contextmanager
def lab_server(home: Path, **environment: str) -> Iterator[LabServer]:
    """JupyterLab with settings, caches and notebooks of its own, all under `home`. Stopped with its kernels.

    environment: variables that its kernels get besides.
    """
    for name, value in SETTINGS.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value))
    pages = home / "config" / "labconfig" / "page_config.json"
    pages.parent.mkdir(parents=True)
    pages.write_text(json.dumps({"buildCheck": False, "buildAvailable": False}))  # else each load starts Node
    (home / "root" / "notebooks").mkdir(parents=True)
    shutil.copytree(ROOT / "assets", home / "root" / "assets")  # JupyterLab shows no files outside of its root
    for folder in ("mp3lib", "results"):  # what notebooks read by a relative path
        if (ROOT / folder).exists():
            (home / "root" / folder).symlink_to(ROOT / folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(8)
    folders = {"CONFIG": "config", "DATA": "data", "RUNTIME": "runtime"}
    environ = os.environ | {f"JUPYTER_{name}_DIR": str(home / folder) for name, folder in folders.items()}
    environ |= {"JUPYTERLAB_SETTINGS_DIR": str(home / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(home / "spaces")}
    environ |= {"IPYTHONDIR": str(home / "ipython"), "MP3_BUDGET": "smoke", "JUPYTER_PREFER_ENV_PATH": "1"}
    environ |= environment
    command = [sys.executable, "-m", "jupyterlab", *OPTIONS, f"--ServerApp.port={port}"]
    command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={home / 'root'}"]
    with (home / "lab.log").open("w") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log, start_new_session=True)
    try:
        server = LabServer(home / "root", port, token)
        server.wait(process, home / "lab.log")
        yield server
    finally:
        stop(process)


def stop(process: subprocess.Popen) -> None:
    """End the server and, by its process group, its kernels."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class LabServer:
    def __init__(self, root: Path, port: int, token: str):
        self.root, self.port, self.token = root, port, token

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}?token={self.token}"

    def wait(self, process: subprocess.Popen, log: Path, seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                urllib.request.urlopen(self.address("api"), timeout=5).read()
                return
            except OSError as error:
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"JupyterLab did not start: {error}\n{log.read_text()[-3000:]}") from None
                time.sleep(0.2)


class LabPage:
    """A notebook in JupyterLab. `said` collects errors of the console, `outside` requests to other machines."""

    def __init__(self, browser, server: LabServer, notebook: Path, timeout: float = 120, width: int = 1200):
        self.notebook = notebook
        target = server.root / "notebooks" / notebook.name
        target.write_bytes(notebook.read_bytes())
        self.page = browser.new_page()
        self.page.set_viewport_size({"width": width, "height": 1000})
        self.page.set_default_timeout(1000 * timeout)
        self.said: list[str] = []
        self.outside: list[str] = []
        self.page.on("console", lambda m: self.said.append(m.text[:500]) if m.type == "error" else None)
        self.page.on("pageerror", self._failed)
        self.page.route("**/*", self._route)
        self.address = server.address(f"lab/tree/notebooks/{notebook.name}") + "&reset"
        self.open()

    def open(self) -> None:
        """Open the notebook, or open it again. A kernel that still runs is kept."""
        self.page.goto(self.address)
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.page.wait_for_function(f"() => {CURRENT}?.sessionContext?.session?.kernel?.status === 'idle'")
        # the kernel has told its language, which JupyterLab notes in the notebook
        self.page.wait_for_function(f"() => {CURRENT}.content.model?.getMetadata('language_info')?.version")
        self.page.evaluate(
            "() => { if (!window.jupyterapp.shell.leftCollapsed)"
            " window.jupyterapp.commands.execute('application:toggle-left-area') }"
        )

    def _failed(self, error) -> None:
        if LATE not in str(error):
            self.said.append(f"page error: {str(error)[:500]}")

    def _route(self, route) -> None:
        url = route.request.url
        if "//127.0.0.1" in url or url.startswith(("data:", "blob:", "about:")):
            route.continue_()
        else:
            self.outside.append(url)
            route.abort()

    def run_all(self) -> None:
        """Run every cell, and wait until the last is done or one has failed."""
        self.page.evaluate(
            "() => { window.allDone = false; window.jupyterapp.commands.execute('notebook:run-all-cells')"
            ".finally(() => { window.allDone = true }) }"
        )
        self.page.wait_for_function("() => window.allDone", timeout=600_000, polling=200)

    def save(self) -> None:
        self.page.evaluate(f"() => {CURRENT}.context.save()")

    def restart_kernel(self) -> None:
        self.page.evaluate(f"() => {CURRENT}.sessionContext.session.kernel.restart()")
        self.page.wait_for_function(f"() => {CURRENT}.sessionContext.session.kernel.status === 'idle'")

    def shut_down_kernel(self) -> None:
        self.page.evaluate(f"() => {CURRENT}.sessionContext.shutdown()")

    def has_kernel(self) -> bool:
        return self.page.evaluate(f"() => Boolean({CURRENT}?.sessionContext?.session?.kernel)")

    def is_unsaved(self) -> bool:
        return self.page.evaluate(f"() => {CURRENT}.context.model.dirty")

    def note(self) -> str:
        """The note of the plugin about an output without a kernel, once it is there. More than one is an error."""
        return self.page.locator(".mp3-note:visible").inner_text()

    def has_no_note(self) -> bool:
        """Wait until no note is shown."""
        self.page.wait_for_function("() => ![...document.querySelectorAll('.mp3-note')].some(e => e.checkVisibility())")
        return True

    def texts(self, selector: str, count: int) -> list[str]:
        """The texts of what fits the selector, as soon as there are that many."""
        found = self.page.wait_for_function(
            "([selector, count]) => { const all = [...document.querySelectorAll(selector)];"
            " return all.length >= count && all.map(e => e.innerText.trim()) }",
            arg=[selector, count],
        )
        return found.json_value()

    def outputs(self) -> list[dict]:
        """All outputs, from the notebook's model: the page has no selector that finds errors."""
        return self.page.evaluate(
            f"() => [...{CURRENT}.content.model.cells].filter(c => c.type === 'code').flatMap(c => c.outputs.toJSON())"
        )

    def complaints(self) -> list[str]:
        """Everything that a reader, or the reader's network, should not have seen."""
        found = [f"console: {text}" for text in self.said] + [f"request to outside: {url}" for url in self.outside]
        for output in self.outputs():
            if output["output_type"] == "error":
                found.append(f"cell: {output['ename']}: {output['evalue']}")
            elif output.get("name") == "stderr":
                found.append(f"stderr: {output['text']}")
        found += [f"shown: {text}" for text in self.page.locator(".mp3-live [role=alert]").all_inner_texts()]
        words = self.page.locator(".jp-Notebook").first.inner_text()
        return found + ["a traceback is shown"] * ("Traceback (most recent" in words)

    def live(self, number: int) -> LivePicture:
        """The live figure `number`, counted from the top."""
        return LivePicture(self.page, self.page.locator(".mp3-live").nth(number))

    def screenshot(self, name: str) -> None:
        """What a test showed that failed."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png")

    def close(self) -> None:
        """Shut the kernel down too: the next notebook needs the room."""
        with contextlib.suppress(Exception):
            self.page.evaluate(f"() => {CURRENT}.sessionContext.shutdown()")
        self.page.close()


class LivePicture:
    """One live figure in the page: its controls by their labels, and the picture's own bytes."""

    def __init__(self, page, root):
        self.page, self.root = page, root

    def show(self) -> LivePicture:
        self.root.wait_for()
        self.root.scroll_into_view_if_needed()
        return self

    def labels(self) -> list[str]:
        return [text.strip() for text in self.root.locator(".widget-label:visible").all_inner_texts() if text.strip()]

    def control(self, label: str):
        """The control with exactly this label beside it."""
        named = self.page.locator(f'xpath=./*[contains(@class, "widget-label")][normalize-space()="{label}"]')
        return self.root.locator(".widget-inline-hbox").filter(has=named)

    def slider(self, label: str):
        return self.control(label).get_by_role("slider")

    def number(self, label: str) -> float:
        return float(self.slider(label).get_attribute("aria-valuenow"))

    def press(self, label: str, *keys: str) -> float:
        """Give a slider the focus, press keys, and tell where it stands."""
        self.slider(label).focus()
        for key in keys:
            self.page.keyboard.press(key)
        return self.number(label)

    def drag(self, label: str, share: float) -> float:
        """Drag a slider's handle with the mouse to a share (0 to 1) of its track, and tell where it stands."""
        handle, track = self.slider(label), self.control(label).locator(".noUi-base")
        handle.scroll_into_view_if_needed()
        start, way = handle.bounding_box(), track.bounding_box()
        y = start["y"] + start["height"] / 2
        self.page.mouse.move(start["x"] + start["width"] / 2, y)
        self.page.mouse.down()
        self.page.mouse.move(way["x"] + share * way["width"], y, steps=6)
        self.page.mouse.up()
        return self.number(label)

    def patch(self, number: int):
        """The button of a patch in the patch picker."""
        return self.root.get_by_role("radio").nth(number)

    def picked(self) -> list[str]:
        return self.root.locator("[role=radio][aria-checked=true]").all_inner_texts()

    def choose(self, label: str, option: str) -> None:
        self.control(label).get_by_role("combobox").select_option(label=option)

    def upload(self, button: str, file: Path) -> None:
        with self.page.expect_file_chooser() as chooser:
            self.root.get_by_role("button", name=button).click()
        chooser.value.set_files(file)

    def tab_stops(self) -> list[str]:
        """What has the focus, from the first control on, as Tab is pressed: labels of controls, texts of buttons."""
        first = self.root.locator("[tabindex='0'], button:not([tabindex='-1']), select, input").first
        first.focus()
        stops = []
        while len(stops) < 100:
            name = self.root.evaluate(
                """root => {
                    const here = document.activeElement
                    if (!root.contains(here)) return null
                    const row = here.closest('.widget-inline-hbox, .mp3-picker')
                    return (row?.querySelector('.widget-label, .mp3-picker-label') ?? here).textContent.trim()
                }"""
            )
            if name is None:
                break
            stops.append(name)
            self.page.keyboard.press("Tab")
        return stops

    def alert(self) -> str:
        """The sentence below the controls, or ""."""
        return " ".join(self.root.locator("[role=alert]").all_inner_texts())

    def png(self) -> bytes:
        """The bytes of the picture as the browser has them."""
        self.root.locator("img").first.wait_for()
        return bytes(
            self.root.locator("img").first.evaluate(
                "async img => [...new Uint8Array(await (await fetch(img.src)).arrayBuffer())]"
            )
        )

    def becomes(self, expected: bytes, seconds: float = 60) -> bool:
        """Wait for the picture to have exactly these bytes."""
        end = time.monotonic() + seconds
        while self.png() != expected:
            if time.monotonic() > end:
                return False
            self.page.wait_for_timeout(50)
        return True
