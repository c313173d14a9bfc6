"""Draw the picture that heads the README, from the shipped weights: python tools/overview.py [rows]"""

import sys
from pathlib import Path

import torch

from mp3lib import MP3, load_images
from mp3lib.data import to_float
from mp3lib.evaluate import assign
from mp3lib.plots import figure, patch_grid, reassemble, style

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = ROOT / "mp3lib" / "weights" / "student-4x4"
SHOWN = range(6)  # the first six: not chosen


def main() -> None:
    images = load_images("cifar10").test.images[list(SHOWN)]
    mp3 = MP3.from_pretrained(WEIGHTS).eval()
    rows, cols = mp3.vit.grid
    n = mp3.vit.num_patches
    shuffled = torch.randperm(n, generator=torch.Generator().manual_seed(0))  # position i shows patch shuffled[i]
    placed = assign(mp3.predict(to_float(images), mask_ratio=0.0).logits)  # patch j is put at placed[j]
    with style():
        fig, axes = figure(1.25 * len(images), 4.1, rows=3, columns=len(images))
        for column, image in enumerate(images):
            right = int((placed[column] == torch.arange(n)).sum())
            patch_grid(image, mp3.vit.patch_size, ax=axes[0, column])
            patch_grid(reassemble(image, mp3.vit.patch_size, shuffled), mp3.vit.patch_size, ax=axes[1, column])
            back = reassemble(image, mp3.vit.patch_size, placed[column].argsort())
            patch_grid(back, mp3.vit.patch_size, ax=axes[2, column], title=f"{right} of {n} right")
        for ax, words in zip(axes[:, 0], ("a test image", "what it is given", "its answer"), strict=True):
            ax.text(-0.12, 0.5, words, rotation=90, ha="center", va="center", transform=ax.transAxes, fontsize=9)
    path = ROOT / "assets" / "overview.png"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(fig.png())
    print(path.relative_to(ROOT), f"{path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    sys.exit(main())
