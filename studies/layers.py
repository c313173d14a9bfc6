"""Which layer knows most about classes? Both probes after every layer, with and without position embeddings.

The probes learn from the training images of all studies. The layer is chosen on the training images kept apart; the
test images are there for what is then said of it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import torch

from mp3lib import ViT
from mp3lib.data import Images, to_float
from mp3lib.evaluate import knn_top1, linear_top1
from mp3lib.json_files import write_json
from mp3lib.model import find_weights, load_vit, shipped_names
from mp3lib.train import read_run
from mp3lib.train.run_folder import versions

from .markdown import grid
from .more_scenes import measured_on
from .plan import HIDDEN, RUNS, TRAIN
from .runs import RESULTS

RANDOM, LIKE = "random", "pupil-4x4"  # random weights of a network as large as this one
POSITIONS = {"with": True, "without": False}  # whether position embeddings are added


def main(names: list[str]) -> None:
    """Write results/layers/NAME.json for each of these, of which ``python -m studies table`` makes a table."""
    for name in names:
        source = LIKE if name == RANDOM else name
        folder = find_weights(source) if source in shipped_names() else RUNS / source
        vit = load_vit(folder)
        if name == RANDOM:
            torch.manual_seed(0)
            vit = ViT(**vit.config)
        images = measured_on(read_run(folder), vit.image_size)
        about = {"data": images.name, "fingerprint": images.fingerprint, "versions": versions()}
        write_json(target(RESULTS, name), about | {"layers": probed(name, vit, images)})


def target(results: str | Path, name: str) -> Path:
    return Path(results) / "layers" / f"{name.replace('/', '-')}.json"


def probed(name: str, vit: ViT, images: Images) -> list[dict]:
    """Top-1 of the probes after each layer: the linear one on the images kept apart, both on the test images."""
    kept = min(TRAIN, len(images.train) * 9 // 10)
    labels, found = images.train.labels, []
    for positions, pos_emb in POSITIONS.items():
        train, test = (features(vit, part.images, pos_emb) for part in (images.train, images.test))
        for layer, (x, z) in enumerate(zip(train, test, strict=True), start=1):
            known = x[:kept], labels[:kept]
            kept_apart = linear_top1(*known, x[kept:], labels[kept:])
            scores = {"kept_apart": kept_apart, "knn": knn_top1(*known, z, images.test.labels)}
            scores["linear"] = linear_top1(*known, z, images.test.labels)
            print(f"{name}, layer {layer}, {positions} position embeddings:", scores, flush=True)
            found.append({"layer": layer, "positions": positions} | scores)
    return found


@torch.no_grad()
def features(vit: ViT, images: torch.Tensor, pos_emb: bool) -> list[torch.Tensor]:
    """Pooled features (N, d) of uint8 images after each layer, in one pass; ``frozen_features`` gives those of one."""
    layers = range(1, len(vit.transformer.layers) + 1)
    parts = [vit.eval().features(to_float(part), pos_emb, layers) for part in images.split(1000)]
    return [torch.cat([one.pooled for one in of_layer]) for of_layer in zip(*parts, strict=True)]


def named(file: Path) -> str:
    """What a table calls the network of results/layers/NAME.json."""
    if file.stem == RANDOM:
        return f"random weights, as large as `{LIKE}`"
    if found := re.fullmatch(r"hidden-(.+)-(\d+)-seed-(\d+)", file.stem):
        variant, epochs, seed = found.groups()
        return f"{HIDDEN[variant].words}, {epochs} epochs, seed {seed}"
    return f"`{file.stem}`"


def stored_layers(results: str | Path) -> dict[str, dict]:
    """What ``main`` has written, by the name of the file: the layers of each network, and what a table calls it."""
    found = {}
    for file in sorted((Path(results) / "layers").glob("*.json")):
        layers = json.loads(file.read_text(encoding="utf-8"))["layers"]
        found[file.stem] = {"words": named(file), "layers": layers}
    return found


def chosen(layers: list[dict]) -> dict:
    """The layer that the linear probe finds best on the images kept apart."""
    return max(layers, key=lambda one: one["kept_apart"])


def by_layer(results: str | Path) -> str:
    """Both probes on the test images after every layer, the one that was chosen in bold; "" where nothing is stored."""
    stored = stored_layers(results)
    if not stored:
        return ""
    most = max(one["layer"] for network in stored.values() for one in network["layers"])
    lines = []
    for network in stored.values():
        best = chosen(network["layers"])
        for positions in POSITIONS:
            of_layer = {one["layer"]: one for one in network["layers"] if one["positions"] == positions}
            shares = [""] * most
            for layer, one in of_layer.items():
                shares[layer - 1] = "{:.1f} / {:.1f}".format(*(100 * one[kind] for kind in ("knn", "linear")))
                if one is best:
                    shares[layer - 1] = f"**{shares[layer - 1]}**"
            lines.append([network["words"], positions, *shares])
    head = ["network", "position embeddings", *(f"after layer {layer}" for layer in range(1, most + 1))]
    told = (
        f"k-NN / linear probe, top-1 in percent on test images; both learn from {TRAIN:,} training images (scenes: "
        "nine tenths of them). **Bold**: the best linear probe on the other training images. The probe has not seen "
        "these, nor have the networks of the study. The shipped networks have, without labels. One seed each. The same "
        "figures: `python -m studies layers NAME`."
    )
    return f"{grid([head, *lines])}\n\n{told}"
