"""Models in other formats: ``vit_pytorch`` (in ``vit_pytorch``), timm (in ``timm``, ``timm_parts`` and ``timm_vit``),
ONNX and ``torch.export`` (in ``programs``). ``checking`` compares the results.

``to_…`` and ``from_…`` convert an object, ``save_…`` writes a file or folder. Each result is compared with the original
before it is handed over, and what cannot be exact is refused with the reason. The ``ViTModel`` of Hugging Face
transformers cannot express a ViT of this library: it has a class token, and its last LayerNorm comes before the mean.
"""

from .programs import save_onnx, save_torch_export, to_torch_export
from .timm import from_timm, save_timm, to_timm
from .vit_pytorch import from_vit_pytorch, save_vit_pytorch, to_vit_pytorch

__all__ = [
    "from_timm",
    "from_vit_pytorch",
    "save_onnx",
    "save_timm",
    "save_torch_export",
    "save_vit_pytorch",
    "to_timm",
    "to_torch_export",
    "to_vit_pytorch",
]
