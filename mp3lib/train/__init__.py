"""Training: ``pretrain`` (``pretraining``) and ``finetune`` (``finetuning``), and the loop that they share (``loop``).

Arguments are checked in ``checking``, and a run folder is begun or resumed in ``opening``. The loop's steps are in
``steps``, its batches in ``batches``, what it works with in ``training``, seeds in ``randomness``, what concerns
several processes in ``processes``. Optimizers are in ``optimizers``, learning rates over a run in ``schedules``,
compiled blocks in ``blocks``, checkpoints and resuming in ``checkpoint``, the best epoch in ``best``, the settings of a
run in ``settings``, by what it knows its images in ``digests``, its files in ``run_folder``, printed lines and trackers
in ``watching``, what a step costs in ``costs``, and the choice of bf16 or float32 in ``hardware``.
"""

from .costs import step_costs
from .finetuning import finetune
from .hardware import keep_memory, resolve_precision
from .optimizers import make_optimizers
from .pretraining import pretrain
from .randomness import seed_of
from .run_folder import read_metrics, read_run
from .schedules import warmup_cosine
from .settings import RunSettings

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
    "step_costs",
    "warmup_cosine",
]
