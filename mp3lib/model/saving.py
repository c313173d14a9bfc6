"""Saving and loading a model: a folder with config.json and model.safetensors."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, PyTorchModelHubMixin
from safetensors import SafetensorError
from safetensors.torch import save_file as write_weights
from torch import Tensor

from .. import __version__
from ..arguments import as_range, shown, truth
from ..json_files import read_json
from ..paths import folder_for_weights, with_usual_mode
from .card import model_card
from .finding import find_weights
from .fitting import (
    HUB_KEYS,
    POS_EMB,
    VALUE_RANGE,
    check_known,
    check_loadable,
    check_required,
    check_saved,
    does_not_fit,
)
from .randomness import random_state_kept

HUB_OPTIONS = ("revision", "token", "cache_dir", "force_download", "local_files_only")

# PyTorch and safetensors have errors of their own for a full disk.
WRITE_ERRORS = (OSError, SafetensorError, RuntimeError)


class SavedModel(PyTorchModelHubMixin):
    """``save_pretrained`` and ``from_pretrained`` of the Hugging Face hub mixin, with a configuration of our own.

    A class has a property ``config``: the arguments of its constructor that make the object as it is now, in the form
    that JSON can hold. ``save_pretrained`` writes it to ``config.json``, so a change of the object after its making is
    saved as well. Loading is strict: every weight has to be there, and no other.

    ``config.json`` also says where weights are used without position embeddings, as ``vit.pos_emb`` does; and which
    values of the images became 0 and 255 in training, as ``vit.value_range`` does.
    """

    @property
    def config(self) -> dict[str, Any]:
        """The arguments of the constructor that make this object as it is now, without its weights."""
        raise NotImplementedError(f"{type(self).__name__} has no config")

    @property
    def saved_config(self) -> dict[str, Any]:
        """What ``config.json`` holds: ``config``, the range of values, and whether ``"pos_emb"`` is false."""
        vit, more = vit_in(self), {}
        if getattr(vit, VALUE_RANGE, None):
            more[VALUE_RANGE] = list(range_of({VALUE_RANGE: vit.value_range}))
        return self.config | more | ({} if getattr(vit, "pos_emb", True) else {POS_EMB: False})

    @classmethod
    def from_config(cls, config: dict[str, Any]):
        """A new model with random weights, from what ``config`` gives or a ``config.json`` holds.

        Raises:
            ValueError: for a key that is none of the constructor's arguments, and as the constructor.
        """
        check_known(cls, config)
        own = {name: value for name, value in config.items() if name not in (*HUB_KEYS, POS_EMB, VALUE_RANGE)}
        model = cls(**cls.decoded(own))
        vit_in(model).pos_emb = truth(POS_EMB, config.get(POS_EMB, True))
        vit_in(model).value_range = range_of(config)
        return model

    @classmethod
    def decoded(cls, config: dict[str, Any]) -> dict[str, Any]:
        """The arguments of the constructor, from their form in JSON."""
        return config

    def save_pretrained(
        self,
        save_directory: str | Path,
        *,
        config: dict | None = None,
        repo_id: str | None = None,
        push_to_hub: bool = False,
        model_card_kwargs: dict | None = None,
        **push_options,
    ) -> str | None:
        """Write ``config.json``, ``model.safetensors`` and a model card, ``README.md``, where there is none yet.

        All files are written into a folder beside them, and renamed into place, one after the other, when they are
        complete. So an error while they are written leaves a model that was there before as it is.
        The file of weights also names the library, the class and the configuration, in its metadata. The arguments are
        those of the hub mixin.

        Raises:
            OSError: if they cannot be written, for example because the disk is full.
            ValueError: for weights without values (on the meta device), for a model or a ``config`` that could not be
                loaded again (see ``check_loadable``), and for a place where no folder can be made.
        """
        check_loadable(self)
        check_known(type(self), config or {})
        if name := next((name for name, tensor in self.state_dict().items() if tensor.is_meta), None):
            raise ValueError(f"the weights have no values to save, got {name} on the meta device")
        folder = folder_for_weights(save_directory)
        about = {"config": config or self.saved_config, "model_card_kwargs": model_card_kwargs}
        beside = folder / ".model"
        try:
            shutil.rmtree(beside, ignore_errors=True)  # left by a killed run
            beside.mkdir(parents=True)
            super().save_pretrained(beside, **about)
            for file in sorted(beside.iterdir()):
                if file.name != "README.md" or not (folder / file.name).exists():
                    os.replace(file, folder / file.name)
        except WRITE_ERRORS as error:
            raise OSError(f"the weights could not be written to {folder} ({error}): make room and try again") from error
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        return self.push_to_hub(repo_id or folder.name, **about, **push_options) if push_to_hub else None

    def _save_pretrained(self, save_directory: Path) -> None:
        # The mixin's place for writing the weights of a subclass.
        file = save_directory / "model.safetensors"
        about = {"format": "pt", "library": f"mp3lib {__version__}", "model": type(self).__name__}
        write_weights(unshared(self.state_dict()), str(file), about | {"config": json.dumps(self.saved_config)})
        with_usual_mode(file)

    def generate_model_card(self, **about: Any) -> ModelCard:
        """The model card that ``save_pretrained`` writes; ``about`` are the further arguments of ``model_card``."""
        return ModelCard(model_card(self, **about), ignore_metadata_errors=True)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, *, subfolder: str | None = None, **options):
        """Load what ``save_pretrained`` wrote: from a folder, by name, or from a repository on the Hugging Face Hub.

        Args:
            pretrained_model_name_or_path: a folder (``~`` is expanded), the name of weights that come with the
                library, or ``"user/repo"``; see ``find_weights``.
            subfolder: a folder below that.
            options: those of the hub mixin, such as ``revision`` and ``token``.

        Returns:
            the model on the CPU, in eval mode, with weights of PyTorch's default dtype, which is float32 unless it was
            changed: weights that were saved as bfloat16, float16 or float64 are converted. ``.to(dtype)`` brings a
            lower precision back.

        Raises:
            FileNotFoundError: for a name that nothing has, and for a repository that could not be downloaded.
            ValueError: for a model of the other kind, damaged files, weights that do not fit ``config.json``, that are
                not floating-point numbers, or that are not finite.
        """
        hub = {name: options.pop(name) for name in HUB_OPTIONS if name in options}
        folder = folder_for_weights(find_weights(pretrained_model_name_or_path, subfolder, **hub))
        check_saved(cls, folder)
        model = super().from_pretrained(str(folder), **options)
        vit_in(model).pos_emb = used_with_positions(folder)
        vit_in(model).value_range = range_of(read_json(folder / "config.json"))
        return model

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **options):
        # The mixin's place for loading a subclass. Options named in the constructor come from config.json.
        arguments = inspect.signature(cls.__init__).parameters
        config = {name: options.pop(name) for name in list(options) if name in arguments}
        check_required(cls, config, model_id)
        try:
            # the mixin prints where it loads from, and a new model draws weights, which are replaced
            with contextlib.redirect_stdout(io.StringIO()), random_state_kept():
                model = super()._from_pretrained(model_id=model_id, **options | cls.decoded(config) | {"strict": True})
        except (SafetensorError, RuntimeError) as error:
            raise ValueError(does_not_fit(model_id, " ".join(str(error).split())[:200])) from error
        if bad := [name for name, tensor in model.state_dict().items() if not tensor.isfinite().all()]:
            raise ValueError(f"the weights in {model_id} are not finite ({bad[0]}): the training that made them failed")
        return model


def vit_in(model: SavedModel) -> SavedModel:
    """The ViT of an MP3; another model is what it is."""
    return getattr(model, "vit", model)


def range_of(config: dict[str, Any]) -> tuple[float, float] | None:
    """The values that became 0 and 255 in training, by ``config.json``; ValueError for something else than a pair."""
    if (values := config.get(VALUE_RANGE)) is None:
        return None
    return as_range(VALUE_RANGE, values, "a pair of finite numbers, low below high", lambda low, high: low < high)


def used_with_positions(folder: Path) -> bool:
    """Whether the saved weights in a folder are used with position embeddings.

    Where ``config.json`` does not say it, as in older runs, ``run.json`` does, of a checkpoint that beside it.

    Raises:
        ValueError: if one of the files is damaged.
    """
    config, place = read_json(folder / "config.json"), folder.resolve()
    run = (place.parent if place.name.startswith("checkpoint-") else place) / "run.json"
    if POS_EMB in config or not run.is_file():
        return config.get(POS_EMB, True)
    settings = read_json(run).get("settings")
    if not isinstance(settings, dict):
        raise ValueError(f"{run} is damaged: it has no settings")
    return settings.get(POS_EMB, True) is not False


def unshared(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights, each in memory of its own: safetensors writes weights that two layers share only once."""
    seen, own = set(), {}
    for name, weight in weights.items():
        place = weight.untyped_storage().data_ptr()
        own[name] = weight.clone() if place in seen else weight.contiguous()
        seen.add(place)
    return own


def save_model(folder: str | Path, model: SavedModel) -> None:
    """Write a model into ``folder``, as its ``save_pretrained`` does.

    Raises:
        OSError: as ``save_pretrained``.
        ValueError: as ``save_pretrained``, and for something else than a model of this library.
    """
    if not hasattr(model, "save_pretrained"):
        raise ValueError(f"save_model takes an MP3 or a ViT, got {shown(model)}")
    model.save_pretrained(folder)


def as_int_or_list(size: tuple[int, int]) -> int | list[int]:
    """The side of a square, or [height, width]: how a size is written to ``config.json``."""
    return size[0] if size[0] == size[1] else list(size)
