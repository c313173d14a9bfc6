"""Every public function over good and bad values: the result is right, or a ValueError names what was wrong.

A few hundred examples, always the same ones. Thousands of others, anew in each run, by
``HYPOTHESIS_PROFILE=thorough pytest tests/test_properties.py``.
"""

from __future__ import annotations

import itertools
import math
import os

import pytest
import torch

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from mp3lib import MP3, ViT, sample_context  # noqa: E402
from mp3lib.arguments import shown  # noqa: E402
from mp3lib.data import cues, random_resized_crop, strong_augment, to_float  # noqa: E402
from mp3lib.evaluate import (  # noqa: E402
    assign,
    frozen_features,
    knn_top1,
    linear_top1,
    patch_only_floor,
    position_accuracy,
    sinkhorn,
    top1_accuracy,
)
from mp3lib.model import Attention, FeedForward, Transformer, attention_rollout, posemb_sincos_2d  # noqa: E402
from mp3lib.train import RunSettings, finetune, pretrain, warmup_cosine  # noqa: E402
from mp3lib.train.settings import USUAL  # noqa: E402

COMMON = dict(deadline=None, database=None, suppress_health_check=list(HealthCheck))
settings.register_profile("ci", derandomize=True, max_examples=30, **COMMON)
settings.register_profile("thorough", max_examples=300, **COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

NAN, INF = math.nan, math.inf
ODD = [None, "3", [], {}, (1, 2, 3), True, 1.5, -1, 0, 1, NAN, INF, -INF, 1e300, 10**12, 10**30, 10**5000, 1j]
odd = st.sampled_from(ODD)
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.uint8, torch.int64, torch.bool]
SPOILT = [
    "good",
    "good",
    "nan",
    "inf",
    "empty",
    "flat",
    "half",
    "double",
    "int64",
    "bool",
    "numpy",
    "strided",
    "list",
    "far",
]


def spoil(x: torch.Tensor, how: str):
    """A tensor as it should not be, or as it may be."""
    if how in ("nan", "inf", "far"):
        x = x.float().clone()
        x.view(-1)[-1] = {"nan": NAN, "inf": -INF, "far": 1e30}[how]
        return x
    if how == "strided":
        return torch.stack((x, x), dim=-1)[..., 0]
    change = {
        "empty": lambda: x[:0],
        "flat": lambda: x.flatten(),
        "half": x.half,
        "double": x.double,
        "int64": x.long,
        "bool": x.bool,
        "numpy": x.numpy,
        "list": x.tolist,
    }
    return change.get(how, lambda: x)()


def tried(call, *named):
    """The result, or None after a ValueError; its text has to hold one of the values ``named``, where there are any."""
    try:
        return call()
    except ValueError as error:
        text = str(error)
        assert text and len(text) < 700
        words = ("got", "does not", "hides none", "parameters", "holds", "too low", "nothing to tell")
        assert any(shown(value) in text for value in named) or any(word in text for word in words), text
        return None


def draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def right(x: torch.Tensor, *shape: int) -> bool:
    return tuple(x.shape) == shape and bool(x.isfinite().all())


# --- the model --------------------------------------------------------------------------------------------------------

sizes = st.fixed_dictionaries(
    {
        "num_classes": st.integers(1, 5), "image_size": st.sampled_from([4, 8, (4, 8), [8, 4]]),
        "patch_size": st.sampled_from([1, 2, 4, (2, 4)]), "dim": st.sampled_from([4, 8, 12]),
        "depth": st.integers(0, 2), "heads": st.integers(1, 3), "mlp_dim": st.integers(1, 9),
        "channels": st.integers(1, 4), "dim_head": st.integers(1, 5),
        "dropout": st.sampled_from([0, 0.1, 1, 1.0]), "patch_norm": st.booleans(),
    }
)  # fmt: skip


NAMES = ["num_classes", "image_size", "patch_size", "dim", "depth", "heads", "mlp_dim", "channels", "dim_head"]
NAMES += ["dropout", "patch_norm", "classes"]


@given(sizes, st.sampled_from(["_"] * 9 + NAMES), odd, st.integers(1, 3))
@settings(max_examples=2 * settings().max_examples)
def test_a_vit_is_made_and_answers_or_is_refused(arguments, name, value, batch):
    if name != "_":
        arguments = arguments | {name: value}
    vit = tried(lambda: ViT(**arguments), value)
    if vit is None:
        return
    with torch.random.fork_rng(devices=[]):
        images = torch.rand(batch, vit.channels, *(min(side, 8) for side in vit.image_size))
    fits = images.shape[2] % vit.patch_size[0] == 0 and images.shape[3] % vit.patch_size[1] == 0
    out = tried(lambda: vit.eval()(images))
    assert (out is not None) == fits
    if fits:
        assert right(out, batch, vit.num_classes)
    assert ViT.from_config(vit.config).config == vit.config


