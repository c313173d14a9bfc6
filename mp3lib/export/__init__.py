"""Models of other libraries, to and from ours: ``vit_pytorch`` (in ``vit_pytorch``)."""

from .vit_pytorch import from_vit_pytorch, to_vit_pytorch

__all__ = ["from_vit_pytorch", "to_vit_pytorch"]
