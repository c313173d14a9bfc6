"""Saving and loading a model: a folder with config.json and model.safetensors."""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import shutil
from pathlib import Path
from typing import Any

from huggingface_hub import PyTorchModelHubMixin
from safetensors import SafetensorError

# PyTorch and safetensors have errors of their own for a full disk.
WRITE_ERRORS = (OSError, SafetensorError, RuntimeError)


class SavedModel(PyTorchModelHubMixin):
    """``save_pretrained`` and ``from_pretrained`` of the Hugging Face hub mixin, with a configuration of our own.

    A class has a property ``config``: the arguments of its constructor that make the object as it is now, in the form
    that JSON can hold. ``save_pretrained`` writes it to ``config.json``, so a change of the object after its making is
    saved as well. Loading is strict: every weight has to be there, and no other.
    """

    @property
    def config(self) -> dict[str, Any]:
        """The arguments of the constructor that make this object as it is now, without its weights."""
        raise NotImplementedError(f"{type(self).__name__} has no config")

    @classmethod
    def from_config(cls, config: dict[str, Any]):
        """A new model with random weights, from what ``config`` gives or a ``config.json`` holds."""
        return cls(**cls.decoded(config))

    @classmethod
    def decoded(cls, config: dict[str, Any]) -> dict[str, Any]:
        """The arguments of the constructor, from their form in JSON."""
        return config

    def save_pretrained(self, save_directory: str | Path, *, config: dict | None = None, **options):
        """Write ``config.json``, ``model.safetensors`` and a model card; ``options`` are those of the hub mixin."""
        return super().save_pretrained(save_directory, config=config or self.config, **options)

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **options):
        # The mixin's place for loading a subclass. Options named in the constructor come from config.json.
        arguments = inspect.signature(cls.__init__).parameters
        config = {name: options.pop(name) for name in list(options) if name in arguments}
        required = [name for name, a in arguments.items() if name != "self" and a.default is inspect.Parameter.empty]
        if missing := [name for name in required if name not in config]:
            raise ValueError(
                f"{model_id} holds no {cls.__name__}: its config.json has no {', '.join(missing)}. "
                "mp3lib.model.load_model takes a folder of either kind, an MP3 or a ViT"
            )
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # the mixin prints where it loads from
                return super()._from_pretrained(model_id=model_id, **options | cls.decoded(config) | {"strict": True})
        except (SafetensorError, RuntimeError) as error:
            raise ValueError(
                f"model.safetensors in {model_id} cannot be read, or does not fit the config.json beside it "
                f"({' '.join(str(error).split())[:200]}): take both from one run"
            ) from error


def save_model(folder: str | Path, model: SavedModel) -> None:
    """Write ``model.safetensors`` and ``config.json`` into ``folder``, each renamed into place when it is complete.

    Raises:
        OSError: if they cannot be written, for example because the disk is full.
    """
    folder = Path(folder)
    beside = folder / ".model"
    try:
        shutil.rmtree(beside, ignore_errors=True)  # left by a killed run
        beside.mkdir(parents=True)
        model.save_pretrained(beside)
        for name in ("model.safetensors", "config.json"):
            os.replace(beside / name, folder / name)
    except WRITE_ERRORS as error:
        raise OSError(f"the weights could not be written to {folder} ({error}): make room and try again") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