@given(odd, st.sampled_from(["dim", "heads", "dim_head", "mlp_dim", "depth", "dropout", "hidden_dim"]))
def test_the_parts_of_a_transformer_are_made_or_refused(value, name):
    for kind, arguments in (
        (Attention, {"dim": 4, "heads": 2, "dim_head": 3, "dropout": 0.1}),
        (FeedForward, {"dim": 4, "hidden_dim": 3, "dropout": 0.1}),
        (Transformer, {"dim": 4, "depth": 1, "heads": 2, "dim_head": 3, "mlp_dim": 5, "dropout": 0.1}),
    ):
        if name in arguments:
            part = tried(lambda kind=kind, arguments=arguments: kind(**arguments | {name: value}), value)
            if part is not None:
                dim = value if name == "dim" else 4
                assert right(part(torch.ones(2, 3, dim)), 2, 3, dim)


@given(st.sampled_from(["x", "context"]), st.sampled_from(SPOILT), st.integers(1, 5))
def test_attention_takes_tokens_or_refuses_them(which, how, k):
    attention = Attention(4, heads=1, dim_head=2)
    tokens = {"x": torch.randn(2, 3, 4, generator=draw(0)), "context": torch.randn(2, k, 4, generator=draw(1))}
    tokens[which] = spoil(tokens[which], how)
    out = tried(lambda: attention(**tokens))
    if how in ("good", "strided"):
        assert right(out, 2, 3, 4)


@given(st.sampled_from(SPOILT), st.integers(1, 3), st.sampled_from([0.0, 0.25, 0.5, 0.99, *ODD]),
       st.sampled_from([1.0, 0.3, 1e-300, *ODD]), st.sampled_from(["frozen", "updated"]))  # fmt: skip
@settings(max_examples=2 * settings().max_examples)
def test_mp3_predicts_or_refuses(how, batch, ratio, fraction, context):
    mp3 = MP3(ViT(num_classes=2, image_size=4, patch_size=2, dim=4, depth=1, heads=1, mlp_dim=4), 0.5, context)
    images = spoil(torch.rand(batch, 3, 4, 4, generator=draw(0)), how)
    good = how in ("good", "strided")
    loss = tried(lambda: mp3(images, fraction, mask_ratio=ratio, generator=draw(1)), ratio, fraction)
    p = tried(lambda: mp3.predict(images, mask_ratio=ratio, generator=draw(1), with_attention=True), ratio)
    ratio_fits = ratio is None or (type(ratio) in (int, float) and 0 <= ratio < 1)
    if how != "far":  # numbers so large may, or may not, lead to something
        assert (p is not None) == (good and ratio_fits)
        assert (loss is not None) <= (p is not None)
    if p is not None:
        assert right(p.logits, batch, 4, 4) and right(p.loss, batch, 4) and (p.loss >= 0).all()
        assert p.attn.sum(-1).sub(1).abs().max() < 1e-4
        assert right(attention_rollout(p.attn, p.context), batch, 4, 4)
    if loss is not None:
        assert right(loss)


@given(st.sampled_from([*ODD, 0.5, 0.25, 0.1]), st.sampled_from(["frozen", "updated", "Frozen", *ODD]))
def test_mp3_is_made_or_refused(ratio, context):
    vit = ViT(num_classes=2, image_size=4, patch_size=2, dim=4, depth=1, heads=1, mlp_dim=4)
    mp3 = tried(lambda: MP3(vit, ratio, context), ratio, context)
    fits = type(ratio) is float and 0.25 <= ratio < 1 and context in ("frozen", "updated")
    assert (mp3 is not None) == fits


@given(st.one_of(odd, st.lists(st.integers(-2, 5), max_size=5), st.just([0.0]), st.just([[0], [1]]), st.just(["a"])))
def test_a_given_context_is_taken_or_refused(context):
    mp3 = MP3(ViT(num_classes=2, image_size=4, patch_size=2, dim=4, depth=1, heads=1, mlp_dim=4), 0.5)
    p = tried(lambda: mp3.predict(torch.zeros(2, 3, 4, 4), context))
    if isinstance(context, list) and context and all(type(c) is int for c in context):
        assert (p is not None) == (set(context) <= {0, 1, 2, 3} and len(set(context)) == len(context))
    if p is not None:
        assert right(p.logits, 2, 4, 4)


