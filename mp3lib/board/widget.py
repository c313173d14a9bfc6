"""The board as a widget of Jupyter: what the reader did, read and set, and the answers of the kernel."""

from __future__ import annotations

import base64
import io
import random
from collections.abc import Mapping, Sequence

import anywidget
import numpy as np
import torch
import traitlets
from PIL import Image
from torch import Tensor

from ..data import to_float
from ..model import MP3
from ..model.modes import eval_mode
from ..plots import reassemble
from ..plots.board_picture import board_picture
from .scripts import BOARD, LIVE, script


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
        self._answered = None  # what the answer on the board belongs to
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
        if not self.answer or self._answered != self._asked_for():
            return None
        return np.frombuffer(self.answer, np.float32).reshape(self._n, self._n)

    @property
    def image(self) -> Tensor:
        """The picture on the board, uint8 (3, H, W): one of the images, or the reader's own."""
        return _image(self._picture(self.picture) or self.shown, self.size)

    def _asked_for(self) -> tuple[str, int, list[int]]:
        """What an answer depends on."""
        return self.network, self.picture, self.context

    @traitlets.observe("answer")
    def _note(self, _) -> None:
        """The page sends an answer together with what it belongs to."""
        self._answered = self._asked_for()

    def _picture(self, number: int) -> bytes:
        """The pixels of one of the images, uint8 (H, W, 4); none of a picture of the reader's own."""
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
