"""The network, a file a subject: position embeddings (``posemb``), attention and the transformer (``attention``),
attention maps and rollout (``attention_maps``), the Vision Transformer (``vit``), masked position prediction (``mp3``)
and which patches are seen (``context``), what is refused (``checking``), eval mode for a while (``modes``), random
numbers that leave the caller's alone (``randomness``), saved models (``saving``, ``loading``), whether they fit
(``fitting``), names of weights in ``torch.compile`` (``compiled``), where weights are (``finding``, ``shipped``), model
cards (``card``), and named shapes (``presets``).
"""

from .attention import Attention, Block, FeedForward, Transformer
from .attention_maps import attention_rollout, record_attention
from .card import model_card
from .context import sample_context
from .finding import find_weights, shipped_names
from .loading import load_model, load_mp3, load_vit, use_classes, with_image_size
from .mp3 import MP3, Prediction
from .posemb import posemb_sincos_2d
from .presets import PRESETS, patch_size_for, preset, preset_lr, preset_of
from .saving import save_model
from .shipped import load_shipped, pupil_of, puzzler_of
from .vit import Features, ViT

__all__ = [
    "MP3",
    "PRESETS",
    "Attention",
    "Block",
    "Features",
    "FeedForward",
    "Prediction",
    "Transformer",
    "ViT",
    "attention_rollout",
    "find_weights",
    "load_model",
    "load_mp3",
    "load_shipped",
    "load_vit",
    "model_card",
    "patch_size_for",
    "posemb_sincos_2d",
    "preset",
    "preset_lr",
    "preset_of",
    "record_attention",
    "sample_context",
    "save_model",
    "shipped_names",
    "pupil_of",
    "puzzler_of",
    "use_classes",
    "with_image_size",
]