@given(st.one_of(odd, st.integers(1, 9)), st.one_of(odd, st.integers(1, 70)), st.one_of(odd, st.floats(0, 1)))
@settings(max_examples=2 * settings().max_examples)
def test_a_context_is_a_part_of_a_permutation(batch, n, ratio):
    drawn = tried(lambda: sample_context(batch, n, ratio, generator=draw(0)), batch, n, ratio)
    if drawn is not None:
        both = torch.cat(drawn, dim=1)
        assert torch.equal(both.sort(dim=1).values, torch.arange(n).expand(batch, n))
        assert drawn[1].shape[1] == int(ratio * n) and drawn[0].shape[1] > 0
    else:
        small = type(batch) is type(n) is int and 0 < batch < 99 and 0 < n < 99
        assert not (small and type(ratio) is float and 0 <= ratio < 1)


SHAPES = [(1, 2, 3, 8), (2, 1, 1, 4), (1, 2, 2, 6), (1, 2, 2, 0), (3, 4)]
temperatures = st.sampled_from([10000, 1e-300, 1e-30, 1e30, *ODD])


@given(st.sampled_from(SHAPES), temperatures, st.sampled_from([None, *DTYPES]), st.sampled_from(DTYPES))
def test_position_embeddings_are_bounded(shape, temperature, dtype, own):
    out = tried(lambda: posemb_sincos_2d(torch.zeros(shape, dtype=own), temperature, dtype), temperature, dtype)
    if out is not None:
        assert right(out, shape[1] * shape[2], shape[3]) and out.abs().max() <= 1 and out.dtype == (dtype or own)


# --- measures ---------------------------------------------------------------------------------------------------------


@given(
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(0, 2**31),
    st.sampled_from(["whole", "fine"]),
    st.sampled_from(SPOILT),
)
@settings(max_examples=2 * settings().max_examples)
def test_the_assignment_is_the_best_of_all(batch, n, seed, kind, how):
    logits = torch.randn(batch, n, n, generator=draw(seed))
    logits = logits.round() if kind == "whole" else logits
    given_logits = spoil(logits, how)
    positions = tried(lambda: assign(given_logits))
    assert (positions is not None) == (how in ("good", "half", "double", "int64", "strided", "far"))
    if positions is None:
        return
    scores = given_logits.double().log_softmax(-1)
    slack = 1e26 if how == "far" else 1e-4  # of numbers up to 1e30 in float32
    for image, chosen in zip(scores, positions.tolist(), strict=True):
        sums = {order: image[range(n), order].sum().item() for order in itertools.permutations(range(n))}
        assert sorted(chosen) == list(range(n)) and sums[tuple(chosen)] >= max(sums.values()) - slack
    if batch > 1 and how == "good":
        assert torch.equal(assign(logits[1:]), positions[1:])  # it does not depend on the batch


@given(
    st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(0, 99)),
    st.sampled_from(["good", *SPOILT]),
    st.sampled_from([1.0, 0.1, 1e-9, 1e9, *ODD]),
    st.sampled_from([1, 30, *ODD[:9]]),
    st.sampled_from([1e-3, 0, *ODD]),
)
@settings(max_examples=2 * settings().max_examples)
def test_sinkhorn_gives_probabilities(shape, how, temperature, iterations, tolerance):
    batch, n, seed = shape
    logits = spoil(torch.randn(batch, n, n, generator=draw(seed)), how)
    options = dict(temperature=temperature, iterations=iterations, tolerance=tolerance)
    soft = tried(lambda: sinkhorn(logits, **options), temperature, iterations, tolerance)
    if soft is not None:
        assert right(soft, batch, n, n) and soft.min() >= 0 and soft.max() <= 1 + 1e-6
        assert (soft.sum(dim=2) - 1).abs().max() < 1e-5


features = st.tuples(st.integers(12, 30), st.integers(1, 4), st.integers(0, 99))


@given(features, st.sampled_from(["train", "train_labels", "test", "test_labels", "none"]), st.sampled_from(SPOILT),
       st.sampled_from([1, 20, *ODD]), st.sampled_from([0.07, 1e-9, 1e-320, 1e300, *ODD]))  # fmt: skip
