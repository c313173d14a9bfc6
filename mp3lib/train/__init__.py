"""Training: ``pretrain`` (``pretraining``) and ``finetune`` (``finetuning``), and the loop that they share (``loop``).

Learning rates and optimizers are in ``optimizers``, checkpoints and resuming in ``checkpoint``, the files of a run in
``run_folder``, and the choice of bf16 or float32 in ``hardware``.
"""

from .finetuning import finetune
from .hardware import keep_memory, resolve_precision
from .loop import RunSettings, seed_of
from .optimizers import make_optimizers, warmup_cosine
from .pretraining import pretrain
from .run_folder import read_metrics, read_run

__all__ = [
    "RunSettings",
    "finetune",
    "keep_memory",
    "make_optimizers",
    "pretrain",
    "read_metrics",
    "read_run",
    "resolve_precision",
    "seed_of",
    "warmup_cosine",
]
