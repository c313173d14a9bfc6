"""Whether a configuration, a model and saved weights fit each other, found out before memory for weights is taken."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from ..json_files import read_json
from ..paths import LFS
from .compiled import COMPILED, uncompiled_weights
from .finding import check_folder

FLOATING = ("F16", "BF16", "F32", "F64")  # dtypes of weights, as safetensors names them
# what programs of Hugging Face add to a config.json
HUB_KEYS = ("_name_or_path", "architectures", "library_name", "model_type", "transformers_version")
VALUE_RANGE = "value_range"  # the key of config.json for the values that became 0 and 255 in training
POS_EMB = "pos_emb"  # the key of config.json, and of a run's settings, for weights that are used without them: false


def check_known(kind: type[nn.Module], config: dict[str, Any]) -> None:
    """Refuse keys of a configuration that the constructor does not take, other than those of Hugging Face."""
    arguments = inspect.signature(kind.__init__).parameters
    if any(argument.kind is inspect.Parameter.VAR_KEYWORD for argument in arguments.values()):
        return
    if unknown := [name for name in config if name not in arguments and name not in (*HUB_KEYS, POS_EMB, VALUE_RANGE)]:
        raise ValueError(f"a {kind.__name__} has no argument {', '.join(unknown)}")


def check_required(kind: type[nn.Module], config: dict[str, Any], place: str | Path) -> None:
    """Refuse a configuration that lacks arguments which the constructor needs: that of another kind of model."""
    if missing := missing_arguments(kind, config):
        raise ValueError(
            f"{place} holds no {kind.__name__}: its config.json has no {', '.join(missing)}. "
            "mp3lib.model.load_model takes a folder of either kind, an MP3 or a ViT"
        )


def check_loadable(model: nn.Module) -> None:
    """Refuse a model that has been changed so that ``from_pretrained`` could not load what is saved.

    A subclass whose constructor takes more than its ``config`` holds is not checked.

    Raises:
        ValueError: if the constructor does not make such weights from the model's ``config``.
    """
    kind = type(model).__name__
    fix = f"make a new {kind}, or save its state_dict() yourself"
    try:
        config = model.config
    except (TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"a part of the {kind} was replaced, so that it has no config ({error}): {fix}") from None
    if missing_arguments(type(model), config):
        return
    made = shapes_made(type(model), config)
    has = {name: tuple(weight.shape) for name, weight in uncompiled_weights(model.state_dict()).items()}
    if name := next((name for name in sorted({*made, *has}) if made.get(name) != has.get(name)), None):
        difference = f"{name} should be {made.get(name)} and is {has.get(name)}".replace("None", "absent")
        raise ValueError(f"the {kind} was changed, so that it could not be loaded again ({difference}): {fix}")


def missing_arguments(kind: type[nn.Module], config: dict[str, Any]) -> list[str]:
    """The arguments that the constructor needs and the configuration lacks."""
    arguments = inspect.signature(kind.__init__).parameters
    required = [name for name, a in arguments.items() if name != "self" and a.default is inspect.Parameter.empty]
    return [name for name in required if name not in config]


def shapes_made(kind: type[nn.Module], config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The names and shapes of the weights that a configuration makes."""
    with torch.device("meta"):  # shapes without memory
        return {name: tuple(weight.shape) for name, weight in kind.from_config(config).state_dict().items()}


def check_saved(kind: type[nn.Module], folder: Path) -> None:
    """Compare ``config.json`` with the shapes and dtypes in ``model.safetensors``, before memory for weights is taken.

    Raises:
        FileNotFoundError: if the folder or a file is missing.
        ValueError: if they do not fit each other, or cannot be read.
    """
    check_folder(folder)
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder} holds no {name}: it is not the folder of a saved model")
    config = read_json(folder / "config.json")
    check_required(kind, config, folder)
    try:
        expected = shapes_made(kind, config)
    except (TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError(f"{folder / 'config.json'} holds values that make no model ({error})") from None
    except ValueError as error:
        raise ValueError(f"{folder / 'config.json'}: {error}") from None
    with open(folder / "model.safetensors", "rb") as file:
        if file.read(len(LFS)) == LFS:
            raise ValueError(
                f"{folder / 'model.safetensors'} is a git-lfs pointer, not the weights: git lfs pull brings them"
            )
    try:
        with safe_open(folder / "model.safetensors", "pt") as file:
            stored = list(file.keys())
            slices = {name.replace(COMPILED, ""): file.get_slice(name) for name in stored}
            shapes = {name: tuple(part.get_shape()) for name, part in slices.items()}
            dtypes = {name: part.get_dtype() for name, part in slices.items()}
    except (SafetensorError, OSError) as error:
        raise ValueError(does_not_fit(folder, " ".join(str(error).split())[:200])) from None
    if len(slices) < len(stored):
        raise ValueError(does_not_fit(folder, f"some weights are there twice, with and without {COMPILED} in the name"))
    for name in sorted({*expected, *shapes}):
        if expected.get(name) != shapes.get(name):
            reason = f"{name} should be {expected.get(name)} and is {shapes.get(name)}"
            raise ValueError(does_not_fit(folder, reason.replace("None", "absent")))
    if wrong := [name for name, dtype in dtypes.items() if dtype not in FLOATING]:
        raise ValueError(f"{folder}: the weights {wrong[0]} are {dtypes[wrong[0]]}, not floating-point numbers")


def does_not_fit(folder: str | Path, reason: str) -> str:
    return (
        f"model.safetensors in {folder} cannot be read, or does not fit the config.json beside it ({reason}): take "
        "both from one run"
    )
