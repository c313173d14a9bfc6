"""Masked position prediction (MP3) for vision transformers, in parts small enough to read.

The names below are loaded when they are first used, so ``import mp3lib`` itself costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:  # so that editors can follow the names
    from .attention import Attention as Attention
    from .attention import FeedForward as FeedForward
    from .attention import Transformer as Transformer
    from .attention import record_attention as record_attention
    from .budgets import budget as budget
    from .data import load_images as load_images
    from .mp3 import MP3 as MP3
    from .mp3 import sample_context as sample_context
    from .posemb import posemb_sincos_2d as posemb_sincos_2d
    from .shipped import load_shipped as load_shipped
    from .vit import ViT as ViT

_HOME = {
    "Attention": "attention",
    "FeedForward": "attention",
    "MP3": "mp3",
    "Transformer": "attention",
    "ViT": "vit",
    "budget": "budgets",
    "load_images": "data",
    "load_shipped": "shipped",
    "posemb_sincos_2d": "posemb",
    "record_attention": "attention",
    "sample_context": "mp3",
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
