"""Masked position prediction (MP3) for vision transformers, in parts small enough to read.

``model`` is the network, ``data`` the images, ``train`` pretraining and fine-tuning, ``evaluate`` accuracy and probes,
``plots`` and ``widgets`` the figures, ``board`` the board whose network runs in the page (``live``), ``export`` other
libraries' formats, ``checks`` the checkers of the exercises, and ``cli`` the commands.
The names below are loaded when they are first used, so ``import mp3lib`` itself costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.2.0"

if TYPE_CHECKING:  # so that editors can follow the names
    from .budgets import budget as budget
    from .data import load_images as load_images
    from .model import MP3 as MP3
    from .model import Attention as Attention
    from .model import FeedForward as FeedForward
    from .model import Transformer as Transformer
    from .model import ViT as ViT
    from .model import load_shipped as load_shipped
    from .model import posemb_sincos_2d as posemb_sincos_2d
    from .model import record_attention as record_attention
    from .model import sample_context as sample_context

_HOME = {
    "Attention": "model",
    "FeedForward": "model",
    "MP3": "model",
    "Transformer": "model",
    "ViT": "model",
    "budget": "budgets",
    "load_images": "data",
    "load_shipped": "model",
    "posemb_sincos_2d": "model",
    "record_attention": "model",
    "sample_context": "model",
}

__all__ = [*_HOME]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value  # the next use finds it at once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
