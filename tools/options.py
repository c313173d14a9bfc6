"""Call every public function and every option of the command line at its bounds and beyond: python tools/options.py

    python tools/options.py [--seed 0] [--pairs 10] [--each 8]    results/options.json, and a table
    python tools/options.py --only pretrain "command finetune"

Each argument of a function is replaced, one at a time, by numbers at the bounds (0, 1, -1), not-a-number, infinity,
huge numbers, other types, and by tensors that are empty, of a batch of one, not contiguous, in half precision, double,
on the meta device or sparse; then ``--pairs`` times two arguments at once, drawn from the seed. Each option of each
command is given the same way as text. A case is right if it returns finite numbers (a command: exit status 0), or
refused by a ValueError or an OSError in a sentence (a command: one line, and status 1 or 2). Anything else is a fault;
the exit status is 1 if there is one.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import os
import random
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"  # a name that is not a folder would be asked for on the Hub

import numpy as np
import torch
import torch._dynamo  # which the optimizers ask for: once, before the clock runs
from PIL import Image
from torch import Tensor, nn

from mp3lib import MP3, ViT, data, evaluate, export, model, results, train
from mp3lib.__main__ import main as command_line
from mp3lib.cli import parser as options_of
from mp3lib.data import cues
from mp3lib.data.sources import download
from mp3lib.json_files import read_json, write_json
from mp3lib.train.run_folder import versions

RESULT = Path(__file__).resolve().parents[1] / "results" / "options.json"
SECONDS = 300  # for a case; a first compilation takes long
ADDRESSES = 12 << 30  # bytes that the process may ask for
NAN, INF = math.nan, math.inf

# --- values -----------------------------------------------------------------------------------------------------------

PLAIN = [
    None, True, False, 0, 1, -1, 2, 0.5, 1.0, -0.5, 1.5, NAN, INF, -INF, 1e-320, 1e300, 10**12, 10**30, 10**5000, 1j,
    np.int64(1), np.float32(0.5), np.bool_(True), "", "3", "no such word", b"x", [], [1], (0.5, 0.5), (1, 2, 3), {},
    {"a": 1}, [None], object(), print, torch.float16, nn.Identity(), Path("no-such-file"),
]  # fmt: skip
PASS_ON = {  # not finite in, not finite out
    "Attention", "Block", "FeedForward", "Transformer", "ViT.forward_head", "record_attention",
}  # fmt: skip
FOREVER = {"epochs", "iterations"}  # a huge number of these is accepted, and takes as long as it says
HUGE = (10**12,)


def forms_of(x: Tensor) -> list[Any]:
    """A tensor as it should not be, or as it may be."""
    flat = x.reshape(-1)
    forms = [
        x[:0], x[:1], flat, x[None], torch.stack((x, x), dim=-1)[..., 0], x.flip(0), x.half(), x.double(), x.bfloat16(),
        x.long(), x.bool(), x.to(torch.complex64), x.to("meta"), x.to_sparse(), x.numpy(), x.tolist(), torch.tensor(1),
        torch.zeros(0), x.float().clone().requires_grad_(), x.to(torch.uint8), x.float(),
    ]  # fmt: skip
    for value in (NAN, INF, 1e30, -1.0):
        spoilt = x.float().clone()
        spoilt.view(-1)[-1] = value
        forms.append(spoilt)
    return forms


def forms_of_model(made: nn.Module) -> list[Any]:
    """A model as it should not be, or as it may be."""
    broken = type(made).from_config(made.config)
    next(broken.parameters()).data.view(-1)[0] = NAN
    kinds = [type(made).from_config(made.config) for _ in range(5)]
    return [
        kinds[0].half(), kinds[1].double(), kinds[2].to("meta"), kinds[3].requires_grad_(False), kinds[4].eval(),
        broken, broken.vit if hasattr(broken, "vit") else MP3(broken, 0.5), nn.Linear(2, 2),
    ]  # fmt: skip


# --- functions --------------------------------------------------------------------------------------------------------


def draw(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    if dtype == torch.uint8:
        return torch.randint(0, 256, shape, generator=generator, dtype=dtype)
    return torch.rand(shape, generator=generator) * 2 - 1


def images(n: int = 12) -> Tensor:
    return draw(n, 3, 8, 8, dtype=torch.uint8)


def labels(n: int = 12) -> Tensor:
    return torch.arange(n) % 2


def vit() -> ViT:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ViT(num_classes=2, image_size=8, patch_size=4, dim=8, depth=1, heads=1, mlp_dim=8, dim_head=4)


def mp3() -> MP3:
    return MP3(vit(), 0.5, "updated")


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (9, 7), "red").save(file, "png")
    return file.getvalue()


SHAPE = {"num_classes": 2, "image_size": 8, "patch_size": 4, "dim": 8, "depth": 1, "heads": 1, "mlp_dim": 8}
TRAIN = {
    "epochs": 1, "batch_size": 4, "lr": 1e-3, "weight_decay": 0.05, "optimizer": "adamw", "crop_area": (0.6, 1.0),
    "flip": True, "ema": 0.5, "schedule": "wsd", "warmup": 0.5, "accumulate": 2, "clip_grad": 1.0, "compile": False,
    "checkpoint_activations": False, "precision": "float32", "seed": 0, "eval_every": 1, "keep": "last", "patience": 0,
    "save_every": 0, "log": None, "about": {"a": 1}, "progress": False, "on_epoch": None,
}  # fmt: skip
SETTINGS = {
    "task": "pretrain", "epochs": 2, "batch_size": 4, "lr": 1e-3, "weight_decay": 0.05, "optimizer": "muon",
    "precision": "float32", "seed": 0, "num_images": 9, "layer_decay": 0.5, "ema": 0.9, "schedule": "wsd",
    "warmup": 0.5, "accumulate": 2, "clip_grad": 1.0, "compile": False, "keep": "last", "patience": 1, "options": {},
}  # fmt: skip


def recorded(model: Any, images: Any) -> list[Tensor]:
    with model_of("record_attention")(model) as layers:
        model(images)
    return layers


def model_of(name: str) -> Callable:
    return getattr(model, name)


def patched_rollout(attn: Any, context: Any, frozen: Any) -> Tensor:
    return model.attention_rollout(attn, context, frozen=frozen)


def probe() -> dict[str, Any]:
    return {"train": draw(40, 3), "train_labels": labels(40), "test": draw(5, 3), "test_labels": labels(5)}


def calls(room: Path) -> dict[str, tuple[Callable, Callable[[], dict[str, Any]]]]:
    """Every public function, with good arguments that are made anew for each case."""
    tokens = draw(2, 3, 8)
    attn = torch.full((1, 2, 1, 4, 2), 0.5)
    saved = room / "saved"
    if not saved.exists():
        mp3().save_pretrained(saved)
        train.pretrain(mp3(), images(), **TRAIN, out=room / "run")
    floats = draw(2, 3, 8, 8)
    found: dict[str, tuple[Callable, Callable[[], dict[str, Any]]]] = {
        "ViT": (lambda **a: ViT(**a)(floats), lambda: SHAPE | {
            "channels": 3, "dim_head": 4, "dropout": 0.0, "patch_norm": True, "classes": None}),
        "ViT.forward": (lambda **a: vit()(**a), lambda: {"images": floats, "pos_emb": True}),
        "ViT.from_pretrained": (ViT.from_pretrained, lambda: {
            "pretrained_model_name_or_path": room, "subfolder": "vit"}),
        "ViT.features": (lambda **a: vit().features(**a), lambda: {
            "images": floats, "pos_emb": True, "layers": [0, -1]}),
        "ViT.forward_features": (lambda **a: vit().forward_features(**a), lambda: {"images": floats}),
        "ViT.forward_head": (lambda **a: vit().forward_head(**a), lambda: {"tokens": tokens, "pre_logits": False}),
        "ViT.reset_classifier": (lambda **a: vit().reset_classifier(**a), lambda: {
            "num_classes": 3, "classes": ["a", "b", "c"]}),
        "MP3": (MP3, lambda: {"vit": vit(), "masking_ratio": 0.5, "context": "frozen"}),
        "MP3.forward": (
            lambda **a: mp3()(**a),
            lambda: {"images": floats, "query_fraction": 1.0, "mask_ratio": 0.5, "generator": None,
                     "drawn": None},
        ),
        "MP3.predict": (
            lambda **a: mp3().predict(**a),
            lambda: {"images": floats, "context": torch.tensor([0, 1]), "mask_ratio": None, "generator": None,
                     "with_attention": True},
        ),
        "Attention": (lambda x, context, num_context, **a: model.Attention(**a)(x, context, num_context), lambda: {
            "x": tokens, "context": tokens, "num_context": None, "dim": 8, "heads": 1, "dim_head": 4, "dropout": 0.0}),
        "FeedForward": (lambda x, **a: model.FeedForward(**a)(x), lambda: {
            "x": tokens, "dim": 8, "hidden_dim": 8, "dropout": 0.0}),
        "Block": (
            lambda x, context, num_context, **a: model.Block(**a)(x, context, num_context),
            lambda: {
                "x": tokens, "context": tokens, "num_context": None, "attention": model.Attention(8, 1, 4),
                "feed_forward": model.FeedForward(8, 8)}),
        "Transformer": (lambda x, **a: model.Transformer(**a)(x), lambda: {
            "x": tokens, "dim": 8, "depth": 1, "heads": 1, "dim_head": 4, "mlp_dim": 8, "dropout": 0.0}),
        "attention_rollout": (patched_rollout, lambda: {
            "attn": attn, "context": torch.tensor([0, 1]), "frozen": False}),
        "find_weights": (model.find_weights, lambda: {"weights": saved, "subfolder": None}),
        "load_model": (model.load_model, lambda: {"weights": saved}),
        "load_mp3": (model.load_mp3, lambda: {"weights": saved}),
        "load_vit": (model.load_vit, lambda: {"weights": saved}),
        "load_shipped": (model.load_shipped, lambda: {"name": "pupil-4x4"}),
        "posemb_sincos_2d": (model.posemb_sincos_2d, lambda: {
            "patches": draw(1, 2, 2, 8), "temperature": 10000, "dtype": None}),
        "patch_size_for": (model.patch_size_for, lambda: {"image_size": 32}),
        "preset": (lambda **a: len(model.preset(**a)), lambda: {"name": "vit-s16", "image_size": 64}),
        "preset_lr": (model.preset_lr, lambda: {"name": "vit-s16", "batch_size": 64}),
        "record_attention": (recorded, lambda: {"model": vit(), "images": floats}),
        "sample_context": (model.sample_context, lambda: {
            "batch": 2, "num_patches": 4, "mask_ratio": 0.5, "generator": None, "device": None}),
        "model_card": (model.model_card, lambda: {"model": vit(), "run": {"license": "mit"}, "lines": [], "name": "x"}),
        "preset_of": (model.preset_of, lambda: {"vit": vit()}),
        "save_model": (model.save_model, lambda: {"folder": room / "written", "model": vit()}),
        "use_classes": (model.use_classes, lambda: {"vit": vit(), "classes": 3, "image_size": None}),
        "with_image_size": (model.with_image_size, lambda: {
            "mp3": mp3(), "image_size": 12, "masking_ratio": 0.5, "context": None}),
        "assign": (evaluate.assign, lambda: {"logits": draw(2, 3, 3)}),
        "sinkhorn": (evaluate.sinkhorn, lambda: {
            "logits": draw(2, 3, 3), "temperature": 1.0, "iterations": 5, "tolerance": 1e-3}),
        "frozen_features": (evaluate.frozen_features, lambda: {
            "vit": vit(), "images": images(), "pos_emb": True, "layer": -1, "batch_size": 5}),
        "top1_accuracy": (evaluate.top1_accuracy, lambda: {
            "vit": vit(), "images": images(), "labels": labels(), "pos_emb": True, "batch_size": 5}),
        "knn_top1": (evaluate.knn_top1, lambda: probe() | {"k": 3, "temperature": 0.07}),
        "linear_top1": (evaluate.linear_top1, lambda: probe() | {"weight_decays": (0.1,), "epochs": 1, "seed": 0}),
        "paired_interval": (
            evaluate.paired_interval, lambda: {"first": [1.0, 2.0], "second": [2.0, 2.5], "level": 0.95}),
        "pooled_deviation": (evaluate.pooled_deviation, lambda: {"groups": [[1.0, 2.0], [3.0]]}),
        "pooled_interval": (
            evaluate.pooled_interval,
            lambda: {"first": [1.0], "second": [2.0], "groups": [[1.0, 2.0], [3.0]], "level": 0.95}),
        "patch_only_floor": (evaluate.patch_only_floor, lambda: {
            "train_images": images(), "test_images": images(), "patch_size": 4, "hidden_dim": 4, "epochs": 1,
            "lr": 1e-3, "seed": 0, "patch_norm": True}),
        "position_accuracy": (evaluate.position_accuracy, lambda: {
            "mp3": mp3(), "images": images(), "mask_ratios": (0.5,), "jigsaw": True, "batch_size": 5, "seed": 0}),
        "RunSettings": (lambda **a: train.RunSettings(**a).as_json(), lambda: dict(SETTINGS)),
        "make_optimizers": (lambda **a: len(train.make_optimizers(**a)), lambda: {
            "model": vit(), "settings": train.RunSettings(**SETTINGS)}),
        "pretrain": (train.pretrain, lambda: TRAIN | {
            "mp3": mp3(), "images": images(), "query_fraction": 1.0, "mask_ratios": None, "transform": None,
            "eval_images": images(), "eval_ratios": (0.5,), "out": None, "resume": False}),
        "finetune": (train.finetune, lambda: TRAIN | {
            "vit": vit(), "images": images(), "labels": labels(), "pos_emb": True, "layer_decay": 1.0, "augment": 0.5,
            "erase": 0.5, "mix": 0.5, "label_smoothing": 0.1, "drop_path": 0.1, "eval_images": images(),
            "eval_labels": labels(), "eval_name": "test", "out": None, "resume": False}),
        "read_metrics": (train.read_metrics, lambda: {"folder": room / "run"}),
        "read_run": (lambda folder: len(train.read_run(folder)), lambda: {"folder": room / "run"}),
        "resolve_precision": (train.resolve_precision, lambda: {"precision": "auto"}),
        "seed_of": (train.seed_of, lambda: {"seed": 0, "epoch": 0, "step": 0, "process": 0}),
        "step_costs": (lambda **a: train.step_costs(**a).flops, lambda: {
            "model": mp3(), "batch_size": 4, "query_fraction": 0.5, "mask_ratio": 0.5, "optimizer": "muon",
            "checkpoint_activations": False}),
        "warmup_cosine": (train.warmup_cosine, lambda: {"step": 0, "total": 4, "steps_per_epoch": 2}),
        "to_float": (data.to_float, lambda: {"images": images()}),
        "random_resized_crop": (data.random_resized_crop, lambda: {
            "images": images(), "area": (0.6, 1.0), "flip": True, "generator": None, "part": None}),
        "strong_augment": (data.strong_augment, lambda: {
            "images": images(), "strength": 0.5, "erase": 0.5, "area": (0.6, 1.0), "flip": True, "generator": None,
            "part": None}),
        "load_images": (lambda **a: len(data.load_images(**a).train), lambda: {
            "name_or_path": room / "pictures", "size": 8, "stream": None, "workers": 0, "unlabelled": False,
            "channels": 3, "value_range": None}),
        "pack_images": (data.pack_images, lambda: {
            "path": room / "pictures", "size": 8, "out": room / "pack", "channels": 3, "value_range": None}),
        "packed_size": (data.packed_size, lambda: {"path": room / "pictures"}),
        "read_picture": (data.read_picture, lambda: {"data": png(), "size": 8}),
        "fingerprint": (data.fingerprint, lambda: {
            "train": data.Split(images(), labels()), "test": data.Split(images(), labels())}),
        "from_vit_pytorch": (export.from_vit_pytorch, lambda: {
            "model": export.to_vit_pytorch(vit()), "image_size": 8, "classes": ["a", "b"]}),
        "from_timm": (export.from_timm, lambda: {"model": export.to_timm(vit()), "classes": ["a", "b"]}),
        "to_vit_pytorch": (export.to_vit_pytorch, lambda: {"model": vit()}),
        "save_vit_pytorch": (export.save_vit_pytorch, lambda: {"model": vit(), "file": room / "vit.pt"}),
        "to_timm": (export.to_timm, lambda: {"vit": vit(), "pos_emb": True}),
        "save_timm": (export.save_timm, lambda: {"vit": vit(), "folder": room / "timm", "pos_emb": True}),
        "to_torch_export": (lambda **a: len(export.to_torch_export(**a).graph.nodes) > 0, lambda: {
            "model": vit(), "pos_emb": True, "num_context": None, "attention": False}),
        "save_torch_export": (export.save_torch_export, lambda: {
            "model": mp3(), "file": room / "vit.pt2", "pos_emb": True, "num_context": 2, "attention": False}),
        "save_onnx": (export.save_onnx, lambda: {
            "model": vit(), "file": room / "vit.onnx", "pos_emb": True, "num_context": None, "attention": True}),
        "cues.transformed": (cues.transformed, lambda: {
            "images": images(), "transform": torch.neg, "batch_size": 5}),
        "cues.gap": (cues.gap, lambda: {"images": floats, "patch_size": 4, "width": 1}),
        "cues.hole": (cues.hole, lambda: {"images": floats, "patch_size": 4, "width": 1}),
        "cues.hole_at_border": (cues.hole_at_border, lambda: {"patch_size": 4, "width": 1}),
        "cues.grey": (cues.grey, lambda: {"images": floats}),
        "cues.flat": (cues.flat, lambda: {"images": floats, "patch_size": 4, "contrast": 0.4}),
        "cues.padded_crop": (cues.padded_crop, lambda: {"images": floats, "pad": 2, "mode": "reflect"}),
        "cues.watermark": (cues.watermark, lambda: {"images": floats, "strength": 0.05}),
        "cues.jpeg": (cues.jpeg, lambda: {"images": images(), "quality": 75, "shift": 1}),
        "results.stored": (results.stored, lambda: {"name": "evaluations/pupil-4x4.json"}),
    }  # fmt: skip
    return found


# public names that are no functions of arguments: classes of results, lists, and what only asks the machine
OTHER = {
    "Features", "Prediction", "Floor", "Interval", "Images", "Note", "Split", "Stream", "DataUnavailable",
    "CIFAR10_CLASSES", "CIFAR10_FINGERPRINT", "cues", "cache_status", "clear_cache", "fetch_cifar10", "keep_memory",
    "shipped_names", "pupil_of", "puzzler_of", "PRESETS",
}  # fmt: skip


def odd_values(name: str, good: Any) -> list[Any]:
    """What an argument is replaced by."""
    values = [v for v in PLAIN if not (name in FOREVER and isinstance(v, int) and v in HUGE)]
    if isinstance(good, Tensor):
        values = forms_of(good) + values
    if isinstance(good, (ViT, MP3)):
        values = forms_of_model(good) + values
    return values


def is_fine(value: Any) -> bool:
    """Whether all numbers in a result are finite."""
    if isinstance(value, Tensor):
        return value.is_meta or bool(value.isfinite().all())
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(is_fine, value.values()))
    return all(map(is_fine, value)) if isinstance(value, (list, tuple)) else True


def is_refusal(error: BaseException) -> bool:
    """Whether an exception tells its reader, in a sentence, what is wrong with the argument."""
    kinds = (ValueError, FileNotFoundError, data.DataUnavailable, FloatingPointError)
    return isinstance(error, kinds) and len(str(error).split()) >= 4 and len(str(error)) < 1500


class Slow(BaseException):
    """A case has taken longer than ``SECONDS``."""


def too_slow(*_: Any) -> None:
    raise Slow


def tried(call: Callable[[], Any]) -> tuple[str, str]:
    """("right", "refused" or "fault", what was said) of one case."""
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            result = call()
        return ("right", "") if is_fine(result) else ("fault", f"not finite: {' '.join(str(result).split())[:100]}")
    except Slow:
        return "fault", f"over {SECONDS} s"
    except Exception as error:
        text = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return ("refused" if is_refusal(error) else "fault"), text
    finally:
        signal.alarm(0)


def words(value: Any) -> str:
    try:
        return str(value.shape) + str(value.dtype) if isinstance(value, Tensor) else " ".join(repr(value).split())[:60]
    except ValueError:
        return "a long number"


def some(rng: random.Random, values: list[Any], each: int | None) -> list[Any]:
    """``each`` of the values, drawn; all of them where that is None."""
    return values if each is None or each >= len(values) else rng.sample(values, each)


def function_cases(good: dict[str, Any], rng: random.Random, pairs: int, each: int | None) -> list[dict[str, Any]]:
    """What replaces the good arguments of a function in each case; nothing in the first."""
    cases: list[dict[str, Any]] = [{}]
    for argument, usual in good.items():
        cases += [{argument: value} for value in some(rng, odd_values(argument, usual), each)]
    for _ in range(pairs if len(good) > 1 else 0):
        chosen = rng.sample(sorted(good), 2)
        cases.append({argument: rng.choice(odd_values(argument, good[argument])) for argument in chosen})
    return cases


def run_function(name: str, room: Path, pairs: int, each: int | None, seed: int) -> dict:
    """All cases of a function."""
    call, good = calls(room)[name]
    cases = function_cases(good(), random.Random(f"{seed}/{name}"), pairs, each)
    count, faults = {"right": 0, "refused": 0, "fault": 0}, []
    for case in cases:
        with tempfile.TemporaryDirectory(dir=room) as here, contextlib.chdir(here):  # some write to a relative path
            outcome, said = tried(lambda case=case: call(**good() | case))
        if said.startswith("not finite") and name in PASS_ON:
            outcome = "right"
        if not case and outcome != "right":
            outcome, said = "fault", f"good arguments: {said}"
        count[outcome] += 1
        if outcome == "fault":
            faults.append(f"{', '.join(f'{k}={words(v)}' for k, v in case.items())}: {said}")
    return {"tried": len(cases), **count, "faults": faults}


# --- the command line -------------------------------------------------------------------------------------------------

TEXTS = ["", " ", "0", "1", "-1", "2", "0.5", "1.5", "-0.5", "nan", "inf", "-inf", "1e400", "1e-320", "abc", "None",
         "99999999999999999999", "2147483647", "é", "\udcff", "x" * 5000, "~nosuchuser/x", "a\0b", "../", "/dev/null",
         "/proc/nothing"]  # fmt: skip
SMALL = "--size 8 --patch-size 4 --dim 8 --depth 1 --heads 1 --mlp-dim 8 --epochs 1 --batch-size 4".split()
SMALL += ["--precision", "float32"]


def bases(room: Path) -> dict[str, list[str]]:
    """A small command that works, for each command."""
    pictures, out = str(room / "pictures"), str(room / "out")
    return {
        "data": ["status"],
        "pretrain": ["--data", pictures, "--out", out, *SMALL],
        "finetune": ["--data", pictures, "--out", out, "--weights", "none", *SMALL],
        "runs": [str(room / "trained")],
        "probe": ["--data", pictures, "--weights", str(room / "mp3")],
        "embed": ["--data", pictures, "--weights", str(room / "mp3"), "--out", f"{out}.npz"],
        "export": ["--weights", str(room / "mp3"), "--to", "timm", "--out", out],
        "evaluate": ["--data", pictures, "--weights", str(room / "mp3"), "--floor-epochs", "1"],
    }


def make_inputs(room: Path) -> None:
    """Pictures of two classes, other pictures, and saved models."""
    rng = np.random.default_rng(0)
    for folder, side in (("pictures", 8), ("others", 8), ("large", 12)):
        for split, number in (("train", 8), ("test", 4)):
            for name in ("cat", "dog") if folder != "others" else ("ant", "bee", "cow"):
                place = room / folder / split / name
                place.mkdir(parents=True)
                for i in range(number):
                    Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(place / f"{i}.png")
    grey = ViT(**SHAPE | {"channels": 1})
    for name, made in (("mp3", mp3()), ("vit", vit()), ("grey", grey), ("greymp3", MP3(grey, 0.5))):
        made.save_pretrained(room / name)
    broken = vit()
    next(broken.parameters()).data.view(-1)[0] = NAN
    broken.save_pretrained(room / "broken")
    train.pretrain(mp3(), images(), **TRAIN, out=room / "trained")


def misuse(room: Path) -> list[list[str]]:
    """Commands whose parts do not fit each other: each has to be refused."""
    data_, new = ["--data", str(room / "pictures")], ["--out", str(room / "out"), *SMALL]
    fine, evaluated, probed = (["finetune", *data_, *new], ["evaluate"], ["probe", *data_])
    small = ["--out", str(room / "out"), "--epochs", "1", "--batch-size", "4", "--precision", "float32"]
    at = {
        name: ["--weights", str(room / name)] for name in ("mp3", "vit", "grey", "greymp3", "broken", "pictures", "x")
    }
    return [
        ["pretrain", *data_, *small, "--start", str(room / "vit")],  # no position classifier
        ["pretrain", *data_, *small, "--start", str(room / "grey")],
        ["pretrain", *data_, *small, "--start", str(room / "greymp3")],  # other channels
        ["pretrain", *data_, *small, "--start", str(room / "mp3"), "--dim", "16"],  # another shape
        ["pretrain", *data_, *small, "--start", str(room / "mp3"), "--size", "9"],
        ["pretrain", *data_, *small, "--start", str(room / "mp3"), "--size", "4"],  # one position
        ["pretrain", *data_, *new, "--patch-size", "8"],
        ["pretrain", *data_, *new, "--patch-size", "3"],
        ["pretrain", *data_, *new, "--mask-ratio", "0.01"],
        ["pretrain", *data_, *new, "--mask-ratio", "0.9", "0.1"],
        ["pretrain", *data_, *new, "--mask-ratio", "0.1", "0.5", "0.9"],
        ["pretrain", *data_, *new, "--crop-area", "1", "0.5"],
        ["finetune", *data_, *small, *at["grey"]],
        ["finetune", *data_, *small, *at["broken"]],
        ["finetune", *data_, *small, *at["x"]],
        ["finetune", *data_, *small, *at["vit"], "--depth", "2"],
        ["finetune", *data_, *small, *at["vit"], "--size", "9"],
        [*fine, "--weights", "none", "--out", str(room / "vit")],  # a model that is not of a run
        [*fine, "--weights", "none", "--out", str(room / "pictures" / "train" / "cat" / "0.png")],
        [*evaluated, "--data", str(room / "others"), *at["vit"]],  # three classes
        [*evaluated, *data_, *at["grey"]],
        [*evaluated, *data_, *at["greymp3"]],
        [*evaluated, *data_, *at["broken"]],
        [*evaluated, *data_, *at["pictures"]],
        [*evaluated, *data_, *at["mp3"], "--size", "12"],
        [*evaluated, *data_, *at["mp3"], "--mask-ratios", "1"],
        [*evaluated, *data_, *at["mp3"], "--out", str(room)],
        [*evaluated, *data_, *at["vit"], "--size", "9"],
        [*probed, *at["grey"]],
        [*probed, *at["broken"]],
        [*probed, *at["mp3"], "--size", "9"],
        [*probed, *at["mp3"], "--limit", "3"],  # fewer than a probe needs
    ]


def ran(argv: list[str], room: Path, must_fail: bool = False) -> tuple[str, str]:
    """("right", "refused" or "fault", what was said) of one command, in an empty folder."""
    out, err = io.StringIO(), io.StringIO()
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            warnings.simplefilter("ignore")
            with tempfile.TemporaryDirectory(dir=room) as here, contextlib.chdir(here):
                status = command_line([part.replace(str(room / "out"), str(Path(here, "out"))) for part in argv])
    except SystemExit as end:
        status = end.code
    except Slow:
        return "fault", f"over {SECONDS} s"
    except BaseException as error:
        asked = "--debug" in argv and isinstance(error, (ValueError, OSError))  # it shows where the error came from
        return "refused" if asked else "fault", f"{type(error).__name__}: {str(error)[:200]}"
    finally:
        signal.alarm(0)
    said = err.getvalue().strip()
    sentence = said.splitlines()[-1][:200] if said else ""
    if status == 0:
        return ("fault", "it is not refused") if must_fail else ("right", "")
    if status == 2 and not must_fail:
        return ("refused" if "error: " in sentence else "fault"), sentence
    is_line = said.count("\n") == 0 or said.startswith("DataUnavailable")
    is_told = is_line and len(said.split()) >= 4 and "--debug shows" not in said and "Traceback" not in said
    return ("refused" if status == 1 and is_told else "fault"), f"status {status}: {sentence}"


def options(command: str) -> list[argparse.Action]:
    """The options and arguments of a command."""
    return options_of().commands[command].options


def command_cases(command: str, room: Path, rng: random.Random, each: int | None) -> list[list[str]]:
    """A command with each of its options at a time, in all the texts or in ``each`` of them."""
    base, cases = bases(room)[command], []
    for action in options(command):
        name = action.option_strings[0] if action.option_strings else ""
        if action.nargs == 0:
            cases.append([command, *base, name])
            continue
        texts = TEXTS + [str(choice) for choice in action.choices or ()]
        if name in ("--epochs", "--floor-epochs"):  # accepted, and takes as long as it says
            texts = [text for text in texts if text != "2147483647"]
        for text in some(rng, texts, each):
            if not name:
                cases.append([command, text])
            elif action.nargs in ("+", 2):
                more = 2 if action.nargs == 2 else 1
                cases += [[command, *base, name, *[text] * more], [command, *base, name, text, "0.5", "1"]]
            else:
                cases.append([command, *base, f"{name}={text}"])
    return cases


def cases_of_command(command: str, room: Path, rng: random.Random, pairs: int, each: int | None) -> list[list[str]]:
    """All cases of a command, the first of which is good; of ``misuse`` those whose parts do not fit."""
    if command == "misuse":
        return misuse(room)
    good = [command, *bases(room)[command]]
    cases = command_cases(command, room, rng, each)
    for _ in range(pairs):
        one, other = rng.choice(cases), rng.choice(cases)
        cases.append([*one, *other[len(good) :]])
    return [good, *cases]


def run_command(command: str, room: Path, pairs: int, each: int | None, seed: int) -> dict:
    """Try all cases of a command."""
    must_fail = command == "misuse"
    cases = cases_of_command(command, room, random.Random(f"{seed}/{command}"), pairs, each)
    count, faults = {"right": 0, "refused": 0, "fault": 0}, []
    for argv in cases:
        outcome, said = ran(argv, room, must_fail)
        if outcome == "refused" and argv == cases[0] and not must_fail:
            outcome = "fault"  # this one is good
        count[outcome] += 1
        if outcome == "fault":
            faults.append(f"{' '.join(argv)[:300]!r}: {said}".replace(str(room), "ROOM"))
    return {"tried": len(cases), **count, "faults": faults}


# --- the whole --------------------------------------------------------------------------------------------------------

COMMANDS = ("data", "pretrain", "finetune", "runs", "probe", "evaluate", "embed", "export", "misuse")


@contextlib.contextmanager
def workplace():
    """A folder with inputs; no network, and a cache of its own."""
    before, chain = {name: os.environ.get(name) for name in ("MP3_CACHE", "MP3_DATA")}, download.chain
    with tempfile.TemporaryDirectory(prefix="mp3lib-options-", ignore_cleanup_errors=True) as room:
        os.environ["MP3_CACHE"] = str(Path(room, "cache"))
        os.environ.pop("MP3_DATA", None)
        download.chain = lambda: []
        handler = signal.signal(signal.SIGALRM, too_slow)
        try:
            make_inputs(Path(room))
            yield Path(room)
        finally:
            signal.signal(signal.SIGALRM, handler)
            download.chain = chain
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


def run(seed: int, pairs: int, each: int | None, only: list[str], tell: Callable[[str], None] = print) -> dict:
    """What results/options.json holds."""
    kinds: dict[str, dict[str, dict]] = {"functions": {}, "commands": {}}
    with workplace() as room:
        names = {"functions": list(calls(room)), "commands": list(COMMANDS)}
        for kind, run_one in (("functions", run_function), ("commands", run_command)):
            for name in names[kind]:
                if only and name not in only and f"{kind[:-1]} {name}" not in only:
                    continue
                found = kinds[kind][name] = {"pairs": pairs, "each": each, **run_one(name, room, pairs, each, seed)}
                numbers = "".join(f"{found[c]:>8}" for c in ("tried", "right", "refused", "fault"))
                tell(f"{kind[:-1]} {name:<24}{numbers}")
                for fault in found["faults"]:
                    tell(f"    {fault}")
    return {"seed": seed, "versions": versions(), **kinds}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pairs", type=int, default=10, help="cases with two odd arguments, for each; default: 10")
    parser.add_argument("--each", type=int, help="so many of the values of an argument, drawn; default: all")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="only these lines of the file are replaced"
    )
    args = parser.parse_args()
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    torch.set_num_threads(1)
    sys.stdout.reconfigure(line_buffering=True)
    result = run(args.seed, args.pairs, args.each, args.only)
    if args.only and RESULT.exists():
        stored = read_json(RESULT)
        result |= {kind: stored[kind] | result[kind] for kind in ("functions", "commands")}
    write_json(RESULT, result)
    faults = sum(len(one["faults"]) for kind in ("functions", "commands") for one in result[kind].values())
    print(f"{faults} faults")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
