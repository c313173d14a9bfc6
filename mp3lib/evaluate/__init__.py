"""What a trained model can do: position accuracy and the patch-only floor (``positions``), whole puzzles by the
Hungarian method or Sinkhorn's scaling (``jigsaw``), top-1 accuracy, k-NN and linear probes (``probes``), and whether a
difference is more than chance (``intervals``).
"""

from .intervals import Interval, paired_interval, pooled_deviation, pooled_interval
from .jigsaw import assign, sinkhorn
from .positions import Floor, patch_only_floor, position_accuracy
from .probes import frozen_features, knn_top1, linear_top1, top1_accuracy

__all__ = [
    "Floor",
    "Interval",
    "assign",
    "frozen_features",
    "knn_top1",
    "linear_top1",
    "paired_interval",
    "patch_only_floor",
    "pooled_deviation",
    "pooled_interval",
    "position_accuracy",
    "sinkhorn",
    "top1_accuracy",
]