@settings(max_examples=2 * settings().max_examples)
def test_probes_give_a_share(shape, which, how, k, temperature):
    (n, d, seed) = shape
    data = {
        "train": torch.randn(n, d, generator=draw(seed)), "train_labels": torch.arange(n) % 3,
        "test": torch.randn(5, d, generator=draw(seed + 1)), "test_labels": torch.arange(5) % 3,
    }  # fmt: skip
    if which != "none":
        data[which] = spoil(data[which], how)
    top1 = tried(lambda: knn_top1(**data, k=k, temperature=temperature), k, temperature)
    assert top1 is None or 0 <= top1 <= 1
    if which == "none" and k in (1, 20) and temperature in (0.07, 1e-9, 1e-320, 1e300):
        assert top1 is not None
    other = tried(lambda: linear_top1(**data, weight_decays=(0.1,), epochs=1))
    assert other is None or 0 <= other <= 1


@given(odd, st.sampled_from(["weight_decays", "epochs", "seed"]))
def test_the_settings_of_a_linear_probe_are_checked(value, name):
    x, y = torch.randn(12, 2, generator=draw(0)), torch.arange(12) % 2
    if (name, value) == ("epochs", 10**12):
        return  # it would take long
    for one in (value, [value]):
        top1 = tried(lambda one=one: linear_top1(x, y, x, y, **{"epochs": 1, name: one}), value)
        assert top1 is None or 0 <= top1 <= 1


@given(st.sampled_from(["patch_size", "hidden_dim", "lr", "seed", "patch_norm"]), odd)
def test_a_floor_is_measured_or_refused(name, value):
    images = torch.randint(0, 256, (6, 3, 4, 4), generator=draw(0), dtype=torch.uint8)
    arguments = {"patch_size": 2, "epochs": 1, "hidden_dim": 4} | {name: value}
    floor = tried(lambda: patch_only_floor(images, images, **arguments), value)
    assert floor is None or (0 <= floor.accuracy <= 1 and floor.loss >= 0)


@given(
    st.sampled_from(SPOILT),
    st.sampled_from([(0.5,), [0.0], *ODD]),
    st.sampled_from([2, *ODD]),
    st.sampled_from([7, *ODD]),
)
def test_measures_of_a_model_are_shares(how, ratios, batch_size, seed):
    mp3 = MP3(ViT(num_classes=2, image_size=4, patch_size=2, dim=4, depth=1, heads=1, mlp_dim=4), 0.5)
    images = spoil(torch.randint(0, 256, (3, 3, 4, 4), generator=draw(0), dtype=torch.uint8), how)
    options = dict(jigsaw=True, batch_size=batch_size, seed=seed)
    scores = tried(lambda: position_accuracy(mp3, images, ratios, **options), ratios, batch_size, seed)
    for score in (scores or {}).values():
        assert score["loss"] >= 0 and all(0 <= score[name] <= 1 for name in ("accuracy", "jigsaw", "whole"))
    top1 = tried(lambda: top1_accuracy(mp3.vit, images, [0, 1, 0], batch_size=batch_size), batch_size)
    x = tried(lambda: frozen_features(mp3.vit, images, batch_size=batch_size), batch_size)
    assert (top1 is None) == (x is None) and (x is None or right(x, 3, 4))


# --- images -----------------------------------------------------------------------------------------------------------

CUES = {
    cues.gap: {"patch_size": [2, (2, 4), 4, 3, 8, *ODD], "width": [0, 1, 2, *ODD]},
    cues.hole: {"patch_size": [2, (2, 4), 4, 3, 8, *ODD], "width": [0, 1, 2, *ODD]},
    cues.grey: {},
    cues.flat: {"patch_size": [2, (2, 4), 4, 3, *ODD], "contrast": [0.4, 0, 100, *ODD]},
    cues.padded_crop: {"pad": [0, 2, 3, 4, *ODD[:14]], "mode": ["reflect", "constant", "circular", *ODD]},
    cues.watermark: {"strength": [0.05, 100, *ODD]},
    cues.jpeg: {"quality": [1, 75, 95, 96, *ODD], "shift": [0, 3, *ODD]},
}


@given(st.sampled_from(list(CUES)), st.sampled_from(["good", *SPOILT]), st.sampled_from([1, 3]), st.data())
@settings(max_examples=4 * settings().max_examples)
def test_a_cue_keeps_the_form_of_images(cue, how, channels, data):
    options = {name: data.draw(st.sampled_from(values), label=name) for name, values in CUES[cue].items()}
    images = torch.randint(0, 256, (2, channels, 4, 8), generator=draw(0), dtype=torch.uint8)
    images = spoil(images if cue is cues.jpeg else to_float(images), how)
    out = tried(lambda: cue(images, **options), *options.values())
    if out is not None:
        assert right(out, *images.shape) and out.dtype == images.dtype
        assert cue is cues.jpeg or out.abs().max() <= 1.01


