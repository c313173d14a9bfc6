"""The board of patches in Jupyter: the network runs in the page, with the model's own weights.

In a notebook the board is the last expression of a cell. Later cells read what the reader did, and set it::

    board = patch_board(load_shipped("puzzler-4x4"), images.test.images[:10])
    board                                    # solve the jigsaw, pick patches, hide patches

    board.order, board.context, board.pick   # the jigsaw as it stands, the seen patches, the picked patch
    board.logits                             # the answer on the board, float32 (n, n)
    board.mode, board.pick = "look", 6       # the page follows

Several networks to switch between, such as the puzzler and the pupil, are a mapping::

    patch_board({"the puzzler": puzzler, "the pupil": pupil}, images, mode="look", easiest_first=True)

The page answers with the weights that the model had when the board was made. The kernel can answer too, with the model
as it is at that moment, for example after more training: the reader chooses it under the board, or
`patch_board(my_model, images, answers="kernel")` does. `answers="both"` compares the two answers.
A page without a kernel shows a stored picture. The same JavaScript (mp3lib/live) makes the site's page live.html.
"""

from __future__ import annotations

import base64
import io
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import anywidget
import numpy as np
import torch
import traitlets
from PIL import Image
from safetensors.torch import save
from torch import Tensor

from .data import to_float
from .evaluate import position_accuracy
from .model import MP3
from .model.modes import eval_mode
from .plots import reassemble
from .plots.board_picture import board_picture

LIVE = Path(__file__).parent / "live"
# the files of the board, each after those that it imports
BOARD = (
    "mp3.js", "solve.js", "worker.js", "drawing.js", "questions.js", "panels.js", "cells.js", "gestures.js",
    "actions.js", "layout.js", "networks.js", "board.js",
)  # fmt: skip


def script(*modules: str) -> str:
    """JavaScript files of mp3lib/live as one script, without imports and exports; each file after those it imports."""
    texts = [(LIVE / name).read_text(encoding="utf-8") for name in modules]
    return "\n".join(re.sub(r"^(export |import .*\n)", "", text, flags=re.MULTILINE) for text in texts)


