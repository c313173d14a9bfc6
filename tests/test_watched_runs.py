"""Runs that one can watch, cut short, make longer, and fit into the memory that is there."""

from __future__ import annotations

import io
import itertools
import re
import sys

import pytest
import torch
from torch import nn

import mp3lib.train.finetuning as finetuning
import mp3lib.train.pretraining as pretraining
import mp3lib.train.watching as watching
from mp3lib import MP3, ViT
from mp3lib.cli.runs import read
from mp3lib.json_files import write_json
from mp3lib.model import load_mp3
from mp3lib.model.attention import Block
from mp3lib.train import RunSettings, finetune, pretrain, read_metrics, read_run, steps
from mp3lib.train.blocks import blocks, check_compiler
from mp3lib.train.checkpoint import checkpoints
from mp3lib.train.schedules import common_steps, rate_share

IMAGES = torch.randint(0, 256, (48, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
LABELS = torch.arange(48) % 2
QUICK = {"epochs": 4, "batch_size": 16, "precision": "float32", "progress": False, "seed": 5, "schedule": "constant"}
TESTED = {"eval_images": IMAGES[:8], "eval_ratios": (0.5,)}
SETTINGS = {
    "task": "pretrain", "epochs": 10, "batch_size": 16, "lr": 1e-3, "weight_decay": 0.0, "optimizer": "adamw",
    "precision": "float32", "seed": 0, "num_images": 48,
}  # fmt: skip


def model(dropout: float = 0.1) -> MP3:
    torch.manual_seed(0)
    shape = {"image_size": 8, "patch_size": 4, "dim": 16, "depth": 2, "heads": 1, "mlp_dim": 16}
    return MP3(ViT(num_classes=2, **shape, dropout=dropout), 0.5)


def trained(**options) -> MP3:
    mp3 = model()
    pretrain(mp3, IMAGES, **QUICK | options)
    return mp3


def same(one: nn.Module, other: nn.Module) -> bool:
    weights = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(left, right) for left, right in weights)


@pytest.fixture
def measured(monkeypatch):
    """``measured(0.1, 0.3)``: the position accuracy of the first epochs; the last number stays."""

    def as_told(*values: float) -> None:
        told = itertools.chain([0.0], values, itertools.repeat(values[-1]))  # the first call looks at the data
        scores = lambda *args, **options: {0.5: {"accuracy": next(told), "loss": 1.0}}  # noqa: E731
        monkeypatch.setattr(pretraining, "position_accuracy", scores)

    return as_told


# --- the best epoch ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_a_run_can_end_with_the_weights_of_its_best_epoch(ema, measured, tmp_path, capsys):
    measured(0.1, 0.3, 0.3, 0.2)
    best = trained(**TESTED, out=tmp_path, keep="best", ema=ema)
    expected = trained(epochs=2, ema=ema)  # the first of equal ones
    assert same(best, expected) and same(load_mp3(tmp_path), expected)
    assert read_run(tmp_path)["best"] == {
        "epoch": 2, "step": 6, "test_accuracy": 0.3, "checkpoint": "checkpoint-00000006",
    }  # fmt: skip
    assert [c.name[-2:] for c in checkpoints(tmp_path)] == ["12", "09", "06"]
    assert "the best of 4 epochs, test_accuracy 0.3000" in capsys.readouterr().out


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_a_run_whose_best_checkpoint_is_damaged_ends_with_the_best_that_can_be_read(ema, measured, tmp_path, capsys):
    options = dict(out=tmp_path, keep="best", ema=ema)
    measured(0.3, 0.1, 0.2)
    trained(**TESTED | {"epochs": 3}, **options)
    (checkpoints(tmp_path)[-1] / ("average.safetensors" if ema else "model.safetensors")).write_bytes(b"x")
    found = trained(**TESTED | {"epochs": 3}, **options, resume=True)
    assert same(found, trained(epochs=3, ema=ema)) and read_run(tmp_path)["best"]["epoch"] == 3
    assert re.search(r"checkpoint-00000003.\w+.safetensors, of epoch 1, cannot be read", capsys.readouterr().out)


def test_a_run_that_does_not_get_better_ends(measured, tmp_path, monkeypatch):
    measured(0.1, 0.3, 0.2, 0.3, 0.4)
    waited = trained(**TESTED, out=tmp_path, epochs=9, patience=2)
    assert [line["test_accuracy"]["0.5"] for line in read_metrics(tmp_path)] == [0.1, 0.3, 0.2, 0.3]
    assert same(waited, trained(epochs=4)), "the weights of the last epoch"
    tops = iter([0.5, 0.4, 0.6])
    monkeypatch.setattr(finetuning, "top1_accuracy", lambda *args, **options: next(tops))
    options = QUICK | {"eval_images": IMAGES[:8], "eval_labels": LABELS[:8], "patience": 1}
    assert len(finetune(model().vit, IMAGES, LABELS, **options)) == 2


@pytest.mark.parametrize("part", ["whole", "transformer"])
@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_a_compiled_model_ends_with_its_best_epoch_too(part, ema, measured, tmp_path):
    options = {**TESTED, "out": tmp_path, "keep": "best", "ema": ema, "epochs": 2}
    mp3 = model(dropout=0.0)
    if part == "transformer":
        mp3.vit.transformer = torch.compile(mp3.vit.transformer, backend="eager")
    given = torch.compile(mp3, backend="eager") if part == "whole" else mp3
    measured(0.3, 0.1)
    pretrain(given, IMAGES, **QUICK | options)
    best = load_mp3(tmp_path)
    assert same(mp3, best) and read_run(tmp_path)["best"]["epoch"] == 1
    measured(0.3, 0.1, 0.2)
    pretrain(given, IMAGES, **QUICK | options | {"epochs": 3, "resume": True})
    assert same(mp3, best)


def test_a_resumed_run_is_judged_as_before(tmp_path):
    trained(**TESTED, out=tmp_path, epochs=1, keep="best")
    for change, name in (({"eval_ratios": (0.0,)}, "eval_ratios"), ({"eval_images": IMAGES[8:]}, "eval_digest")):
        with pytest.raises(ValueError, match=f"was started with other settings: {name}"):
            trained(**TESTED | change, out=tmp_path, epochs=2, keep="best", resume=True)
    run = read_run(tmp_path)
    for name in ("eval_digest", "eval_ratios", "eval_every"):  # as older versions wrote it
        del run["settings"][name]
    write_json(tmp_path / "run.json", run)
    trained(**TESTED | {"eval_ratios": (0.0,)}, out=tmp_path, epochs=2, keep="best", resume=True)


def test_run_json_holds_the_patience_of_now(measured, tmp_path):
    measured(0.2, 0.1)
    trained(**TESTED, out=tmp_path, epochs=6, patience=1)
    assert read(tmp_path).state == "finished" and len(read_metrics(tmp_path)) == 2
    with pytest.raises(KeyboardInterrupt):
        options = {"epochs": 6, "resume": True, "on_epoch": interrupt}
        trained(**TESTED, out=tmp_path, **options)
    assert read(tmp_path).state == "stopped" and read_run(tmp_path)["settings"]["patience"] == 0
    trained(**TESTED, out=tmp_path, epochs=6, patience=3, resume=True)
    assert read(tmp_path).state == "finished" and len(read_metrics(tmp_path)) == 4


def interrupt(line: dict) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"keep": "best"}, 'keep="best" needs out='),
        ({"keep": "best", "out": "run"}, 'keep="best" needs evaluations'),
        ({"patience": 2}, "patience=2 needs evaluations"),
        ({"patience": 2, **TESTED, "eval_every": 0}, "give eval_images, and eval_every above 0"),
        ({"save_every": 3}, "save_every=3 needs out="),
        ({"accumulate": 3}, "accumulate must divide the batch_size, 16, into equal parts, got 3"),
        ({"log": "tensorboard"}, "log='tensorboard' needs out="),
        ({"log": "paper", "out": "run"}, "log must be among .*tensorboard.*, got 'paper'"),
    ],
)
def test_what_does_not_go_together_says_so(options, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=words):
        trained(**options)
    assert not [*tmp_path.iterdir()]


