"""The page that runs the network in a browser: made in a folder, opened, and asked for its state."""

from __future__ import annotations

import functools
from pathlib import Path

import torch
from scripts import load_script

from mp3lib.data.scenes import make_scenes

ROOT = Path(__file__).resolve().parents[1]
NETWORKS = {
    "puzzler": ("puzzler", "puzzler-scenes"),
    "pupil": ("pupil", "pupil-4x4"),
    "flagship": ("8 x 8", "flagship-8x8"),
}


@functools.cache
def scenes() -> torch.Tensor:
    """Drawn pictures, uint8 (50, 3, 32, 32)."""
    return torch.from_numpy(make_scenes(10, 50)[1][0])


def write_drawn(folder: Path, count: int = 3) -> None:
    """The page as the site has it, but with drawn pictures and a puzzler for these."""
    live = load_script("site/live.py")
    live.write_page(folder, scenes()[:count], [f"scene {i}" for i in range(count)], NETWORKS, "Drawn.")


class Board:
    """The page, with every message of the console and every request to somewhere else."""

    def __init__(self, browser, address: str, before: str = "", **options):
        self.context = browser.new_context(**{"viewport": {"width": 1000, "height": 900}} | options)
        self.page, self.wrong, self.loaded = self.context.new_page(), [], []
        self.page.set_default_timeout(60_000)
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        if before:
            self.page.add_init_script(before)

        def only_here(route):
            self.loaded.append(route.request.url)
            if route.request.url.startswith((address.rpartition("/")[0], "data:", "blob:")):
                return route.continue_()
            self.wrong.append(f"outside: {route.request.url}")
            route.abort()

        self.page.route("**/*", only_here)
        self.page.goto(address)

    def wait(self) -> Board:
        """Until the page is there and nothing is awaited any more."""
        self.page.locator("body[data-ready]").wait_for(state="attached")
        self.page.evaluate("() => window.live.settled()")
        return self

    def state(self, name: str):
        return self.wait().page.evaluate(f"() => window.live.state.{name}")

    def logits(self) -> list[float]:
        return self.wait().page.evaluate("() => [...window.live.answer().logits]")

    def cell(self, place: int):
        return self.page.locator(f"[data-place='{place}']")

    def middle(self, place: int) -> tuple[float, float]:
        box = self.cell(place).bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def has_focus(self, locator) -> bool:
        return locator.evaluate("e => e === document.activeElement")

    def tab(self, words: str) -> None:
        self.page.get_by_role("tab", name=words).click()
        self.wait()

    def words(self) -> str:
        return self.wait().page.locator(".live-panel").inner_text()

    def status(self) -> str:
        return self.wait().page.locator(".live-status").inner_text()

    def touch(self, *places: int | None) -> None:
        """A finger goes down on the first place, moves over the others, and goes up at None."""
        devtools = self.context.new_cdp_session(self.page)
        for i, place in enumerate(places):
            kind = "touchEnd" if place is None else "touchMove" if i else "touchStart"
            points = [] if place is None else [dict(zip("xy", self.middle(place), strict=True))]
            devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
