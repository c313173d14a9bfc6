"""What a shipped model uses: its position accuracy on test images that lack a cue.

It is measured on the first 2,000 test images of the data that it was trained on. The cues are those of
mp3lib/data/cues.py, and "boxes": from every image its own box of 60 % of its area, enlarged to the whole, as random
crops in training do. A pattern that is fixed to pixels is then at another place in each image.
"""

from __future__ import annotations

from functools import partial

import torch

from mp3lib import MP3, load_shipped
from mp3lib.data import random_resized_crop
from mp3lib.data.cues import jpeg
from mp3lib.evaluate import position_accuracy
from mp3lib.json_files import write_json
from mp3lib.model import find_weights
from mp3lib.train import read_run
from mp3lib.train.run_folder import versions

from .more_scenes import measured_on
from .plan import HIDDEN_TESTS, of_uint8, transforms
from .runs import RESULTS

IMAGES = 2000
RATIOS = (0.0, 0.75)


def boxes(images: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(0)
    return random_resized_crop(images, (0.6, 0.6), flip=False).add(1).mul(127.5).round().to(torch.uint8)


def main(name: str) -> None:
    """Write results/cues/NAME.json, of which ``python -m studies table`` makes a table."""
    mp3 = load_shipped(name)
    if not isinstance(mp3, MP3):
        raise ValueError(f"{name} predicts classes, not positions")
    images = measured_on(read_run(find_weights(name)), mp3.vit.image_size)
    shown, remove = images.test.images[:IMAGES], transforms(mp3.vit.patch_size)
    changes = {"as they are": lambda x: x} | {cue: of_uint8(remove[cue]) for cue in HIDDEN_TESTS}
    changes |= {"boxes": boxes, "jpeg": jpeg, "jpeg-moved": partial(jpeg, shift=4)}
    cues = {
        cue: {str(ratio): s["accuracy"] for ratio, s in position_accuracy(mp3, change(shown), RATIOS).items()}
        for cue, change in changes.items()
    }
    for cue, by_ratio in cues.items():
        print(f"{cue:>12}", *(f"{share:.4f}" for share in by_ratio.values()))
    about = {"images": len(shown), "data": images.name, "fingerprint": images.fingerprint, "versions": versions()}
    write_json(RESULTS / "cues" / f"{name}.json", about | {"chance": 1 / mp3.vit.num_patches, "cues": cues})
