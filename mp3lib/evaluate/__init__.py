"""What a trained model can do: position accuracy and the patch-only floor (``positions``), whole puzzles by the
Hungarian method or Sinkhorn's scaling (``jigsaw``), and top-1 accuracy, k-NN and linear probes (``probes``).
"""

from .jigsaw import assign, sinkhorn
from .positions import Floor, patch_only_floor, position_accuracy
from .probes import frozen_features, knn_top1, linear_top1, top1_accuracy

__all__ = [
    "Floor",
    "assign",
    "frozen_features",
    "knn_top1",
    "linear_top1",
    "patch_only_floor",
    "position_accuracy",
    "sinkhorn",
    "top1_accuracy",
]
