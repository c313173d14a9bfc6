"""Training: ``pretrain`` (``pretraining``) and ``finetune`` (``finetuning``), and the loop that they share (``loop``).

Optimizers are in ``optimizers``, learning rates over a run in ``schedules``, compiled blocks in ``blocks``, checkpoints
and resuming in ``checkpoint``, the best epoch in ``best``, the files of a run in ``run_folder``, printed lines and
trackers in ``watching``, and the choice of bf16 or float32 in ``hardware``.
"""

from .finetuning import finetune
from .hardware import keep_memory, resolve_precision
from .loop import RunSettings, seed_of
from .optimizers import make_optimizers
from .pretraining import pretrain
from .run_folder import read_metrics, read_run
from .schedules import warmup_cosine

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
