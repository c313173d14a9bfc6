"""The board of patches in Jupyter: the network runs in the page, with the model's own weights.

    board = patch_board(load_shipped("puzzler-4x4"), images.test.images[:10])

The same JavaScript (mp3lib/live) makes a page that needs neither Jupyter nor a server.
"""

from __future__ import annotations

import base64
import io
import random
import re
from collections.abc import Sequence
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from PIL import Image
from safetensors.torch import save
from torch import Tensor

from .model import MP3
from .plots import reassemble

LIVE = Path(__file__).parent / "live"


def script(*modules: str) -> str:
    """JavaScript files of mp3lib/live as one script, without imports and exports; each file after those it imports."""
    texts = [(LIVE / name).read_text(encoding="utf-8") for name in modules]
    return "\n".join(re.sub(r"^(export |import .*\n)", "", text, flags=re.MULTILINE) for text in texts)


class PatchBoard(anywidget.AnyWidget):
    """A board of patches whose network runs in the page. Made by `patch_board`, which explains it.

    What the reader does can be read, and set: `mode` ("jigsaw", "look" or "hide"), `picture` (its index), `order` (the
    patch at each place of the jigsaw), `seen` (for each patch, whether it is in the context when patches are looked at
    or hidden), and `pick` (the patch that is looked at, or None).
    """

    config = traitlets.Dict().tag(sync=True)
    weights = traitlets.Bytes(help="safetensors").tag(sync=True)
    words = traitlets.Unicode().tag(sync=True)
    pictures = traitlets.Bytes(help="uint8 (m, H, W, 4)").tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    size = traitlets.List(traitlets.Int(), help="height and width in pixels").tag(sync=True)
    mode = traitlets.Enum(("jigsaw", "look", "hide"), "jigsaw").tag(sync=True)
    picture = traitlets.Int(0).tag(sync=True)
    order = traitlets.List(traitlets.Int()).tag(sync=True)
    seen = traitlets.List(traitlets.Bool()).tag(sync=True)
    pick = traitlets.Int(None, allow_none=True).tag(sync=True)
    answer = traitlets.Bytes(b"", help="float32 (n, n), the logits of the network in the page").tag(
        sync=True, from_json=lambda buffer, _: bytes(buffer)
    )

    _esm = script("mp3.js", "solve.js", "board.js", "widget.js") + "\nexport default { render };\n"
    _css = (LIVE / "live.css").read_text(encoding="utf-8")

    def __init__(self, grid: tuple[int, int], **traits):
        self.grid, self._first = grid, traits["order"]
        super().__init__(**traits)

    @property
    def context(self) -> list[int]:
        """The patches that are seen. A jigsaw shows all of them to the network."""
        return [patch for patch, seen in enumerate(self.seen) if seen or self.mode == "jigsaw"]

    @property
    def logits(self) -> np.ndarray | None:
        """The answer of the network in the page, float32 (n, n): row i scores the places of patch i. None before it."""
        n = len(self.order)
        return np.frombuffer(self.answer, np.float32).reshape(n, n) if self.answer else None

    @traitlets.validate("order", "seen", "pick")
    def _fits(self, proposal):
        name, value, n = proposal.trait.name, proposal.value, self.grid[0] * self.grid[1]
        if name == "order" and sorted(value) != list(range(n)):
            raise ValueError(f"order must hold each of 0 to {n - 1} once, got {value}")
        if name == "seen" and (len(value) != n or not any(value)):
            raise ValueError(f"seen must hold {n} booleans, at least one of them True, got {value}")
        if name == "pick" and value is not None and not 0 <= value < n:
            raise ValueError(f"pick must be a patch, 0 to {n - 1}, or None, got {value}")
        return value

    def _repr_mimebundle_(self, **kwargs):
        # a constant text, and the shuffled picture as a PNG for pages without a kernel
        data, metadata = super()._repr_mimebundle_(**kwargs)
        height, width = self.size
        image = np.frombuffer(self.pictures, np.uint8).reshape(-1, height, width, 4)[0, :, :, :3]
        patch_size = (height // self.grid[0], width // self.grid[1])
        shuffled = Image.fromarray(reassemble(image, patch_size, self._first))
        file = io.BytesIO()
        shuffled.resize((8 * width, 8 * height), Image.Resampling.NEAREST).save(file, "png")
        alt = {"alt": f"A picture cut into {self.grid[0]} x {self.grid[1]} patches, shuffled"}
        return data | {
            "text/plain": f"[patch board: {len(self.names)} pictures]",
            "image/png": base64.b64encode(file.getvalue()).decode(),
        }, metadata | {"image/png": alt}


def patch_board(
    mp3: MP3, images: Tensor, names: Sequence[str] | None = None, *, mode: str = "jigsaw", words: str = "this model"
) -> PatchBoard:
    """A board to solve the jigsaw on, to pick patches, and to hide them; the network in the page answers at once.

    mp3: the model. Its weights are sent to the page, in half precision if that changes none of them.
    images: (m, 3, H, W) uint8, of the model's size; names: what each of them shows.
    mode: "jigsaw", "look" or "hide", which the reader can change; words: what to call the model.
    Raises ValueError for anything that is no MP3, and for images that do not fit it.
    """
    if not isinstance(mp3, MP3):
        raise ValueError(f"the board needs an MP3, got {type(mp3).__name__}: a classifier predicts no positions")
    height, width = mp3.vit.image_size
    if str(getattr(images, "dtype", "")) != "torch.uint8" or images.ndim != 4 or images.shape[1] != mp3.vit.channels:
        raise ValueError(f"images must be a uint8 tensor (m, 3, H, W), got {getattr(images, 'shape', type(images))}")
    if mp3.vit.channels != 3 or tuple(images.shape[2:]) != (height, width) or not len(images):
        raise ValueError(
            f"the board shows colour images of the model's size, {height} x {width}, got {tuple(images.shape)}"
        )
    names = [f"picture {i}" for i in range(len(images))] if names is None else [str(name) for name in names]
    if len(names) != len(images):
        raise ValueError(f"there are {len(images)} images, but {len(names)} names")
    pixels = np.full((len(images), height, width, 4), 255, np.uint8)
    pixels[..., :3] = images.permute(0, 2, 3, 1).cpu().numpy()
    weights = {name: tensor.detach().cpu().float().contiguous() for name, tensor in mp3.state_dict().items()}
    if all(tensor.half().float().equal(tensor) for tensor in weights.values()):
        weights = {name: tensor.half() for name, tensor in weights.items()}
    first = list(range(mp3.vit.grid[0] * mp3.vit.grid[1]))
    random.Random(0).shuffle(first)  # always the same, so that the stored picture is
    return PatchBoard(
        mp3.vit.grid, config=mp3.config, weights=save(weights), words=words, pictures=pixels.tobytes(), names=names,
        mode=mode, size=[height, width], order=first, seen=[True] * len(first),
    )  # fmt: skip
