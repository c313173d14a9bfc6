"""Fine-tuning and probing on data with known answers."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

import mp3lib.train.finetuning as finetuning
from mp3lib import MP3, ViT
from mp3lib.__main__ import main
from mp3lib.data import to_float
from mp3lib.data.notes import Note
from mp3lib.evaluate import frozen_features, knn_top1, linear_top1, top1_accuracy
from mp3lib.model import load_vit, use_classes, with_image_size
from mp3lib.train import RunSettings, finetune, make_optimizers, pretrain, read_metrics, read_run
from mp3lib.train.finetuning import stochastic_depth
from mp3lib.train.optimizers import layer_scale

DRAW = torch.Generator().manual_seed(0)
LABELS = torch.arange(64) % 3
# each class has its corner
IMAGES = torch.randint(0, 60, (64, 3, 8, 8), generator=DRAW, dtype=torch.uint8)
for i, label in enumerate(LABELS):
    IMAGES[i, label, :4, :4] += 190
QUICK = dict(batch_size=16, precision="float32", progress=False, crop_area=(1, 1), optimizer="adamw", lr=3e-3)


def model() -> ViT:
    torch.manual_seed(0)
    return ViT(num_classes=3, image_size=8, patch_size=4, dim=16, depth=2, heads=1, dim_head=16, mlp_dim=32)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"about": "text"}, "about must be a dict"),
        ({"resume": 1}, "resume must be True or False, got 1"),
        ({"eval_name": ""}, "eval_name must be a name such as .*got ''"),
        ({"eval_images": IMAGES}, "eval_images need eval_labels, int64 .64,., got None"),
        ({"eval_labels": LABELS}, "eval_labels need eval_images, got None"),
        ({"images": IMAGES.to("meta")}, "images must hold values"),
        ({"labels": LABELS.to("meta")}, "labels must hold values"),
        ({"labels": LABELS.to_sparse()}, "labels must be a dense tensor"),
        ({"vit": model().requires_grad_(False)}, "nothing to train"),
        ({"vit": model().half()}, "must be torch.float32 to be trained, got torch.float16"),
    ],
)
def test_what_a_fine_tuning_is_called_with_is_checked(change, words):
    given = {"vit": model(), "images": IMAGES, "labels": LABELS} | QUICK | change
    with pytest.raises(ValueError, match=words):
        finetune(**given)
    with torch.no_grad(), pytest.raises(ValueError, match="gradients are off"):
        finetune(model(), IMAGES, LABELS, **QUICK)


@pytest.mark.parametrize("pos_emb", [True, False])
def test_fine_tuning_learns_classes_and_logs_them(pos_emb, tmp_path):
    vit = model()
    lines = finetune(
        vit, IMAGES, LABELS, pos_emb=pos_emb, epochs=15, eval_images=IMAGES, eval_labels=LABELS, out=tmp_path, **QUICK
    )
    assert lines[-1]["test_top1"] == top1_accuracy(vit, IMAGES, LABELS, pos_emb=pos_emb) > 0.9
    assert read_metrics(tmp_path) == lines and read_run(tmp_path)["settings"]["pos_emb"] is pos_emb
    assert top1_accuracy(load_vit(tmp_path), IMAGES, LABELS, pos_emb=pos_emb) == lines[-1]["test_top1"]


def test_weights_trained_without_positions_say_so_wherever_they_lie(tmp_path):
    run = tmp_path / "run"
    finetune(model(), IMAGES, LABELS, pos_emb=False, epochs=1, out=run, **QUICK)
    checkpoint = next(run.glob("checkpoint-*"))
    (tmp_path / "link").symlink_to(checkpoint)
    shutil.copytree(checkpoint, tmp_path / "copy")
    load_vit(run).save_pretrained(tmp_path / "saved")
    for place in (run, checkpoint, tmp_path / "link", tmp_path / "copy", tmp_path / "saved"):
        assert load_vit(place).pos_emb is False and use_classes(load_vit(place), 5).pos_emb is False
    assert "model(to_float(images), pos_emb=False)" in (tmp_path / "saved" / "README.md").read_text()
    for config in (run / "config.json", checkpoint / "config.json"):  # as older versions wrote it
        config.write_text(json.dumps({n: v for n, v in json.loads(config.read_text()).items() if n != "pos_emb"}))
    assert [load_vit(place).pos_emb for place in (run, checkpoint, tmp_path / "link")] == [False] * 3
    for again in ({}, {"pos_emb": True}):
        finetune(load_vit(run), IMAGES, LABELS, epochs=1, out=tmp_path / f"again-{len(again)}", **QUICK, **again)
    assert [load_vit(tmp_path / f"again-{n}").pos_emb for n in (0, 1)] == [False, True]
    assert "pos_emb" not in load_vit(run).config
    (run / "config.json").write_text(json.dumps(load_vit(run).config | {"pos_emb": "no"}))
    with pytest.raises(ValueError, match="config.json: pos_emb must be True or False, got 'no'"):
        load_vit(run)


def test_weights_trained_without_positions_are_measured_without():
    vit = model().eval()
    vit.pos_emb = False
    assert torch.equal(frozen_features(vit, IMAGES), frozen_features(vit, IMAGES, pos_emb=False))
    with torch.no_grad():
        x = to_float(IMAGES)
        labels = vit(x, pos_emb=False).argmax(dim=1)
        assert torch.equal(vit(x), vit(x, pos_emb=False)) and not torch.equal(vit(x), vit(x, pos_emb=True))
        assert torch.equal(vit.forward_features(x), vit.features(x, pos_emb=False).tokens)
        assert torch.equal(vit.forward_head(vit.forward_features(x)), vit(x))
    assert top1_accuracy(vit, IMAGES, labels) == 1 > top1_accuracy(vit, IMAGES, labels, pos_emb=True)
    assert with_image_size(MP3(vit, 0.5), (16, 16)).vit.pos_emb is False


def test_a_refused_call_leaves_the_model_as_it_was(tmp_path):
    vit, settings = model(), QUICK | {"epochs": 1, "out": tmp_path}
    finetune(vit, IMAGES, LABELS, **settings)
    for more in ({}, {"resume": True}):
        with pytest.raises(ValueError, match="already holds a run|pos_emb True then, False now"):
            finetune(vit, IMAGES, LABELS, pos_emb=False, **settings, **more)
        assert vit.pos_emb


def test_position_embeddings_can_be_left_out():
    first, second = model(), model()
    settings = QUICK | {"epochs": 1}
    finetune(first, IMAGES, LABELS, pos_emb=True, **settings)
    finetune(second, IMAGES, LABELS, pos_emb=False, **settings)
    weights = [torch.cat([p.flatten() for p in vit.parameters()]) for vit in (first, second)]
    assert not torch.allclose(*weights, atol=1e-4)


def test_mixing_and_smoothing_keep_the_loss_up():
    settings = QUICK | {"epochs": 15}
    plain = finetune(model(), IMAGES, LABELS, **settings)[-1]["loss"]
    assert finetune(model(), IMAGES, LABELS, mix=1.0, **settings)[-1]["loss"] > plain + 0.1
    assert finetune(model(), IMAGES, LABELS, label_smoothing=0.3, **settings)[-1]["loss"] > plain + 0.1


def test_augmentation_erasing_and_stochastic_depth_keep_the_loss_up_and_are_logged(tmp_path):
    settings = QUICK | {"epochs": 15}
    plain = finetune(model(), IMAGES, LABELS, out=tmp_path / "plain", **settings)[-1]["loss"]
    for option in ("augment", "erase", "drop_path"):
        loss = finetune(model(), IMAGES, LABELS, out=tmp_path / option, **settings, **{option: 0.9})[-1]["loss"]
        assert loss > plain + 0.05, option
        assert read_run(tmp_path / option)["settings"][option] == 0.9
    assert not {"augment", "erase", "drop_path", "ema"} & set(read_run(tmp_path / "plain")["settings"])


EVERYTHING = dict(augment=0.7, erase=0.3, mix=0.5, label_smoothing=0.1, drop_path=0.2, ema=0.9, layer_decay=0.8)


def test_a_resumed_run_knows_its_labels_and_what_it_is_tested_on(tmp_path):
    quick = dict(epochs=1, keep="best", out=tmp_path, eval_images=IMAGES[:8], eval_labels=LABELS[:8]) | QUICK
    finetune(model(), IMAGES, LABELS, **quick)
    for change, name in (
        ({"labels": 2 - LABELS}, "images_digest"),
        ({"eval_labels": LABELS[:8].flip(0)}, "eval_digest"),
        ({"eval_every": 2}, "eval_every"),
        ({"eval_name": "validation"}, "eval_name"),
    ):
        with pytest.raises(ValueError, match=f"was started with other settings: {name} [^,]* then, [^,]* now. Use"):
            finetune(model(), **{"images": IMAGES, "labels": LABELS, **quick, "resume": True} | change)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_run_with_everything_switched_on_resumes_to_the_same_bits(optimizer, tmp_path, interrupted):
    settings = QUICK | EVERYTHING | {"epochs": 3, "optimizer": optimizer}
    whole = model()
    finetune(whole, IMAGES, LABELS, **settings)
    with interrupted(finetuning, "strong_augment", 7):
        finetune(model(), IMAGES, LABELS, out=tmp_path, **settings)
    resumed = model()
    finetune(resumed, IMAGES, LABELS, out=tmp_path, resume=True, **settings)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), load_vit(tmp_path).parameters(), strict=True))
    with pytest.raises(ValueError, match=r"other settings: drop_path 0.2 then, None now, ema 0.9 then, 0.0 now"):
        finetune(model(), IMAGES, LABELS, out=tmp_path, resume=True, **(settings | {"drop_path": 0, "ema": 0}))


def test_stochastic_depth_drops_whole_images_and_keeps_the_mean():
    torch.manual_seed(0)
    vit = ViT(num_classes=3, image_size=8, patch_size=4, dim=16, depth=2, heads=1, dim_head=16, mlp_dim=32)
    tokens = torch.randn(1, 4, 16).expand(4000, 4, 16)
    first, last = (layer[1] for layer in vit.transformer.layers)
    plain = first(tokens), last(tokens)
    with stochastic_depth(vit, 0.5):
        for part, share, usual in ((first, 0.25, plain[0]), (last, 0.5, plain[1])):
            output = part(tokens)
            dropped = (output == 0).flatten(1).all(dim=1)
            assert abs(dropped.float().mean() - share) < 0.03  # half as often in the first of two layers
            torch.testing.assert_close(output[~dropped], usual[~dropped] / (1 - share))
        vit.eval()
        assert torch.equal(last(tokens), plain[1])
        vit.train()
    assert torch.equal(last(tokens), plain[1])
    with stochastic_depth(vit, 0.0):
        assert not last._forward_hooks
    with pytest.raises(ValueError, match="drop_path must be at least 0 and below 1, got 1"), stochastic_depth(vit, 1):
        pass


def test_layers_learn_more_slowly_the_lower_they_are():
    vit = model()
    settings = RunSettings(
        task="finetune", epochs=1, batch_size=4, lr=1.0, weight_decay=0.1, optimizer="muon", precision="float32",
        seed=0, num_images=8, layer_decay=0.5,
    )  # fmt: skip
    rates = {id(p): g["lr"] for o in make_optimizers(vit, settings) for g in o.param_groups for p in g["params"]}
    by_name = {name: rates[id(p)] for name, p in vit.named_parameters()}
    assert by_name["linear_head.1.weight"] == 1.0
    assert by_name["transformer.layers.1.0.to_q.weight"] == 0.5 and by_name["transformer.layers.0.0.norm.bias"] == 0.25
    assert by_name["to_patch_embedding.2.weight"] == 0.125 == layer_scale(vit, "to_patch_embedding.2.weight", 0.5)


def test_load_vit_takes_either_kind_of_folder(tmp_path):
    vit = model()
    vit.save_pretrained(tmp_path / "vit")
    MP3(vit, 0.5).save_pretrained(tmp_path / "mp3")
    for name in ("vit", "mp3"):
        assert torch.equal(load_vit(tmp_path / name).linear_head[1].weight, vit.linear_head[1].weight)
    with pytest.raises(FileNotFoundError, match="no config.json"):
        load_vit(tmp_path)


def test_a_new_head_shares_the_rest():
    vit = model()
    other = use_classes(vit, 7)
    assert other(torch.zeros(1, 3, 8, 8)).shape == (1, 7)
    assert other.transformer is vit.transformer and other.to_patch_embedding is vit.to_patch_embedding


@pytest.mark.parametrize(
    ("labels", "change", "words"),
    [
        (LABELS + 1, {}, "0 to 2 for a ViT of 3 classes, got 1 to 3; use_classes"),
        (LABELS.float(), {}, "int64 .64,., got torch.float32"),
        (LABELS[:5], {}, r"got torch.int64 \(5,\)"),
        (LABELS, {"mix": 1.5}, "mix must lie between 0 and 1, got 1.5"),
        (LABELS, {"augment": -1}, "augment must lie between 0 and 1, got -1"),
        (LABELS, {"erase": 7}, "erase must lie between 0 and 1, got 7"),
        (LABELS, {"drop_path": 1.0}, "below 1, got 1.0"),
        (LABELS, {"layer_decay": 0}, "at most 1, got 0"),
        (LABELS, {"optimizer": "sgd"}, "muon.* or .*adamw.*, got 'sgd'"),
        (LABELS, {"lr": 0.0}, "lr must be positive, got 0.0"),
        (LABELS, {"lr": 101}, "lr must be at most 100, got 101"),
        (LABELS, {"lr": float("nan")}, "got nan"),
        (LABELS, {"lr": float("inf")}, "got inf"),
        (LABELS, {"weight_decay": -1}, "weight_decay must lie between 0 and 100, got -1"),
        (LABELS, {"seed": -1}, "seed must be .*got -1"),
        (LABELS, {"seed": 2**63}, "got 9223372036854775808"),
        (LABELS, {"epochs": 1.5}, "epochs must be a whole number, .*got 1.5"),
        (LABELS, {"batch_size": 0}, "batch_size must be .*got 0"),
        (LABELS, {"batch_size": 2.0}, "batch_size must be .*got 2.0"),
        (LABELS, {"ema": float("nan")}, "ema must be .*got nan"),
        (LABELS, {"layer_decay": float("nan")}, "layer_decay must be .*got nan"),
        (LABELS, {"crop_area": (0.5, float("nan"))}, "crop_area must be .*got .0.5, nan."),
        (LABELS, {"mix": "1"}, "mix must lie between 0 and 1, got '1'"),
        (LABELS * 0, {}, "nothing to tell apart: labels must have 2 classes or more, got 1"),
        (LABELS - 1, {}, "labels must be 0 or more, got -1"),
        (LABELS.tolist()[:5], {}, r"got torch.int64 \(5,\)"),
        ([0.5] * 64, {}, "got torch.float32"),
        (["a"] * 64, {}, "labels must be int64 .64,., got"),
    ],
)
def test_mistakes_are_named(labels, change, words):
    with pytest.raises(ValueError, match=words):
        finetune(model(), IMAGES, labels, **(QUICK | {"epochs": 1} | change))


def test_numpy_arrays_and_lists_are_taken_and_one_class_is_not():
    first, second = model(), model()
    settings = QUICK | {"epochs": 1}
    finetune(first, IMAGES, LABELS, **settings)
    finetune(
        second, IMAGES.numpy(), LABELS.tolist(), eval_images=IMAGES.numpy(), eval_labels=LABELS.numpy(), **settings
    )
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    logs = [pretrain(MP3(model(), 0.5), x, eval_images=x, **settings)[-1] for x in (IMAGES, IMAGES.numpy())]
    assert logs[0]["loss"] == logs[1]["loss"] and logs[0]["test_accuracy"] == logs[1]["test_accuracy"]
    with pytest.raises(
        ValueError, match=r"got \(64, 8, 8, 3\), which looks like \(N, H, W, c\): permute\(0, 3, 1, 2\)"
    ):
        pretrain(MP3(model(), 0.5), IMAGES.permute(0, 2, 3, 1).numpy(), **settings)
    with pytest.raises(ValueError, match="nothing to tell apart: the ViT must have 2 classes or more, got 1"):
        finetune(use_classes(model(), 1), IMAGES, LABELS * 0, **settings)
    with pytest.raises(
        ValueError, match=r"got \(64, 8, 8, 3\), which looks like \(N, H, W, c\): permute\(0, 3, 1, 2\)"
    ):
        finetune(model(), IMAGES.permute(0, 2, 3, 1).numpy(), LABELS, **settings)


X, Y = torch.randn(20, 3, generator=torch.Generator().manual_seed(2)), torch.arange(20) % 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train": X[0]}, r"features \(N, d\), got \(3,\)"),
        ({"train": X * float("nan")}, "train features must be finite, got nan"),
        ({"test": X[:0]}, r"got \(0, 3\)"),
        ({"test": X[:, :2]}, "equally many features, got 3 and 2"),
        ({"train": X * 1e30}, "below 1e15, got"),
        ({"train_labels": Y[:5]}, r"train_labels must be int64 \(20,\), got torch.int64 \(5,\)"),
        ({"train_labels": Y - 1}, "train_labels must be 0 or more, got -1"),
        ({"test_labels": Y.float()}, "got torch.float32"),
        ({"train_labels": Y * 0 + 3}, "nothing to tell apart: all train_labels are 3"),
    ],
)
def test_probes_refuse(change, words):
    for probe in (knn_top1, linear_top1):
        with pytest.raises(ValueError, match=words):
            probe(**{"train": X, "train_labels": Y, "test": X, "test_labels": Y} | change)


@pytest.mark.parametrize(
    ("probe", "options", "words"),
    [
        (knn_top1, {"k": 0}, "k must be .*got 0"),
        (knn_top1, {"k": -3}, "got -3"),
        (knn_top1, {"temperature": 0}, "temperature must be above 0, got 0"),
        (knn_top1, {"temperature": float("nan")}, "got nan"),
        (linear_top1, {"epochs": 0}, "epochs must be .*got 0"),
        (linear_top1, {"weight_decays": ()}, r"several numbers, .*got \(\)"),
        (linear_top1, {"weight_decays": (-1,)}, "weight_decays must lie between 0 and 100, got -1"),
        (linear_top1, {"seed": 1.5}, "seed must be .*got 1.5"),
    ],
)
def test_settings_of_probes_are_checked(probe, options, words):
    with pytest.raises(ValueError, match=words):
        probe(X, Y, X, Y, **options)


@pytest.mark.parametrize("name", ["label_smoothing", "drop_path", "ema"])
def test_probabilities_that_would_leave_nothing_over_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 0 and below 1, got 1"):
        finetune(model(), IMAGES, LABELS, **QUICK, **{name: 1})


def test_test_labels_that_no_training_picture_has_are_refused_or_said():
    for probe in (knn_top1, linear_top1):
        with pytest.raises(ValueError, match=r"no training label is one of the test labels, got \[0, 1.*to test"):
            probe(X, Y, X, Y + 100)
        with pytest.warns(Note, match="1 of 20 test labels, as 99, are not training labels: they count as wrong"):
            assert probe(X, Y, X, torch.cat((Y[:-1], Y[:1] * 0 + 99))) < 1


def test_neighbours_vote_at_any_temperature():
    for temperature in (1e-320, 1e-9, 1e-3):  # the nearest one decides, where exp alone would overflow
        assert knn_top1(X, Y, X, Y, k=20, temperature=temperature) == 1.0
    far = knn_top1(X, torch.cat((Y[:11], Y[:9] * 0)), X, Y * 0, temperature=1e9)  # all votes count the same
    assert far == 1.0
    same = knn_top1(X.double(), Y.tolist(), X.half(), Y.numpy(), k=1)
    assert same == 1.0


def test_probes_find_what_is_there_and_nothing_else():
    draw = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 4, (1200,), generator=draw)
    noise = torch.randn(1200, 8, generator=draw)
    told = noise + 4 * torch.eye(4).repeat(1, 2)[labels]
    for probe in (knn_top1, linear_top1):
        assert probe(told[:1000], labels[:1000], told[1000:], labels[1000:]) > 0.9
        assert abs(probe(noise[:1000], labels[:1000], noise[1000:], labels[1000:]) - 0.25) < 0.12


def test_nearest_neighbour_by_hand():
    train = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    labels = torch.tensor([0, 1, 2])
    test = torch.tensor([[5.0, 0.0], [0.0, 0.1], [3.0, 0.5]])
    assert knn_top1(train, labels, test, torch.tensor([0, 2, 1]), k=1) == 1.0


def test_frozen_features_are_those_of_eval_mode():
    torch.manual_seed(0)
    vit = ViT(num_classes=3, image_size=8, patch_size=4, dim=16, depth=1, heads=1, mlp_dim=16, dropout=0.5).train()
    features = frozen_features(vit, IMAGES, batch_size=10)
    assert features.shape == (64, 16) and vit.training
    torch.testing.assert_close(features, frozen_features(vit, IMAGES), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("pos_emb", [True, False])
def test_frozen_features_of_a_layer_are_those_of_a_network_that_ends_there(pos_emb):
    torch.manual_seed(0)
    vit = ViT(num_classes=3, image_size=8, patch_size=4, dim=16, depth=3, heads=1, mlp_dim=16).eval()
    for layer in (3, 2, 1, 0):
        vit.transformer.layers = vit.transformer.layers[:layer]
        shorter = frozen_features(vit, IMAGES, pos_emb=pos_emb)
        torch.manual_seed(0)
        whole = ViT(num_classes=3, image_size=8, patch_size=4, dim=16, depth=3, heads=1, mlp_dim=16).eval()
        for number in (layer, layer - 4):
            assert torch.equal(frozen_features(whole, IMAGES, pos_emb=pos_emb, layer=number), shorter)
    for wrong in (4, -5, 1.5, True, None):
        with pytest.raises(ValueError, match=r"^layer must be a whole number, -4 to 3, got"):
            frozen_features(whole, IMAGES, layer=wrong)


@pytest.mark.slow
def test_commands(tmp_path, capsys, monkeypatch):
    """Pretrain, fine-tune from it and from scratch, and probe, as a reader would."""
    monkeypatch.setenv("MP3_DATA", "scenes")
    small = ["--limit", "128", "--epochs", "1", "--batch-size", "64", "--eval-every", "0"]
    small += ["--patch-size", "16", "--dim", "16", "--depth", "1", "--heads", "1", "--mlp-dim", "16"]
    assert main(["pretrain", "--out", str(tmp_path / "mp3"), *small]) == 0
    for weights in (str(tmp_path / "mp3"), "none"):
        out = str(tmp_path / f"from {weights[-3:]}")
        assert main(["finetune", "--weights", weights, "--out", out, *small, "--no-pos-emb", "--json"]) == 0
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["epoch"] == 1
        assert read_run(out)["weights"] == weights
    out = tmp_path / "made" / "probe.json"
    assert main(["probe", "--weights", str(tmp_path / "mp3"), "--limit", "500", "--json", "--out", str(out)]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert json.loads(out.read_text()) == figures
    assert set(figures["weights"]) == {"knn", "linear"}
    assert set(figures["random init"]) == {"knn", "linear"}


def test_a_test_under_bf16_is_that_of_the_saved_weights():
    for seed in range(5):  # logits in bf16 would often tie
        vit = model()
        settings = QUICK | {"precision": "bf16", "seed": seed, "epochs": 2}
        lines = finetune(vit, IMAGES, LABELS, eval_images=IMAGES, eval_labels=LABELS, **settings)
        assert lines[-1]["test_top1"] == top1_accuracy(vit, IMAGES, LABELS)
        assert "forward" not in vit.__dict__


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"eval_images": IMAGES}, "eval_images need eval_labels"),
        ({"eval_images": IMAGES, "eval_labels": LABELS + 1}, "eval_labels must be 0 to 2 .*got 1 to 3"),
        ({"crop_area": (0.0, 1.0)}, "area must be"),
    ],
)
def test_what_does_not_fit_is_told_before_a_run_folder_is_made(change, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        finetune(model(), IMAGES, LABELS, epochs=1, out=tmp_path / "run", **(QUICK | change))
    assert not (tmp_path / "run").exists()


def test_a_new_head_is_like_the_old_one():
    vit = model().double()
    assert use_classes(vit, 7).linear_head[1].weight.dtype == torch.float64
    assert use_classes(vit, 7, image_size=16).grid == (4, 4) and use_classes(vit, 7).grid == (2, 2)
