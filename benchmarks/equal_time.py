"""What an epoch of pretraining costs beside one of fine-tuning, in processor seconds: python benchmarks/equal_time.py

The network of the studies (a 4 x 4 grid) and their settings: MP3 with mask ratio .75, where half of the hidden patches
give queries, and training on labels. An epoch of MP3 sends fewer tokens through the network, so it is shorter. Both are
measured in one process in turn, each as the second epoch over IMAGES random images, by the seconds that the processor
works for them. Other programs then matter less than for seconds of the clock. What counts is the median of the ratios.

--out FILE writes the figures as JSON; results/benchmarks/equal_time.json is what the table "Equal cost" reads.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch

from mp3lib import MP3, ViT
from mp3lib.json_files import write_json
from mp3lib.train import finetune, pretrain
from mp3lib.train.run_folder import versions

IMAGES, BATCH = 5120, 256


def new_vit() -> ViT:
    return ViT(num_classes=10, image_size=32, patch_size=8, dim=128, depth=4, heads=2, mlp_dim=512)


def second_epoch(train) -> float:
    """Processor seconds of the second epoch; train(on_epoch) trains for two."""
    ends: list[float] = []
    train(lambda line: ends.append(time.process_time()))
    return ends[1] - ends[0]


def round_of_both(images: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    same = dict(epochs=2, batch_size=BATCH, progress=False)
    mp3, vit = MP3(new_vit(), 0.75, "updated"), new_vit()
    return {
        "pretraining": second_epoch(lambda note: pretrain(mp3, images, query_fraction=0.5, on_epoch=note, **same)),
        "fine-tuning": second_epoch(lambda note: finetune(vit, images, labels, on_epoch=note, **same)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="default: 7")
    parser.add_argument("--images", type=int, default=IMAGES, help=f"of an epoch (default: {IMAGES})")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the figures there, as JSON")
    args = parser.parse_args()
    torch.manual_seed(0)
    images = torch.randint(0, 256, (args.images, 3, 32, 32), dtype=torch.uint8)
    labels = torch.randint(0, 10, (args.images,))
    rounds = [round_of_both(images, labels) for _ in range(args.rounds)]
    ratios = [one["pretraining"] / one["fine-tuning"] for one in rounds]
    ratio = statistics.median(ratios)
    print(f"An epoch of MP3 costs {ratio:.2f} epochs of fine-tuning ({min(ratios):.2f} to {max(ratios):.2f}).")
    print(f"10 epochs of MP3 and 5 of fine-tuning cost as much as {10 * ratio + 5:.1f} epochs of fine-tuning.")
    if args.out:
        about = {"threads": torch.get_num_threads(), "images": args.images, "batch": BATCH, "versions": versions()}
        write_json(args.out, {"ratio": ratio, "rounds": rounds} | about)


if __name__ == "__main__":
    main()
