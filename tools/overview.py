"""Draw the pictures of the README, from the shipped weights and the stored results: python tools/overview.py

Two show the first test images, which are not chosen. assets/overview.webp is an animation: shuffled patches move to
the places that the network predicts; assets/overview-dark.webp is the same for dark pages. assets/overview.png shows
images, shuffled images and predictions side by side.
assets/tour.png shows the first six of them, larger, for the first notebook.
assets/few_labels.png is a chart: what pretraining is worth with few labels.
"""

import re
import sys
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Rectangle
from PIL import Image, ImageDraw, ImageFont

from mp3lib import load_images, load_shipped
from mp3lib.data import to_float
from mp3lib.evaluate import assign
from mp3lib.model import puzzler_of
from mp3lib.plots import INK, PAPER, VERMILION, Picture, curves, figure, patch_grid, reassemble, style
from mp3lib.results import stored

ROOT = Path(__file__).resolve().parents[1]
SHOWN = range(12)  # the first twelve: not chosen
TOUR = 6  # so many of them in notebook 00
COLORS = 128  # of all the pieces together: fewer make a smaller file
SIDE, COLUMNS, GAP, MARGIN, LINE = 96, 6, 14, 12, 19  # pixels: a picture, between pictures, around, a line of text
READ, FLIGHT, FRAMES, REST, END = 2800, 525, 7, 175, 6000  # milliseconds; FRAMES: in one flight
PLAYS = 2  # then the answer stays
DARK = ROOT / "labextensions" / "mp3lib" / "static" / "dark.css"  # how a dark page recolours figures
WORDS = (
    "Twelve shuffled images: where does each patch belong?",
    "A network places the patches, those with the highest probability first",
    "{right} of {all} patches are right, and {whole} of {pictures} images as a whole; wrong patches are framed",
)


