"""The settings of a run: what decides the weights that it ends with, beside its images."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import MISSING, asdict, dataclass, field, fields
from numbers import Real
from typing import Any, Literal

from torch.nn import Module

from .. import arguments
from ..arguments import shown, whole
from ..model.compiled import uncompiled_weights

WORDS = {  # settings that are one of a few words
    "task": ("pretrain", "finetune"),
    "optimizer": ("muon", "adamw"),
    "precision": ("bf16", "float32"),
    "schedule": ("cosine", "constant", "wsd"),
    "keep": ("last", "best"),
}
# how a run is evaluated, where evaluations decide its weights
EVALUATION = ("eval_digest", "eval_every", "eval_ratios", "eval_name")
OPTIONS = {  # of the command line, where they are named otherwise
    "mask_ratios": "--mask-ratio",
    "num_images": "--limit",
    "image_size": "--size",
    "pos_emb": "--no-pos-emb",
}
# compared only where both sides have them: run.json of older versions has none
COMPARED_IF_THERE = ("images_digest", "transform_values", *EVALUATION)


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What decides the weights that a run ends with, beside its images; ``run.json`` holds it.

    Raises:
        ValueError: for a number of epochs or images, a batch size or a learning rate that is not positive; for numbers
            that are not whole where they have to be, a learning rate above 100, a weight decay outside 0 to 100, a seed
            outside 0 to 2**63 - 1, a layer decay outside 0 (excluded) to 1, a moving average outside 0 to 1 (excluded),
            and another word than those named here; for an ``accumulate`` that does not divide the batch, a negative
            ``clip_grad`` or ``patience``, a warm-up as long as the run (for ``wsd``: that reaches the decline), and
            options that JSON cannot hold.
    """

    task: Literal["pretrain", "finetune"]
    epochs: int
    batch_size: int  # images a step, over all processes together
    lr: float  # the highest learning rate
    weight_decay: float
    optimizer: Literal["muon", "adamw"]
    precision: Literal["bf16", "float32"]
    seed: int
    num_images: int
    layer_decay: float = 1.0  # learning rate of a layer, relative to the layer above
    ema: float = 0.0  # decay of the moving average of the weights; 0 for none
    schedule: Literal["cosine", "constant", "wsd"] = "cosine"  # of the learning rate
    warmup: float | None = None  # epochs in which the rate rises; None: as ``warmup_steps`` says
    accumulate: int = 1  # parts in which a step's images are computed, one after the other
    clip_grad: float = 0.0  # the largest norm of the gradient; 0 for any
    compile: bool = False  # whether the blocks are compiled, which changes the rounding
    keep: Literal["last", "best"] = "last"  # which weights the run ends with
    patience: int = 0  # evaluations without a better measure after which the run ends; 0 for never
    options: dict[str, Any] = field(default_factory=dict)  # those that only this task has, such as a mask ratio

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "lr", "num_images"):
            value = getattr(self, name)
            if isinstance(value, Real) and value <= 0:
                raise ValueError(f"{name} must be positive, got {value}")
        checked = {
            **{name: whole(name, getattr(self, name), 1, 10**12) for name in ("epochs", "batch_size", "num_images")},
            "lr": arguments.learning_rate(self.lr),
            "weight_decay": arguments.number(
                "weight_decay", self.weight_decay, "lie between 0 and 100", lambda w: 0 <= w <= 100
            ),
            "seed": arguments.seed_number(self.seed),
            "layer_decay": arguments.number(
                "layer_decay", self.layer_decay, "be above 0 and at most 1", lambda d: 0 < d <= 1
            ),
            "ema": arguments.below_one("ema", self.ema),
        }
        checked |= {
            "accumulate": whole("accumulate", self.accumulate, 1, 10**6),
            "clip_grad": arguments.number("clip_grad", self.clip_grad, "be at least 0", lambda c: c >= 0),
            "compile": arguments.truth("compile", self.compile),
            "patience": whole("patience", self.patience, 0, 10**6),
            "options": arguments.json_entries("options", self.options),
        }
        for name, value in checked.items():  # as Python's own numbers, which JSON can hold
            object.__setattr__(self, name, value)
        for name, accepted in WORDS.items():
            value = getattr(self, name)
            if not isinstance(value, str) or value not in accepted:
                either = ", ".join(f'"{word}"' for word in accepted[:-1])
                raise ValueError(f'{name} must be {either} or "{accepted[-1]}", got {shown(value)}')
        if self.batch_size > self.num_images:
            raise ValueError(f"batch_size must be at most num_images, {self.num_images}, got {self.batch_size}")
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"accumulate must divide the batch_size, {self.batch_size}, into equal parts, got {self.accumulate}"
            )
        if self.warmup is not None:
            longest = self.epochs * (0.8 if self.schedule == "wsd" else 1)
            steps = self.steps_per_epoch  # of which the warm-up takes a whole number
            words = f"be at least 0 and below {longest:g} epochs, by a step at least, None for the usual one"
            warmup = arguments.number(
                "warmup", self.warmup, words, lambda w: 0 <= w and round(w * steps) < longest * steps
            )
            object.__setattr__(self, "warmup", warmup)

    @property
    def steps_per_epoch(self) -> int:
        """Steps of one pass over the images; an incomplete last batch is left out."""
        return self.num_images // self.batch_size

    @property
    def total_steps(self) -> int:
        return self.epochs * self.steps_per_epoch

    def as_json(self) -> dict[str, Any]:
        """The settings and the task's options side by side, as ``run.json`` holds them; usual values are left out."""
        common = asdict(self)
        options = common.pop("options")
        named = {name: value for name, value in common.items() if name not in USUAL or value != USUAL[name]}
        return json.loads(json.dumps(named | options))

    def differences(self, stored: dict[str, Any], **more: Any) -> list[str]:
        """What differs from the settings in a ``run.json``, a phrase each; ``more`` are further entries of now.

        Two settings may differ, because the steps so far do not depend on them: the patience, and the number of epochs.
        ``opening.newest_state`` sees to both.
        """
        now = USUAL | self.as_json() | more
        then = USUAL | stored
        if then.get("task") != self.task:  # every other difference follows from it
            return [f"task {then.get('task')!r} then, {self.task!r} now"]
        left_out = {"epochs", "patience", *(name for name in COMPARED_IF_THERE if name not in then or name not in now)}
        if bool(then.get("streamed")) != bool(now.get("streamed")):  # the fingerprint is then another one, too
            left_out.add("data")
        return list(dict.fromkeys(different(then, now, left_out)))