AREAS = [(0.6, 1), (1, 1), (1e-320, 1e-300), (0.5, NAN), [0.2, "1"], *ODD]


@given(
    st.sampled_from(["good", "good", *SPOILT]),
    st.sampled_from([torch.uint8, torch.float32]),
    st.sampled_from(AREAS),
    st.sampled_from([0.5, 1.0, *ODD]),
    st.sampled_from([0.5, 0, *ODD]),
)
@settings(max_examples=3 * settings().max_examples)
def test_augmented_images_stay_images(how, dtype, area, strength, erase):
    images = torch.randint(0, 256, (2, 3, 4, 6), generator=draw(0), dtype=torch.uint8)
    images = spoil(images if dtype == torch.uint8 else to_float(images), how)
    for call in (
        lambda: random_resized_crop(images, area, generator=draw(1)),
        lambda: strong_augment(images, strength, erase, area, generator=draw(1)),
    ):
        out = tried(call, area, strength, erase)
        if out is not None:
            assert right(out, 2, 3, 4, 6) and out.dtype == torch.float32 and out.abs().max() <= 1


# --- settings ---------------------------------------------------------------------------------------------------------

GOOD = dict(
    task="pretrain", epochs=2, batch_size=4, lr=1e-3, weight_decay=0.05, optimizer="muon", precision="float32", seed=0,
    num_images=9, layer_decay=0.5, ema=0.9, schedule="wsd", warmup=0.5, accumulate=2, clip_grad=1.0, compile=False,
    keep="last", patience=1,
)  # fmt: skip


@given(st.sampled_from(list(GOOD)), odd)
@settings(max_examples=4 * settings().max_examples)
def test_settings_are_whole_or_refused(name, value):
    run = tried(lambda: RunSettings(**GOOD | {name: value}), value)
    if run is not None:
        assert run.steps_per_epoch >= 1 and math.isfinite(run.lr)
        kept = run.as_json().get(name, USUAL.get(name))
        assert kept == (float(value) if type(kept) is float else value)
        assert not run.differences(run.as_json())


BOTH = ["epochs", "batch_size", "lr", "weight_decay", "optimizer", "crop_area", "flip", "ema", "seed", "eval_every"]
BOTH += ["schedule", "warmup", "accumulate", "clip_grad", "compile", "keep", "patience", "save_every", "log"]
OPTIONS = {
    pretrain: [*BOTH, "query_fraction", "mask_ratios", "transform", "eval_images", "eval_ratios"],
    finetune: [
        *BOTH,
        "pos_emb",
        "layer_decay",
        "augment",
        "erase",
        "mix",
        "label_smoothing",
        "drop_path",
        "eval_images",
    ],
}


@given(st.sampled_from([pretrain, finetune]), st.data())
@settings(max_examples=4 * settings().max_examples)
def test_a_training_begins_or_is_refused(train, data):
    """Everything before the first step; the steps themselves are left out."""
    name = data.draw(st.sampled_from(["images", "labels", *OPTIONS[train]]), label="name")
    value = data.draw(st.one_of(odd, st.just([0.2, 0.5]), st.just((0.5, NAN)), st.just([0, 1, 0, 2])), label="value")
    how = data.draw(st.sampled_from(SPOILT), label="how") if name in ("images", "labels") else "good"
    images = torch.randint(0, 256, (4, 3, 4, 4), generator=draw(0), dtype=torch.uint8)
    given_data = {"images": images, "labels": torch.tensor([0, 1, 2, 0]), "precision": "float32"}
    options = {} if name in ("images", "labels") else {name: value}
    if name in given_data:
        given_data[name] = spoil(given_data[name], how)
    model = ViT(num_classes=3, image_size=4, patch_size=2, dim=4, depth=1, heads=1, mlp_dim=4)
    if train is pretrain:
        del given_data["labels"]
        model = MP3(model, 0.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{train.__module__}.fit", lambda *given, **_: next(x for x in given if type(x) is RunSettings))
        run = tried(lambda: train(model, **given_data, **options), value)
    if run is not None:
        assert run.as_json() and run.total_steps >= 1


@given(st.one_of(odd, st.integers(0, 20)), st.one_of(odd, st.integers(1, 20)), st.one_of(odd, st.integers(1, 20)))
def test_the_schedule_stays_within_0_and_1(step, total, per_epoch):
    rate = tried(lambda: warmup_cosine(step, total, per_epoch), step, total, per_epoch)
    assert rate is None or 0 <= rate <= 1