# --- checkpoints and longer runs --------------------------------------------------------------------------------------


def test_a_run_goes_on_in_the_middle_of_an_epoch(tmp_path, interrupted):
    with interrupted(steps, "set_rates", 9):
        trained(out=tmp_path, save_every=2)
    assert checkpoints(tmp_path)[0].name == "checkpoint-00000008"  # the second of three steps
    assert same(trained(out=tmp_path, save_every=2, resume=True), trained())
    assert [line["step"] for line in read_metrics(tmp_path)] == [3, 6, 9, 12]


@pytest.mark.parametrize("schedule", ["constant", "wsd"])
def test_a_run_made_longer_is_the_long_run(schedule, tmp_path):
    trained(out=tmp_path, schedule=schedule)
    longer = trained(out=tmp_path, schedule=schedule, epochs=7, resume=True)
    assert same(longer, trained(schedule=schedule, epochs=7))
    assert len(read_metrics(tmp_path)) == 7 and read_run(tmp_path)["settings"]["epochs"] == 7


def test_a_cosine_cannot_be_made_longer(tmp_path):
    trained(out=tmp_path, schedule="cosine", epochs=1)
    with pytest.raises(ValueError, match='epochs 1 then, 3 now.*unless they are constant or "wsd"'):
        trained(out=tmp_path, schedule="cosine", epochs=3, resume=True)
    trained(out=tmp_path / "constant", epochs=2)
    with pytest.raises(ValueError, match="has trained 2 epochs already, got 1"):
        trained(out=tmp_path / "constant", epochs=1, resume=True)


