"""What a shipped model goes by: its position accuracy on test images that lack a cue: python tools/cues.py NAME

Writes results/cues/NAME.json, from which `python -m mp3lib table` makes a table. The first 2,000 test images of
CIFAR-10; all cues are those of mp3lib/cues.py, but for the boxes: every picture's own box of 60 % of its area, enlarged
to the whole, as random crops in training do; whatever is fixed to pixels is then elsewhere in each picture.
"""

import sys
from functools import partial
from pathlib import Path

import torch

from mp3lib import MP3, load_images, load_shipped
from mp3lib.data import random_resized_crop
from mp3lib.data.cues import flat, gap, grey, hole, jpeg, transformed
from mp3lib.evaluate import position_accuracy
from mp3lib.train.run_folder import versions, write_json

FOLDER = Path(__file__).resolve().parents[1] / "results" / "cues"
IMAGES = 2000
RATIOS = (0.0, 0.75)


def boxes(images: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(0)
    return random_resized_crop(images, (0.6, 0.6), flip=False).add(1).mul(127.5).round().to(torch.uint8)


def main(name: str) -> None:
    mp3 = load_shipped(name)
    if not isinstance(mp3, MP3):
        sys.exit(f"{name} tells classes, not positions")
    images = load_images("cifar10", size=mp3.vit.image_size)
    shown = images.test.images[:IMAGES]
    without = {
        "as they are": lambda x: x,
        "gap-1": partial(transformed, transform=partial(gap, patch_size=mp3.vit.patch_size)),
        "hole-1": partial(transformed, transform=partial(hole, patch_size=mp3.vit.patch_size)),
        "grey": partial(transformed, transform=grey),
        "flat": partial(transformed, transform=partial(flat, patch_size=mp3.vit.patch_size)),
        "boxes": boxes,
        "jpeg": jpeg,
        "jpeg-moved": partial(jpeg, shift=4),
    }
    cues = {
        cue: {str(ratio): s["accuracy"] for ratio, s in position_accuracy(mp3, change(shown), RATIOS).items()}
        for cue, change in without.items()
    }
    for cue, by_ratio in cues.items():
        print(f"{cue:>12}", *(f"{share:.4f}" for share in by_ratio.values()))
    about = {"images": len(shown), "data": images.name, "fingerprint": images.fingerprint, "versions": versions()}
    write_json(FOLDER / f"{name}.json", about | {"chance": 1 / mp3.vit.num_patches, "cues": cues})


if __name__ == "__main__":
    main(sys.argv[1])