class PatchBoard(anywidget.AnyWidget):
    """A board of patches whose network runs in the page. Made by `patch_board`, which explains it.

    What the reader does can be read, and set: `mode` ("jigsaw", "look" or "hide"), `picture` (its index; an index
    beyond the images is a picture of the reader's own), `order` (the patch at each place of the jigsaw), `seen` (for
    each patch, whether it is in the context when patches are looked at or hidden), `pick` (the patch that is looked at,
    or None), `network` (the name of the model) and `answers` ("page", "kernel" or "both").
    """

    networks = traitlets.List(traitlets.Dict(), help="name, config, weights (safetensors)").tag(sync=True)
    pictures = traitlets.Bytes(help="uint8 (m, H, W, 4)").tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    size = traitlets.List(traitlets.Int(), help="height and width in pixels").tag(sync=True)
    network = traitlets.Unicode().tag(sync=True)
    answers = traitlets.Enum(("page", "kernel", "both"), "page").tag(sync=True)
    mode = traitlets.Enum(("jigsaw", "look", "hide"), "jigsaw").tag(sync=True)
    picture = traitlets.Int(0, min=0).tag(sync=True)
    order = traitlets.List(traitlets.Int()).tag(sync=True)
    seen = traitlets.List(traitlets.Bool()).tag(sync=True)
    pick = traitlets.Int(None, allow_none=True).tag(sync=True)
    answer = traitlets.Bytes(b"", help="float32 (n, n), the logits on the board").tag(
        sync=True, from_json=lambda buffer, _: bytes(buffer)
    )
    shown = traitlets.Bytes(b"", help="uint8 (H, W, 4), the picture on the board").tag(
        sync=True, from_json=lambda buffer, _: bytes(buffer)
    )

    # The front end of anywidget 0.11 (runtime.ts) starts a timer of 2 seconds when the model is made, and imports this
    # text as a module from a blob. Where the timer ends first, the model's `ready` is rejected for good: every later
    # message of the kernel waits for `ready` and is lost, while the board is shown and its own messages arrive. Nothing
    # of this module runs before that is decided, and its size is not what takes the time: on a quiet machine these
    # 50 kB are imported in 12 ms, and 2 kB in 9. On a busy one the page waited 1.1 s for the browser to hand the text
    # over, and JupyterLab, which draws the other outputs meanwhile, took the rest. So a small first module would not
    # help, and which messages a model handles is anywidget's own affair. Running the cell again, or reloading the page,
    # helps. Where the kernel does not answer, questions.js tells the reader.
    _esm = script(*BOARD, "widget.js") + "\nexport default { render };\n"
    _css = (LIVE / "live.css").read_text(encoding="utf-8")

    def __init__(self, models: Mapping[str, MP3], **traits):
        self.models, self.network = dict(models), next(iter(models))  # before `order` and the others are looked at
        super().__init__(order=_shuffled(self._n), seen=[True] * self._n, **traits)
        self.on_msg(self._asked)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.models[self.network].vit.grid

    @property
    def context(self) -> list[int]:
        """The patches that are seen. A jigsaw shows all of them to the network."""
        return [patch for patch, seen in enumerate(self.seen) if seen or self.mode == "jigsaw"]

    @property
    def logits(self) -> np.ndarray | None:
        """The answer on the board, float32 (n, n): row i scores the places of patch i. None while it is awaited."""
        return np.frombuffer(self.answer, np.float32).reshape(self._n, self._n) if self.answer else None

    @property
    def image(self) -> Tensor:
        """The picture on the board, uint8 (3, H, W): one of the images, or the reader's own."""
        return _image(self.shown or self._picture(self.picture), self.size)

    def _picture(self, number: int) -> bytes:
        """The pixels of one of the images, uint8 (H, W, 4)."""
        count = 4 * self.size[0] * self.size[1]
        return self.pictures[count * number : count * (number + 1)]

    @property
    def _n(self) -> int:
        rows, columns = self.grid
        return rows * columns

    @traitlets.validate("network", "order", "seen", "pick")
    def _fits(self, proposal):
        name, value = proposal.trait.name, proposal.value
        if name == "network":
            if value not in self.models:
                raise ValueError(f"network must be one of {', '.join(map(repr, self.models))}, got {value!r}")
            return value
        n = self._n
        if name == "order" and sorted(value) != list(range(n)):
            raise ValueError(f"order must hold each of 0 to {n - 1} once, got {value}")
        if name == "seen" and (len(value) != n or not any(value)):
            raise ValueError(f"seen must hold {n} booleans, at least one of them True, got {value}")
        if name == "pick" and value is not None and not 0 <= value < n:
            raise ValueError(f"pick must be a patch, 0 to {n - 1}, or None, got {value}")
        return value

    @traitlets.observe("network")
    def _resize(self, _) -> None:
        """Another network may have another number of patches."""
        if len(self.order) not in (0, self._n):
            with self.hold_sync():
                self.pick, self.order, self.seen = None, _shuffled(self._n), [True] * self._n

    def _asked(self, _, message: dict, buffers: list) -> None:
        """The page asks the kernel: answer with the model as it is now."""
        reply = {"view": message["view"], "question": message["question"]}
        try:
            image = to_float(_image(buffers[0], self.size))
            logits, attention = kernel_answer(self.models[message["network"]], image, message["seen"])
        except Exception as error:  # the page shows it to the reader
            self.send(reply | {"error": f"{type(error).__name__}: {error}"})
            return
        self.send(reply | {"shape": list(attention.shape[:3])}, [logits.tobytes(), attention.tobytes()])

    def _repr_mimebundle_(self, **kwargs):
        # a constant text, and a picture for pages without a kernel
        data, metadata = super()._repr_mimebundle_(**kwargs)
        picture, alt = self._stored_picture()
        file = io.BytesIO()
        picture.save(file, "png")
        return data | {
            "text/plain": f"[patch board: {len(self.names)} pictures]",
            "image/png": base64.b64encode(file.getvalue()).decode(),
        }, metadata | {"image/png": {"alt": alt, "width": picture.width // 2, "height": picture.height // 2}}

    def _stored_picture(self) -> tuple[Image.Image, str]:
        """The first picture, shuffled or with hidden patches hatched; and its alt text."""
        image, patch_size = _image(self._picture(0), self.size), self.models[self.network].vit.patch_size
        cut = "A picture cut into {} x {} patches".format(*self.grid)
        if self.mode == "jigsaw":
            return board_picture(reassemble(image, patch_size, _shuffled(self._n)), patch_size), f"{cut}, shuffled"
        hidden = [patch for patch, seen in enumerate(self.seen) if not seen]
        return board_picture(image, patch_size, hidden), f"{cut}, {sum(self.seen)} of them seen"


def _image(pixels: bytes | memoryview, size: Sequence[int]) -> Tensor:
    """Pixels as a canvas has them, uint8 (H, W, 4), as an image, uint8 (3, H, W)."""
    rgb = np.frombuffer(pixels, np.uint8).reshape(*size, 4)[..., :3]
    return torch.from_numpy(rgb.transpose(2, 0, 1).copy())


def _shuffled(n: int) -> list[int]:
    """An order of 0 to n - 1 that is always the same, so that the stored picture is."""
    order = list(range(n))
    random.Random(0).shuffle(order)
    return order


def kernel_answer(mp3: MP3, image: Tensor, seen: Sequence[bool]) -> tuple[np.ndarray, np.ndarray]:
    """What the network in the page computes, by PyTorch and with the model as it is now.

    image: float (3, H, W) from -1 to 1; seen: n booleans.
    Returns logits float32 (n, n), a row for each patch, and attention float32 (depth, heads, n, n), rows the queries
    and columns the keys, 0 for patches that are not seen. Raises ValueError as `MP3.predict` does.
    """
    weight = next(mp3.parameters())
    context = torch.tensor([patch for patch, is_seen in enumerate(seen) if is_seen], dtype=torch.long)
    with eval_mode(mp3):
        found = mp3.predict(image[None].to(weight.device, weight.dtype), context, with_attention=True)
    depth, _, heads, n, _ = found.attn.shape
    attention = torch.zeros(depth, heads, n, n)
    attention[..., context] = found.attn[:, 0].float().cpu()
    return found.logits[0].float().cpu().numpy(), attention.numpy()


def _sent(name: str, mp3: MP3) -> dict:
    """A model as the page receives it: its weights in half precision if that changes none of them."""
    weights = {key: weight.detach().cpu().float().contiguous() for key, weight in mp3.state_dict().items()}
    if all(weight.half().float().equal(weight) for weight in weights.values()):
        weights = {key: weight.half() for key, weight in weights.items()}
    return {"name": name, "config": mp3.config, "weights": save(weights)}


def patch_board(
    mp3: MP3 | Mapping[str, MP3],
    images: Tensor,
    names: Sequence[str] | None = None,
    *,
    mode: str = "jigsaw",
    words: str = "this model",
    answers: str = "page",
    easiest_first: bool = False,
) -> PatchBoard:
    """A board to solve the jigsaw on, to pick patches, and to hide them; the network in the page answers at once.

    Args:
        mp3: the model, or a mapping from what to call each model to the model; the reader switches between them.
            Weights are sent to the page, in half precision if that changes none of them.
        images: (m, 3, H, W) uint8, of the models' size, at least one.
        names: what each of the m images shows; default: "picture 0" and so on.
        mode: "jigsaw", "look" or "hide", which the reader can change.
        words: what to call a single model.
        answers: who answers first, "page", "kernel" (the model as it is when it is asked) or "both", which compares
            them.
        easiest_first: show the images in the order of `accuracies` of the first model, the highest first. A name goes
            with its image: "picture 7" is ``images[7]``, wherever it stands.

    Raises:
        ValueError: for anything that is no MP3, for images that do not fit it, for another number of names, and for
            another word for ``mode`` or ``answers``.
    """
    if not isinstance(words, str):
        raise ValueError(f"words must be a string, got {str(words)[:100]}")
    models = dict(mp3) if isinstance(mp3, Mapping) else {words: mp3}
    _check_fit(models, images)
    if names is not None and not isinstance(names, (list, tuple)):
        raise ValueError(f"names must be a list of what each image shows, got {str(names)[:100]}")
    names = [f"picture {i}" for i in range(len(images))] if names is None else [str(name) for name in names]
    if len(names) != len(images):
        raise ValueError(f"there are {len(images)} images, but {len(names)} names")
    for name, value, known in (("mode", mode, PatchBoard.mode.values), ("answers", answers, PatchBoard.answers.values)):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, got {value!r}")
    if easiest_first:
        shares = accuracies(next(iter(models.values())), images)
        order = sorted(range(len(images)), key=lambda i: -shares[i])
        images, names = images[order], [names[i] for i in order]
    pixels = np.full((len(images), *images.shape[2:], 4), 255, np.uint8)
    pixels[..., :3] = images.permute(0, 2, 3, 1).cpu().numpy()
    return PatchBoard(
        {str(name): model for name, model in models.items()}, networks=[_sent(str(n), m) for n, m in models.items()],
        pictures=pixels.tobytes(), names=names, size=list(images.shape[2:]), mode=mode, answers=answers,
    )  # fmt: skip


def accuracies(mp3: MP3, images: Tensor) -> list[float]:
    """How easy each of several images is: the share of its patches placed right with 75 % hidden, 0 to 1.

    images: uint8 (m, 3, H, W). Each share is a mean over 16 random contexts, the same ones for every image.
    Raises ValueError as `position_accuracy` does.
    """
    return [position_accuracy(mp3, image.expand(16, -1, -1, -1), [0.75])[0.75]["accuracy"] for image in images]


def _check_fit(models: Mapping[str, MP3], images: Tensor) -> None:
    """``ValueError`` unless these are MP3s for colour images of one size, and such images, uint8 (m, 3, H, W)."""
    if not models:
        raise ValueError("the board needs at least one MP3, got an empty mapping")
    for model in models.values():
        if not isinstance(model, MP3):
            raise ValueError(f"the board needs an MP3, got {type(model).__name__}: a classifier predicts no positions")
    first, *others = models.values()
    if different := {other.vit.image_size for other in others} - {first.vit.image_size}:
        raise ValueError(f"all models must take images of one size, {first.vit.image_size}, got {different.pop()} too")
    height, width = first.vit.image_size
    if str(getattr(images, "dtype", "")) != "torch.uint8" or images.ndim != 4 or images.shape[1] != first.vit.channels:
        raise ValueError(f"images must be a uint8 tensor (m, 3, H, W), got {getattr(images, 'shape', type(images))}")
    if first.vit.channels != 3 or tuple(images.shape[2:]) != (height, width) or not len(images):
        raise ValueError(
            f"the board shows colour images of the model's size, {height} x {width}, got {tuple(images.shape)}"
        )