def test_rates_of_the_schedules():
    def rates(**options) -> list[float]:
        settings = RunSettings(**SETTINGS | options)
        return [rate_share(step, settings) for step in range(settings.total_steps)]

    constant, wsd = rates(schedule="constant"), rates(schedule="wsd")
    assert constant == [0.25, 0.5, 0.75, *[1.0] * 27], "the rise takes an epoch, of three steps"
    assert wsd[:25] == constant[:25] and wsd[25] == pytest.approx(1 - (1 / 6) ** 0.5)
    assert wsd[24:] == sorted(wsd[24:], reverse=True) and 0 < wsd[-1] < 0.1
    assert rates(schedule="constant", warmup=0.0) == [1.0] * 30
    assert rates(warmup=2.0)[:6] == pytest.approx([(step + 1) / 7 for step in range(6)])
    for warmup in (-0.1, 9.9, float("inf")):  # 9.9 of 10 epochs would be all of the 30 steps
        with pytest.raises(ValueError, match="warmup must be at least 0 and below 10 epochs, by a step at least"):
            rates(warmup=warmup)
    long = RunSettings(**SETTINGS | {"schedule": "wsd", "epochs": 20})
    assert common_steps(long, 10) == 24 and common_steps(RunSettings(**SETTINGS), 20) == 0


# --- what is seen -----------------------------------------------------------------------------------------------------


def test_a_line_an_epoch_is_there_at_once_where_there_is_no_terminal(monkeypatch):
    file = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(file, 1 << 20), write_through=False))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    seen = []
    trained(**TESTED, progress=True, on_epoch=lambda line: seen.append(file.getvalue().decode()))
    assert [text.count("\n") for text in seen] == [1, 2, 3, 4], "each is flushed"
    assert seen[0].startswith("epoch 1/4, loss ") and "test_accuracy 0.5: 0." in seen[0] and ", lr 0.0015, " in seen[0]


def test_a_tracker_gets_every_figure_and_a_resumed_run_goes_on_in_it(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trained(**TESTED, out=tmp_path, epochs=2, log="tensorboard")
    trained(**TESTED, out=tmp_path, log=["tensorboard"], resume=True)
    lines, found = read_metrics(tmp_path), {}
    for file in sorted(tmp_path.glob("log/**/events*")):
        events = EventAccumulator(str(file)).Reload()
        for name in events.Tags()["scalars"]:
            found.setdefault(name, []).extend((one.step, one.value) for one in events.Scalars(name))
    for name, values in {
        "loss": [line["loss"] for line in lines],
        "test_accuracy/0.5": [line["test_accuracy"]["0.5"] for line in lines],
    }.items():
        assert [step for step, _ in found[name]] == [3, 6, 9, 12]
        assert [value for _, value in found[name]] == pytest.approx(values)


def test_a_tracker_that_is_not_installed_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(watching.importlib.util, "find_spec", lambda name: None)
    for name, package in {"tensorboard": "tensorboard", "wandb": "wandb", "comet_ml": "comet-ml"}.items():
        with pytest.raises(ImportError, match=f"not installed: pip install {package}"):
            trained(out=tmp_path / "run", log=name)
    assert not (tmp_path / "run").exists()


# --- memory and speed -------------------------------------------------------------------------------------------------


def test_checkpointed_activations_give_the_same_weights_and_keep_less(monkeypatch):
    assert same(trained(checkpoint_activations=True), trained())

    def kept(**options) -> int:
        held = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x: held.append(x.numel()) or x, lambda x: x):
            trained(epochs=1, **options)
        return sum(held)

    assert kept(checkpoint_activations=True) < 0.7 * kept()