def different(then: dict[str, Any], now: dict[str, Any], left_out: Iterable[str] = ()) -> list[str]:
    """What differs, a phrase each; within a dict, such as the model's configuration, the keys that differ."""
    found = []
    for name in sorted({*then, *now} - {*left_out}):
        one, other = then.get(name), now.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            found += different(one, other)
        elif one != other:
            found.append(in_words(name, one, other))
    return found


def in_words(name: str, then: Any, now: Any) -> str:
    """A difference by the name of the argument, and by that of the option where it is another one."""
    if name == "unflipped":
        return f"flip {not then} then, {not now} now (--no-flip)"
    if name == "streamed":
        return f"stream {bool(then)} then, {bool(now)} now (--stream)"
    if name == "frozen":
        return f"{len(then or ())} frozen weights then, {len(now or ())} now, or others (requires_grad)"
    if name == "data":
        return f"the fingerprint of the images {then!r} then, {now!r} now (--data)"
    name = "mask_ratio" if name == "masking_ratio" else name  # of the model, and an option
    other = OPTIONS.get(name)
    return f"{name} {then!r} then, {now!r} now" + (f" ({other})" if other else "")


NUMBERS = {f.name for f in fields(RunSettings) if f.type in ("int", "float")}
USUAL = {f.name: f.default for f in fields(RunSettings) if f.default is not MISSING}


def frozen_names(model: Module) -> list[str]:
    """The names of the weights that are not trained, because ``requires_grad`` is False."""
    weights = uncompiled_weights(dict(model.named_parameters()))
    return [name for name, weight in weights.items() if not weight.requires_grad]


def switched_on(**options: Any) -> dict[str, Any]:
    """The options that are not empty, 0 or None: a run's settings name a refinement only where it is switched on."""
    return {name: value for name, value in options.items() if value}