def solve(mp3, images: torch.Tensor, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The network's answer to shuffled pictures; it is given nothing else, and may look at every piece.

    images: uint8 (b, c, H, W); order: (n,), place i of a shuffled picture shows patch order[i]. Returns placed (b, n),
    the place of the piece that lay at place i, no place twice, and sure (b, n), the probability that it gives to it.
    """
    shuffled = np.stack([reassemble(image, mp3.vit.patch_size, order) for image in images])
    logits = mp3.predict(to_float(torch.from_numpy(shuffled).permute(0, 3, 1, 2)), mask_ratio=0.0).logits
    placed = assign(logits)
    sure = logits.softmax(dim=-1).gather(2, placed[:, :, None])[:, :, 0]
    return placed.numpy(), sure.numpy()


def arrangements(placed: np.ndarray, sure: np.ndarray, ticks: int) -> list[np.ndarray]:
    """From the shuffled patches to the answer in so many ticks: each time (n,), the piece at every place.

    The surest piece goes first, and changes places with the one that lies where it wants to be.
    """
    now = np.arange(len(placed))
    states = [now.copy()]
    for part in np.array_split(np.argsort(-sure, kind="stable"), ticks):
        for piece in part:
            here, there = int(np.flatnonzero(now == piece)[0]), placed[piece]
            now[[here, there]] = now[[there, here]]
        states.append(now.copy())
    return states


def on_dark(color: str) -> str:
    """What a dark page makes of a colour of paper or ink: the matrix of the filter in dark.css."""
    rows = np.array(re.search(r"feColorMatrix in='SourceGraphic' values='([^']+)'", DARK.read_text())[1].split(), float)
    return to_hex((rows.reshape(4, 5)[:3] @ (*to_rgb(color), 1, 1)).clip(0, 1))


class Stage:
    """Where the pictures stand, and how one frame is drawn."""

    def __init__(self, shuffled: np.ndarray, patch_size: tuple[int, int], dark: bool = False):
        """shuffled: uint8 (b, H, W, 3); their patches are the pieces 0 … n-1. dark: for a dark page."""
        self.paper, self.ink = (on_dark(PAPER), on_dark(INK)) if dark else (PAPER, INK)
        b, high, wide, _ = shuffled.shape
        rows, self.cols = high // patch_size[0], wide // patch_size[1]
        few = Image.fromarray(shuffled.reshape(b * high, wide, 3)).quantize(
            COLORS, Image.Quantize.MEDIANCUT, kmeans=3, dither=Image.Dither.NONE
        )
        pieces = np.asarray(few.convert("RGB")).reshape(b, rows, patch_size[0], self.cols, patch_size[1], 3)
        zoom = max(1, SIDE // max(high, wide))
        pieces = pieces.swapaxes(2, 3).reshape(b, rows * self.cols, *patch_size, 3)
        self.pieces = pieces.repeat(zoom, 2).repeat(zoom, 3)
        self.size = self.pieces.shape[2:4]
        self.pitch = self.size[0] + 1, self.size[1] + 1  # a line between pieces
        self.down, across = rows * self.pitch[0], self.cols * self.pitch[1] + GAP
        columns = min(COLUMNS, b)
        self.corners = [
            (MARGIN + LINE + i // columns * (self.down + LINE + GAP), MARGIN + i % columns * across) for i in range(b)
        ]
        self.shape = self.corners[-1][0] + self.down + LINE + MARGIN, 2 * MARGIN + columns * across - GAP
        self.font = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", 12)

    def spot(self, picture: int, place: int) -> tuple[int, int]:
        """The corner (y, x) of a place, in pixels."""
        (y, x), (row, column) = self.corners[picture], divmod(int(place), self.cols)
        return y + row * self.pitch[0], x + column * self.pitch[1]

    def frame(self, before, after, share=1.0, words="", wrong=None) -> Image.Image:
        """Pieces on their way from the arrangement `before` to `after`, each (b, n), a share of the way along.

        wrong: (b, n) bool, the places to frame; with it, every picture says how many are right.
        """
        ground, (height, width) = tuple(bytes.fromhex(self.paper[1:])), self.size
        canvas = np.full((*self.shape, 3), ground, dtype=np.uint8)
        share = share * share * (3 - 2 * share)  # slowly off, slowly in
        for b, (old, new) in enumerate(zip(before, after, strict=True)):
            source, aim = np.argsort(old), np.argsort(new)
            for piece in np.argsort(source != aim, kind="stable"):  # what moves lies above what rests
                start, stop = np.array(self.spot(b, source[piece])), np.array(self.spot(b, aim[piece]))
                y, x = np.rint(start + share * (stop - start)).astype(int)
                canvas[y - 1 : y + height + 1, x - 1 : x + width + 1] = ground
                canvas[y : y + height, x : x + width] = self.pieces[b, piece]
        image = Image.fromarray(canvas)
        pen = ImageDraw.Draw(image)
        pen.text((MARGIN, MARGIN - 4), words, self.ink, self.font)
        for b, flags in enumerate(wrong if wrong is not None else ()):
            for place in np.flatnonzero(flags):
                y, x = self.spot(b, place)
                box = (x, y, x + width - 1, y + height - 1)
                pen.rectangle(box, outline="white", width=3)
                pen.rectangle(box, outline=VERMILION, width=2)
            y, x = self.corners[b]
            pen.text((x, y + self.down + 2), f"{(~flags).sum()} of {len(flags)} right", self.ink, self.font)
        return image


def film(stage: Stage, placed: np.ndarray, sure: np.ndarray, order: np.ndarray) -> list[tuple[Image.Image, int]]:
    """The frames, and for how many milliseconds each one stays."""
    n = placed.shape[1]
    rows = [arrangements(p, s, min(n, 16)) for p, s in zip(placed, sure, strict=True)]
    states = np.array(rows).swapaxes(0, 1)  # (ticks + 1, b, n)
    wrong = order[states[-1]] != np.arange(n)
    ask, do, tell = WORDS
    frames = [(stage.frame(states[0], states[0], words=ask), READ), (stage.frame(states[0], states[0], words=do), READ)]
    for before, after in zip(states[:-1], states[1:], strict=True):
        if (before != after).any():
            shares = [i / FRAMES for i in range(1, FRAMES + 1)]
            frames += [(stage.frame(before, after, share, do), FLIGHT // FRAMES) for share in shares]
            frames[-1] = frames[-1][0], frames[-1][1] + REST
    frames[-1] = frames[-1][0], READ // 2
    numbers = {"right": (~wrong).sum(), "all": wrong.size, "whole": (~wrong).all(1).sum(), "pictures": len(wrong)}
    frames.append((stage.frame(states[-1], states[-1], words=tell.format(**numbers), wrong=wrong), END))
    return frames


def still(images, patch_size, order: np.ndarray, placed: np.ndarray):
    """The images, the shuffled ones and the answers, wrong pieces framed, one below the other."""
    n, (ph, pw) = len(order), patch_size
    cols = images.shape[3] // pw
    rows = "the picture", "shuffled", "the answer"
    with style():
        fig, axes = figure(0.98 * len(images), 3.5, rows=3, columns=len(images), squeeze=False)
        for column, image in enumerate(images):
            shuffled = reassemble(image, patch_size, order)
            at = placed[column].argsort()  # the piece at every place
            wrong = np.flatnonzero(order[at] != np.arange(n))
            patch_grid(image, patch_size, ax=axes[0, column])
            patch_grid(shuffled, patch_size, ax=axes[1, column])
            patch_grid(reassemble(shuffled, patch_size, at), patch_size, ax=axes[2, column])
            axes[2, column].set_title(f"{n - len(wrong)} of {n}", fontsize=9)
            for color, width in (("white", 3), (VERMILION, 1.7)):
                for place in wrong:
                    box = (place % cols * pw + 0.6, place // cols * ph + 0.6), pw - 1.2, ph - 1.2
                    axes[2, column].add_patch(Rectangle(*box, fill=False, ec=color, lw=width))
        for ax, words in zip(axes[:, 0], rows, strict=True):
            ax.text(-0.12, 0.5, words, rotation=90, ha="center", va="center", transform=ax.transAxes, fontsize=9)
    return fig


def few_labels() -> Picture:
    """Top-1 with 500, 1,000 and 5,000 labels, after MP3 and from scratch: the mean over seeds, in a band."""
    seeds = stored("shown/few_labels.json")
    series = {
        name: ([int(n) for n in seeds], np.array([100 * np.array(by[f"{start}-{n}-pos"]) for n, by in seeds.items()]).T)
        for name, start in (("MP3, then fine-tuned", "mp3"), ("from scratch", "scratch"))
    }
    title = "With few labels, MP3 helps if its own epochs are not counted"
    words = "labelled images, logarithmic scale (band: from the lowest to the highest of three seeds)"
    fig = curves(series, words, "top-1 on test images (%)", title, height=3.4)
    with style():
        axes = fig.axes[0]
        axes.set_xscale("log")
        axes.set_xticks([int(n) for n in seeds], [f"{int(n):,}" for n in seeds])
        axes.minorticks_off()
    return fig


def main() -> None:
    images = load_images("cifar10").test.images[list(SHOWN)]
    mp3 = load_shipped(puzzler_of("cifar10"))
    order = torch.randperm(mp3.vit.num_patches, generator=torch.Generator().manual_seed(0)).numpy()
    placed, sure = solve(mp3, images, order)
    shuffled = np.stack([reassemble(image, mp3.vit.patch_size, order) for image in images])
    folder = ROOT / "assets"
    folder.mkdir(exist_ok=True)
    (folder / "overview.png").write_bytes(still(images, mp3.vit.patch_size, order, placed).png())
    (folder / "tour.png").write_bytes(still(images[:TOUR], mp3.vit.patch_size, order, placed[:TOUR]).png())
    (folder / "few_labels.png").write_bytes(few_labels().png())
    for name, dark in (("overview.webp", False), ("overview-dark.webp", True)):
        frames = film(Stage(shuffled, mp3.vit.patch_size, dark), placed, sure, order)
        frames[0][0].save(
            folder / name, save_all=True, append_images=[image for image, _ in frames[1:]],
            duration=[ms for _, ms in frames], loop=PLAYS, lossless=True, quality=80, method=4,
        )  # fmt: skip
    for name in ("overview.png", "overview.webp", "overview-dark.webp", "tour.png", "few_labels.png"):
        path = folder / name
        print(path.relative_to(ROOT), f"{path.stat().st_size // 1000} kB")
    print(f"{len(frames)} frames, {sum(ms for _, ms in frames) / 1000:.1f} seconds")


if __name__ == "__main__":
    sys.exit(main())