def test_a_large_gradient_is_cut_to_its_norm(monkeypatch):
    norms, set_rates = [], steps.set_rates

    def spy(optimizers, settings, step):
        set_rates(optimizers, settings, step)
        for optimizer in optimizers:
            take = optimizer.step

            def step_and_look(*args, take=take, optimizer=optimizer, **options):
                weights = [w.grad for group in optimizer.param_groups for w in group["params"] if w.grad is not None]
                norms.append(torch.cat([grad.flatten() for grad in weights]).norm().item())
                optimizer.step = take
                return take(*args, **options)

            optimizer.step = step_and_look

    monkeypatch.setattr(steps, "set_rates", spy)
    trained(epochs=1, optimizer="adamw")
    free, norms[:] = [*norms], []
    trained(epochs=1, optimizer="adamw", clip_grad=0.01)
    assert min(free) > 0.05 and norms == pytest.approx([0.01] * 3, rel=1e-3)


@pytest.mark.slow
@pytest.mark.posix
def test_compiled_blocks_train_alike_and_leave_nothing_behind(tmp_path):
    options = {"epochs": 1, "optimizer": "adamw"}
    try:
        check_compiler(torch.device("cpu"))
    except ValueError as refused:  # there is no C++ compiler
        with pytest.raises(ValueError, match="does not work here") as told:
            pretrain(model(), IMAGES, **QUICK | options, compile=True)
        assert str(told.value) == str(refused)
        return
    compiled, plain = model(dropout=0.0), model(dropout=0.0)  # compiled code draws otherwise
    lines = [pretrain(mp3, IMAGES, **QUICK | options, compile=mp3 is compiled) for mp3 in (compiled, plain)]
    assert lines[0][0]["loss"] == pytest.approx(lines[1][0]["loss"], rel=1e-3)
    assert not any("forward" in vars(block) for block in compiled.modules() if isinstance(block, Block))
    compiled.save_pretrained(tmp_path)
    assert same(MP3.from_pretrained(tmp_path), compiled)


@pytest.fixture
def graphs(monkeypatch) -> list:
    """One entry for each graph that ``blocks(…, compiled=True)`` makes. They run without a C++ compiler."""
    made, compiler = [], torch.compile

    def backend(graph: torch.fx.GraphModule, inputs: list):
        made.append(graph)
        return graph.forward

    monkeypatch.setattr("mp3lib.train.blocks.torch.compile", lambda function: compiler(function, backend=backend))
    torch.compiler.reset()
    yield made
    torch.compiler.reset()


DEEP = {"num_classes": 2, "image_size": 32, "patch_size": 4, "dim": 8, "depth": 12, "heads": 1, "mlp_dim": 8}


@pytest.mark.slow
@pytest.mark.filterwarnings("error:torch._dynamo hit config")
def test_stochastic_depth_has_no_graph_for_each_layer(graphs):
    vit = ViT(**DEEP).train()
    with finetuning.stochastic_depth(vit, 0.1), blocks(vit, compiled=True, checkpoint_activations=False):
        for _ in range(3):
            vit(torch.rand(4, 3, 32, 32)).sum().backward()
    assert len(graphs) == 1


@pytest.mark.slow
@pytest.mark.parametrize("context", ["updated", "frozen"])
def test_drawn_mask_ratios_have_no_graph_each(context, graphs):
    mp3, images = MP3(ViT(**DEEP), 0.5, context).train(), torch.rand(2, 3, 32, 32)
    draw = torch.Generator().manual_seed(0)
    with blocks(mp3, compiled=True, checkpoint_activations=False):
        for ratio in (0.1, 0.2, 0.33, 0.5, 0.6, 0.7, 0.75, 0.3):
            loss = mp3(images, 0.5, mask_ratio=ratio, generator=draw)
            loss.backward()
        assert len(graphs) == 2, "of the first number of patches, and of any other"
        mp3.eval()
        for ratio in (0.75, 0.5, 0.0):
            mp3.predict(images, mask_ratio=ratio, generator=draw)
    assert len(graphs) <= 4


@pytest.mark.slow
def test_stochastic_depth_is_the_same_in_compiled_blocks(graphs):
    """Each image keeps all of a part, which then counts for more, or nothing of it; in eval mode it is as it was."""
    vit, x = ViT(**DEEP | {"depth": 1}), torch.rand(200, 2, 8)
    block = vit.transformer.layers[0]
    block[0].to_out[0].weight.data.zero_(), block[1].net[4].weight.data.zero_()
    block[0].to_out[0].bias.data.fill_(3.0), block[1].net[4].bias.data.zero_()
    with finetuning.stochastic_depth(vit, 0.25), blocks(vit, compiled=True, checkpoint_activations=False):
        added = (block.train()(x) - x).detach()
        torch.testing.assert_close(block.eval()(x) - x, torch.full_like(x, 3.0))
    stays = added[:, 0, 0] > 1
    torch.testing.assert_close(added, 4.0 * stays[:, None, None].expand_as(added).float())
    assert 0.6 < stays.float().mean() < 0.9 and len(graphs) == 2
