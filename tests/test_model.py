"""The model against vit_pytorch.mp3, and where that misbehaves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import vit_pytorch.mp3 as reference

from mp3lib import MP3, Attention, FeedForward, Transformer, ViT, posemb_sincos_2d, record_attention
from mp3lib.model import Block

SHAPES = {
    "square": dict(image_size=32, patch_size=8, dim=32, depth=2, heads=2, mlp_dim=64),
    "wide": dict(image_size=(16, 48), patch_size=(4, 8), dim=24, depth=1, heads=3, mlp_dim=40, dim_head=8),
    "deep": dict(image_size=(24, 16), patch_size=4, dim=16, depth=4, heads=1, mlp_dim=32, channels=1),
    "dropout": dict(image_size=16, patch_size=4, dim=16, depth=2, heads=2, mlp_dim=32, dropout=0.3),
}


def twins(shape: str, ratio: float | None = None) -> tuple[torch.nn.Module, torch.nn.Module, torch.Tensor]:
    """The reference and ours with the same weights, none of them at its plain initial value, and a batch."""
    settings = SHAPES[shape]
    theirs, ours = reference.ViT(num_classes=7, **settings), ViT(num_classes=7, **settings)
    if ratio is not None:
        theirs, ours = reference.MP3(theirs, ratio), MP3(ours, ratio)
    torch.manual_seed(1)
    with torch.no_grad():
        for p in theirs.parameters():
            p.add_(torch.randn_like(p) * 0.1)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    vit = ours if ratio is None else ours.vit
    return theirs, ours, torch.randn(3, vit.channels, *vit.image_size)


def assert_same_gradients(theirs: torch.nn.Module, ours: torch.nn.Module) -> None:
    mine = dict(ours.named_parameters())
    for name, p in theirs.named_parameters():
        assert (p.grad is None) == (mine[name].grad is None), name
        if p.grad is not None:
            torch.testing.assert_close(mine[name].grad, p.grad, atol=1e-6, rtol=1e-4, msg=name)


@pytest.mark.parametrize("shape", SHAPES)
def test_vit_agrees_with_the_reference(shape):
    theirs, ours, images = twins(shape)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    torch.manual_seed(2)
    expected = theirs(images)
    torch.manual_seed(2)
    logits = ours(images)
    torch.testing.assert_close(logits, expected, atol=1e-6, rtol=1e-6)
    expected.square().sum().backward()
    logits.square().sum().backward()
    assert_same_gradients(theirs, ours)


@pytest.mark.parametrize("ratio", [0.25, 0.5, 0.75, 0.95])
@pytest.mark.parametrize("shape", SHAPES)
def test_mp3_agrees_with_the_reference(shape, ratio):
    theirs, ours, images = twins(shape, ratio)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    for seed in range(3):
        torch.manual_seed(seed)
        expected = theirs(images)
        torch.manual_seed(seed)
        loss = ours(images)
        assert abs(loss.item() - expected.item()) < 1e-6
        expected.backward()
        loss.backward()
    assert_same_gradients(theirs, ours)


def test_same_seed_gives_the_same_initial_weights():
    torch.manual_seed(0)
    theirs = reference.MP3(reference.ViT(num_classes=7, **SHAPES["square"]), 0.75).state_dict()
    torch.manual_seed(0)
    ours = MP3(ViT(num_classes=7, **SHAPES["square"]), 0.75).state_dict()
    assert list(theirs) == list(ours)
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)


def test_position_embedding_agrees_with_the_reference():
    for shape in [(1, 8, 8, 64), (2, 3, 5, 8), (1, 1, 4, 12)]:
        patches = torch.randn(shape)
        torch.testing.assert_close(posemb_sincos_2d(patches), reference.posemb_sincos_2d(patches), atol=1e-6, rtol=0)
        torch.testing.assert_close(
            posemb_sincos_2d(patches, 50), reference.posemb_sincos_2d(patches, 50), atol=1e-6, rtol=0
        )


def test_position_embedding_is_known():
    # row 1, column 2 of a 2 x 3 grid, 8 features: frequencies 1 and 1/10000
    row = posemb_sincos_2d(torch.zeros(1, 2, 3, 8))[1 * 3 + 2]
    x, y = torch.tensor([2.0, 2e-4]), torch.tensor([1.0, 1e-4])
    torch.testing.assert_close(row, torch.cat([x.sin(), x.cos(), y.sin(), y.cos()]))


def test_dim_4_has_one_frequency_where_the_reference_gives_nan():
    patches = torch.zeros(1, 2, 2, 4)
    assert reference.posemb_sincos_2d(patches).isnan().any()
    expected = torch.tensor([[0, 1, 0, 1.0], [0.841471, 0.540302, 0, 1], [0, 1, 0.841471, 0.540302]])
    torch.testing.assert_close(posemb_sincos_2d(patches)[:3], expected)


def test_dtype_is_heeded_where_the_reference_ignores_it():
    patches = torch.zeros(1, 2, 2, 8)
    assert reference.posemb_sincos_2d(patches, dtype=torch.float64).dtype == torch.float32
    assert posemb_sincos_2d(patches, dtype=torch.float64).dtype == torch.float64
    assert posemb_sincos_2d(patches.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("patches", "temperature", "words"),
    [
        (torch.zeros(1, 2, 2, 6), 10000, "multiple of 4.* got 6"),
        (torch.zeros(1, 2, 2, 0), 10000, "got 0"),
        (torch.zeros(4, 8), 10000, r"\(4, 8\)"),
        (torch.zeros(1, 2, 2, 8), 0, "temperature must be positive, got 0"),
    ],
)
def test_position_embedding_refuses(patches, temperature, words):
    with pytest.raises(ValueError, match=words):
        posemb_sincos_2d(patches, temperature)


def test_larger_images_are_classified_and_refused_for_positions():
    theirs, ours, _ = twins("square", 0.75)
    larger = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(ours.vit(larger), theirs.vit(larger), atol=1e-6, rtol=1e-6)
    with pytest.raises(IndexError):
        theirs(larger)
    for call in (ours, ours.predict):
        with pytest.raises(ValueError, match=r"\(64, 64\) pixels, but .* \(32, 32\)"):
            call(larger)


def test_attention_is_fused_explicit_and_pytorchs_own():
    torch.manual_seed(0)
    attention = Attention(16, heads=4, dim_head=4)
    x = torch.randn(2, 5, 16)
    weights = attention.weights(x)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, 5))
    q, k, v = attention.queries_keys_values(x, None, None)
    by_hand = torch.zeros(2, 5, 16)
    for head in range(4):
        scores = q[:, head] @ k[:, head].mT / 2  # the square root of dim_head
        by_hand[:, :, head * 4 : head * 4 + 4] = scores.softmax(-1) @ v[:, head]
        torch.testing.assert_close(weights[:, head], scores.softmax(-1))
    torch.testing.assert_close(attention(x), attention.to_out(by_hand))
    ours = attention.to_out(by_hand).bfloat16().float()
    with torch.autocast("cpu", torch.bfloat16):  # takes the explicit path on a CPU
        torch.testing.assert_close(attention(x).float(), ours, atol=0.03, rtol=0.05)


def test_num_context_is_the_first_tokens_of_each_layer():
    torch.manual_seed(0)
    transformer = Transformer(16, depth=3, heads=2, dim_head=8, mlp_dim=32)
    x = torch.randn(2, 7, 16)
    layer_by_layer = x
    for attention, feed_forward in transformer.layers:
        layer_by_layer = attention(layer_by_layer, context=layer_by_layer[:, :3]) + layer_by_layer
        layer_by_layer = feed_forward(layer_by_layer) + layer_by_layer
    torch.testing.assert_close(transformer(x, num_context=3), layer_by_layer)
    torch.testing.assert_close(transformer(x, num_context=7), transformer(x))
    assert not torch.allclose(transformer(x, num_context=3), transformer(x, context=x[:, :3]), atol=1e-3)


def test_a_block_is_one_call_with_its_two_parts_by_index():
    torch.manual_seed(0)
    transformer = Transformer(16, depth=2, heads=2, dim_head=8, mlp_dim=32)
    x, context = torch.randn(2, 7, 16), torch.randn(2, 3, 16)
    block = transformer.layers[1]
    attention, feed_forward = block
    assert isinstance(block, Block) and (attention, feed_forward) == (block[0], block[1])
    for given in ({}, {"num_context": 3}, {"context": context}):
        after = attention(x, **given) + x
        assert torch.equal(block(x, **given), feed_forward(after) + after)
        one_by_one = transformer.layers[1](transformer.layers[0](x, **given), **given)
        assert torch.equal(transformer(x, **given), one_by_one)
    names = [name for name, _ in transformer.named_parameters()]
    assert names[0] == "layers.0.0.norm.weight" and names[-1] == "layers.1.1.net.4.bias"  # as in vit_pytorch


@pytest.mark.parametrize("number", [0, 8, -1])
def test_attention_refuses_a_context_of_no_or_too_many_tokens(number):
    with pytest.raises(ValueError, match=f"from 1 to the number of tokens \\(7\\), got {number}"):
        Attention(16)(torch.randn(1, 7, 16), num_context=number)


def test_attention_refuses_two_contexts():
    x = torch.randn(1, 7, 16)
    with pytest.raises(ValueError, match="not both"):
        Attention(16)(x, context=x, num_context=2)


def test_recording_sees_every_layer_and_changes_nothing():
    _, vit, images = twins("wide")
    before = vit(images)
    with record_attention(vit) as layers:
        during = vit(images)
    assert torch.equal(before, during)
    assert [tuple(w.shape) for w in layers] == [(3, 3, vit.num_patches, vit.num_patches)]
    assert not layers[0].requires_grad
    vit(images)
    assert len(layers) == 1  # it ended with the with-block
    with pytest.raises(ValueError, match="Linear holds no"), record_attention(torch.nn.Linear(2, 2)):
        pass


def test_recorded_weights_mix_the_values_into_the_output():
    torch.manual_seed(0)
    attention = Attention(16, heads=2, dim_head=8)
    x, context = torch.randn(2, 5, 16), torch.randn(2, 3, 16)
    with record_attention(attention) as layers:
        out = attention(x, context=context)
    values = attention.queries_keys_values(x, context, None)[2]
    mixed = (layers[0] @ values).transpose(1, 2).flatten(2)
    torch.testing.assert_close(attention.to_out(mixed), out)


def test_without_position_embeddings_the_order_of_patches_does_not_matter():
    _, vit, images = twins("square")
    cut = images.unflatten(2, (4, 8)).unflatten(4, (4, 8)).permute(2, 4, 0, 1, 3, 5).flatten(0, 1)  # (16, b, c, 8, 8)
    shuffled = cut[torch.randperm(16, generator=torch.Generator().manual_seed(0))]
    shuffled = shuffled.unflatten(0, (4, 4)).permute(2, 3, 0, 4, 1, 5).flatten(2, 3).flatten(3, 4)
    torch.testing.assert_close(vit(images, pos_emb=False), vit(shuffled, pos_emb=False), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(vit(images), vit(shuffled), atol=1e-3)


def test_features_lead_to_the_logits():
    _, vit, images = twins("wide")
    features = vit.features(images)
    assert features.tokens.shape == (3, vit.num_patches, vit.dim)
    torch.testing.assert_close(features.pooled, features.tokens.mean(1))
    torch.testing.assert_close(vit.linear_head(features.pooled), vit(images))


def test_grid_and_sizes_of_non_square_images():
    vit = ViT(num_classes=7, **SHAPES["wide"])
    assert (vit.grid, vit.num_patches, vit.patch_size, vit.image_size) == ((4, 6), 24, (4, 8), (16, 48))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(patch_size=5), r"\(5, 5\) does not divide image_size \(32, 32\)"),
        (dict(image_size=0), "image_size must be a positive whole number or a pair of them, got 0"),
        (dict(patch_size=(8, 8, 8)), r"got \(8, 8, 8\)"),
        (dict(dim=30), "multiple of 4, got 30"),
        (dict(dim="16"), "multiple of 4, got '16'"),
        (dict(heads=0), "heads must be a whole number, 1 or more, got 0"),
        (dict(heads=1.5), "heads must be .*got 1.5"),
        (dict(dim_head=0), "dim_head must be .*got 0"),
        (dict(depth=-1), "depth must be a whole number, 0 to 1000, got -1"),
        (dict(depth=1001), "depth must be .*got 1001"),
        (dict(depth=10**9), "depth must be .*got 1000000000"),
        (dict(mlp_dim=0), "mlp_dim must be .*got 0"),
        (dict(mlp_dim=10**12), "parameters; accepted are at most 20,000,000,000"),
        (dict(patch_size=2**31, image_size=2**31), "parameters; accepted are at most"),
        (dict(channels=True), "channels must be .*got True"),
        (dict(dropout=7), "dropout must lie between 0 and 1, got 7"),
        (dict(dropout=float("nan")), "got nan"),
        (dict(patch_norm="no"), "patch_norm must be True or False, got 'no'"),
        (dict(classes=3), "classes must be .*got 3"),
        (dict(classes="abcdefg"), "classes must be .*got 'abcdefg'"),
    ],
)
def test_vit_refuses(change, words):
    with pytest.raises(ValueError, match=words):
        ViT(num_classes=7, **(SHAPES["square"] | change))


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (torch.zeros(2, 1, 32, 32), r"\(b, 3, H, W\), got \(2, 1, 32, 32\)"),
        (torch.zeros(3, 32, 32), r"got \(3, 32, 32\)"),
        (torch.zeros(2, 3, 32, 30), r"does not divide the images' size \(32, 30\)"),
        (torch.zeros(2, 3, 32, 32, dtype=torch.uint8), "floating point, got torch.uint8"),
        (torch.zeros(2, 32, 32, 3), r"got \(2, 32, 32, 3\), which looks like .*permute\(0, 3, 1, 2\)"),
        (torch.zeros(2, 3, 32, 32).numpy(), "must be a torch tensor"),
        (torch.zeros(2, 3, 32, 32).half(), "dtype of the weights, torch.float32, got torch.float16"),
        (torch.zeros(2, 3, 32, 32).double(), "got torch.float64"),
        (torch.zeros(0, 3, 32, 32), r"at least one, got the shape \(0, 3, 32, 32\)"),
        (torch.full((2, 3, 32, 32), float("nan")), "images must be finite, got nan"),
        (torch.full((2, 3, 32, 32), -float("inf")), "images must be finite, got -inf"),
    ],
)
def test_vit_refuses_images(images, words):
    with pytest.raises(ValueError, match=words):
        ViT(num_classes=7, **SHAPES["square"])(images)


def test_feed_forward_is_its_parts():
    torch.manual_seed(0)
    ff, x = FeedForward(8, 16), torch.randn(2, 3, 8)
    norm, up, _, _, down, _ = ff.net
    torch.testing.assert_close(ff(x), down(torch.nn.functional.gelu(up(norm(x)))))


def test_saved_and_loaded_models_agree(tmp_path):
    _, vit, images = twins("wide")
    vit.save_pretrained(tmp_path / "vit")
    torch.testing.assert_close(ViT.from_pretrained(tmp_path / "vit")(images), vit(images))
    mp3 = MP3(vit, 0.5, "updated")
    mp3.save_pretrained(tmp_path / "mp3")
    again = MP3.from_pretrained(tmp_path / "mp3")
    assert (again.context, again.masking_ratio, again.vit.grid) == ("updated", 0.5, vit.grid)
    context = torch.tensor([0, 5, 7])
    torch.testing.assert_close(again.predict(images, context).logits, mp3.predict(images, context).logits)
    assert {p.name for p in (tmp_path / "mp3").iterdir()} >= {"config.json", "model.safetensors"}


def test_without_the_norm_of_patches_brightness_is_seen():
    settings = SHAPES["square"] | {"num_classes": 3}
    images = torch.rand(2, 3, 32, 32) - 0.5
    with_norm, without = ViT(**settings), ViT(**settings, patch_norm=False)
    torch.testing.assert_close(with_norm.embed(images), with_norm.embed(0.5 * images + 0.2), rtol=1e-2, atol=1e-2)
    assert (without.embed(images) - without.embed(0.5 * images + 0.2)).abs().max() > 0.1
    assert set(with_norm.state_dict()) - set(without.state_dict()) == {
        "to_patch_embedding.1.weight",
        "to_patch_embedding.1.bias",
    }


def test_the_number_of_parameters_is_known_before_a_layer_is_made(monkeypatch):
    for norm in (True, False):
        settings = SHAPES["wide"] | {"num_classes": 7, "patch_norm": norm}
        number = sum(p.numel() for p in ViT(**settings).parameters())
        monkeypatch.setattr("mp3lib.model.attention.MAX_PARAMETERS", number)
        ViT(**settings)
        monkeypatch.setattr("mp3lib.model.attention.MAX_PARAMETERS", number - 1)
        with pytest.raises(ValueError, match=f"make {number} parameters"):
            ViT(**settings)
        monkeypatch.undo()
    for kind, sizes in ((Attention, (10**6, 10**6)), (FeedForward, (10**6, 10**6))):
        with pytest.raises(ValueError, match="parameters; accepted are at most"):
            kind(*sizes)


def test_images_of_the_weights_dtype_and_under_autocast_are_taken():
    vit = ViT(num_classes=7, **SHAPES["square"])
    images = torch.rand(2, 3, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        assert vit(images.bfloat16()).isfinite().all()
        with pytest.raises(ValueError, match="got torch.float64"):
            vit(images.double())
    for dtype in (torch.float64, torch.bfloat16, torch.float16):
        assert vit.to(dtype)(images.to(dtype)).dtype == dtype
        with pytest.raises(ValueError, match=f"weights, {dtype}, got torch.float32"):
            vit(images)


def test_a_transformer_without_layers_and_numpys_numbers():
    vit = ViT(num_classes=np.int64(2), image_size=np.int32(8), patch_size=4, dim=8, depth=0, heads=1, mlp_dim=4)
    assert vit(torch.zeros(1, 3, 8, 8)).shape == (1, 2) and type(vit.config["image_size"]) is int
    with pytest.raises(ValueError, match="holds no mp3lib Attention"), record_attention(vit):
        pass


def test_a_model_that_is_exported_or_mapped_over_is_not_looked_into():
    vit = ViT(num_classes=2, image_size=8, patch_size=4, dim=8, depth=1, heads=1, mlp_dim=4).eval()
    images = torch.rand(3, 3, 8, 8)
    program = torch.export.export(vit, (images,), dynamic_shapes=({0: torch.export.Dim("b")},))
    more = torch.rand(5, 3, 8, 8)
    torch.testing.assert_close(program.module()(more), vit(more))
    each = torch.func.vmap(lambda image: vit(image[None])[0])(images)
    torch.testing.assert_close(each, vit(images))
    with torch.device("meta"):
        assert ViT(**vit.config)(torch.rand(2, 3, 8, 8)).shape == (2, 2)


def test_a_compiled_model_is_recorded_and_its_weights_load():
    vit = ViT(num_classes=2, image_size=8, patch_size=4, dim=8, depth=1, heads=1, mlp_dim=4).eval()
    compiled, images = torch.compile(vit, backend="eager"), torch.rand(2, 3, 8, 8)
    compiled(images)
    for model in (vit, compiled):
        with record_attention(model) as layers:
            compiled(images)
        assert len(layers) == 1 and torch.equal(layers[0], layers[0].clone())
    other = ViT(**vit.config).eval()
    assert all(name.startswith("_orig_mod.") for name in compiled.state_dict())
    other.load_state_dict(compiled.state_dict())
    assert torch.equal(other(images), vit(images))


@pytest.mark.parametrize("wrong", [torch.zeros(2, 3, 5), torch.zeros(3, 16), torch.zeros(2, 3, 16).double(), None, "x"])
def test_tokens_have_to_fit(wrong):
    x = torch.zeros(2, 3, 16)
    for part in (Attention(16), FeedForward(16, 8), Transformer(16, 1, 1, 4, 8)):
        with pytest.raises(ValueError, match="^x must "):
            part(wrong)
    for context in (x[:1], x[:, :0], torch.zeros(2, 3, 5)):
        with pytest.raises(ValueError, match="context must have the shape"):
            Attention(16)(x, context=context)
