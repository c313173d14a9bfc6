"""The page that runs the network in the browser: live.html and, beside it, the weights of each network.

The page works from any static server and from a folder. Browsers refuse modules and fetch in a folder. The modules of
mp3lib/live therefore become one script, and the weights are written twice: as they are stored, which a server gives,
and as base64 in a script, which a folder gives.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

from torch import Tensor

from mp3lib.board import accuracies
from mp3lib.board.scripts import BOARD, LIVE, script
from mp3lib.model import shipped_names

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = ROOT / "mp3lib" / "weights"
MODULES = (*BOARD, "page.js")  # each after those that it imports


def write_page(folder: Path, images: Tensor, names: list[str], networks: dict[str, tuple[str, str]], note: str) -> None:
    """Write ``live.html`` into ``folder``, and for each network ``live-NAME.safetensors`` and ``live-NAME.js``.

    Args:
        images: uint8 (N, 3, H, W), the pictures to choose from.
        names: what each of them shows.
        networks: name -> (words, shipped weights); the first is loaded with the page.
        note: where the pictures come from.

    Raises:
        ValueError: for weights that do not come with the library.
    """
    if missing := {weights for _, weights in networks.values()} - set(shipped_names()):
        raise ValueError(f"no such shipped weights: {', '.join(sorted(missing))}")
    pictures = [
        {"name": name, "rgb": base64.b64encode(image.permute(1, 2, 0).numpy().tobytes()).decode()}
        for name, image in zip(names, images, strict=True)
    ]
    start = {
        "networks": [
            {"name": name, "words": words, "config": json.loads((WEIGHTS / weights / "config.json").read_text("utf-8"))}
            for name, (words, weights) in networks.items()
        ],
        "pictures": pictures,
    }
    page = (LIVE / "page.html").read_text(encoding="utf-8")
    page = (
        page.replace("FIRST", next(iter(networks)))
        .replace("/* STYLE */", (LIVE / "live.css").read_text(encoding="utf-8"))
        .replace("<!-- NOTE -->", note)
    )
    code = f"{script(*MODULES)}\nstartPage({json.dumps(start)});\n".replace("</", "<\\/")
    page = page.replace("/* SCRIPT */", f'"use strict";\n{code}')
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "live.html").write_text(page, encoding="utf-8")
    for name, (_, weights) in networks.items():
        stored = (WEIGHTS / weights / "model.safetensors").read_bytes()
        (folder / f"live-{name}.safetensors").write_bytes(stored)
        encoded = json.dumps(base64.b64encode(stored).decode())
        code = f"(window.mp3Weights = window.mp3Weights || {{}})[{json.dumps(name)}] = {encoded};\n"
        (folder / f"live-{name}.js").write_text(code, encoding="utf-8")


def write_live(folder: Path, data: str = "auto") -> None:
    """The page with the first test image of each class: of CIFAR-10, or of the drawn scenes where that is not at hand.

    The image on which the puzzler places most patches right comes first, and each name tells how many (see
    ``mp3lib.board.accuracies``).
    """
    from mp3lib import load_images, load_shipped
    from mp3lib.model import pupil_of, puzzler_of

    images = load_images(data)
    puzzler = puzzler_of(images.name)
    chosen = [images.test.labels.tolist().index(label) for label in range(len(images.classes))]
    shares = accuracies(load_shipped(puzzler), images.test.images[chosen])
    ordered = sorted(zip(shares, chosen, strict=True), reverse=True)
    names = [
        f"test picture {i}: {images.classes[images.test.labels[i]]} ({100 * share:.0f} % right with 75 % hidden)"
        for share, i in ordered
    ]
    networks = {
        "puzzler": ("puzzler: trained with up to 75 % hidden", puzzler),
        "pupil": ("pupil: trained with 75 % hidden", pupil_of(images.name)),
    }
    if images.name == "cifar10":
        networks["flagship"] = ("larger network: trained with 25 to 75 % hidden, 8 x 8 patches", "flagship-8x8")
    note = "The pictures are the first test image of each class, the easiest for the puzzler first. " + (
        'They are from <a href="https://www.cs.toronto.edu/~kriz/cifar.html">CIFAR-10</a> (Krizhevsky 2009), which '
        "comes without a license of its own."
        if images.name == "cifar10"
        else "The library draws them itself."
    )
    write_page(folder, images.test.images[[i for _, i in ordered]], names, networks, note)
