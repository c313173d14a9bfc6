"""The model in that of ``torch.compile``, and names of weights without what that puts into them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

COMPILED = "_orig_mod."  # what torch.compile puts into the names of weights; it has no function that removes it


def uncompiled(model: nn.Module) -> nn.Module:
    """The model inside that of ``torch.compile``; another one is what it is."""
    return getattr(model, COMPILED.rstrip("."), model)


def uncompiled_weights(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights by the names that they have where neither the model nor a part of it is in ``torch.compile``."""
    return {name.replace(COMPILED, ""): weight for name, weight in weights.items()}


def without_compiled_prefix(module: nn.Module, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
    """Give weights the names of this module: they, or it, may have been in ``torch.compile``, whole or in parts."""
    own = {name.replace(COMPILED, ""): name for name in module.state_dict()}
    for name in [name for name in state_dict if name.startswith(prefix)]:
        plain = name.removeprefix(prefix).replace(COMPILED, "")
        state_dict[prefix + own.get(plain, plain)] = state_dict.pop(name)
