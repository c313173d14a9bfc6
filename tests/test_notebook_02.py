"""The modules of notebook 02 equal those of the library, and its table of found neighbours is right."""

import random
import re

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from notebook_code import definitions, exercises

import mp3lib
from mp3lib.data import load_images, to_float

NB = definitions("02")

# dim, heads, dim_head, tokens, context
SIZES = [(16, 1, 16, 9, 4), (24, 3, 8, 16, 1), (32, 2, 5, 12, 12), (8, 4, 64, 2, 1)]
draw = random.Random(2)
for _ in range(4):
    n = draw.randint(1, 20)
    SIZES.append((draw.randint(1, 40), draw.randint(1, 5), draw.randint(1, 20), n, draw.randint(1, n)))


def contexts(dim: int, tokens: int, k: int) -> list[dict]:
    return [{}, {"context": torch.randn(2, k, dim)}, {"num_context": k}, {"num_context": tokens}]


def assert_same(ours, theirs, x, **context):
    """Assert equal outputs and equal gradients, of the input, the context and all parameters, for equal weights."""
    theirs.load_state_dict(ours.state_dict(), strict=True)
    results = []
    for module in (ours, theirs):
        leaves = {"x": x.clone().requires_grad_()}
        leaves |= {name: t.clone().requires_grad_() for name, t in context.items() if torch.is_tensor(t)}
        torch.manual_seed(1)  # for dropout
        out = module(leaves["x"], **context | {name: t for name, t in leaves.items() if name != "x"})
        weight = torch.linspace(-1, 1, out.numel()).view_as(out)
        results.append([out, *torch.autograd.grad((out * weight).sum(), [*leaves.values(), *module.parameters()])])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.fixture(autouse=True)
def double():
    """Use float64, in which the fused kernel and the explicit sums differ too little to hide an error."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(("dim", "heads", "dim_head", "n", "k"), SIZES)
def test_attention_is_the_librarys(dim, heads, dim_head, n, k):
    ours = NB["Attention"](dim, heads=heads, dim_head=dim_head)
    theirs = mp3lib.Attention(dim, heads=heads, dim_head=dim_head)
    x = torch.randn(2, n, dim)
    for context in contexts(dim, n, k):
        assert_same(ours, theirs, x, **context)


@pytest.mark.parametrize(("dim", "heads", "dim_head", "n", "k"), SIZES)
@pytest.mark.parametrize("depth", [1, 3])
def test_transformer_is_the_librarys(dim, heads, dim_head, n, k, depth):
    config = dict(dim=dim, depth=depth, heads=heads, dim_head=dim_head, mlp_dim=2 * dim + 1)
    x = torch.randn(2, n, dim)
    for context in contexts(dim, n, k):
        assert_same(NB["Transformer"](**config), mp3lib.Transformer(**config), x, **context)


def test_feed_forward_is_the_librarys():
    for dim, hidden_dim in ((8, 32), (12, 5)):
        assert_same(NB["FeedForward"](dim, hidden_dim), mp3lib.FeedForward(dim, hidden_dim), torch.randn(2, 7, dim))


def test_defaults_are_the_librarys():
    assert_same(NB["Attention"](16), mp3lib.Attention(16), torch.randn(2, 4, 16))


def test_dropout_is_the_librarys():
    config = dict(depth=2, heads=3, dim_head=4, mlp_dim=20, dropout=0.3)
    ours, theirs = NB["Transformer"](12, **config), mp3lib.Transformer(12, **config)
    assert_same(ours, theirs, torch.randn(2, 6, 12), num_context=4)
    assert_same(ours.eval(), theirs.eval(), torch.randn(2, 6, 12), num_context=4)


@pytest.mark.parametrize(("n", "k", "d"), [(1, 1, 1), (5, 3, 4), (3, 8, 16)])
def test_loop_einsum_and_torch_agree(n, k, d):
    q, keys, values = torch.randn(2, 3, n, d), torch.randn(2, 3, k, d), torch.randn(2, 3, k, d)
    out = NB["attention_einsum"](q, keys, values)
    torch.testing.assert_close(out, F.scaled_dot_product_attention(q, keys, values))
    torch.testing.assert_close(out[1, 2], NB["attention_loop"](q[1, 2], keys[1, 2], values[1, 2]))


@pytest.mark.parametrize(("n", "k", "d"), [(1, 1, 1), (5, 3, 4), (3, 8, 16)])
def test_loop_and_einsum_have_torchs_gradients(n, k, d):
    inputs = [torch.randn(1, 1, m, d, requires_grad=True) for m in (n, k, k)]
    outs = [
        NB["attention_loop"](*(x[0, 0] for x in inputs))[None, None],
        NB["attention_einsum"](*inputs),
        F.scaled_dot_product_attention(*inputs),
    ]
    loop, einsum, expected = (torch.autograd.grad((out * torch.linspace(-1, 1, d)).sum(), inputs) for out in outs)
    for a, b, c in zip(loop, einsum, expected, strict=True):
        torch.testing.assert_close(a, c)
        torch.testing.assert_close(b, c)


def test_softmax_is_torchs_even_for_large_scores():
    for scores in (torch.randn(4, 6), torch.tensor([1000.0, 1001.0]), torch.tensor([-1e30, 0.0])):
        leaf, weight = scores.requires_grad_(), torch.linspace(-1, 1, scores.shape[-1])
        shares = NB["softmax"](leaf), leaf.softmax(dim=-1)
        torch.testing.assert_close(*shares)
        torch.testing.assert_close(*(torch.autograd.grad((s * weight).sum(), leaf) for s in shares))


def found(scores):
    """How often the right neighbour in an 8 x 8 grid is among the five best scores, of (images, n, n)."""
    patch = torch.arange(64)[torch.arange(64) % 8 < 7]
    five = scores[:, patch].topk(5).indices
    return float((five == patch[:, None] + 1).any(dim=-1).float().mean())


def test_the_table_of_exercise_3_is_measured():
    """The numbers of the folded solution, for the first 200 test images of CIFAR-10, up to one in the last digit."""
    torch.set_default_dtype(torch.float32)
    images = load_images("auto")
    text = next(exercise.help for exercise in exercises("02") if exercise.function == "neighbour_scores")
    rows = dict(re.findall(r"^\| `(tokens|patches)`[^|]*\| (.*) \|$", text, re.MULTILINE))
    told = {name: [int(n) for n in re.findall(r"(\d+)\s%", row)] for name, row in rows.items()}
    patches = rearrange(to_float(images.test.images[:200]), "b c (r p1) (s p2) -> b (r s) (p1 p2 c)", p1=4, p2=4)
    tokens = F.normalize(patches - patches.mean(dim=1, keepdim=True), dim=2) * 48**0.5
    measured = {}
    for name, pieces in (("tokens", tokens), ("patches", patches)):
        pieces = pieces.view(200, 64, 4, 4, 3)
        last, first = pieces[:, :, :, -1].flatten(2), pieces[:, :, :, 0].flatten(2)
        scores = [last @ first.mT, F.normalize(last, dim=2) @ F.normalize(first, dim=2).mT, -torch.cdist(last, first)]
        measured[name] = [100 * found(x) for x in scores]
    assert [len(row) for row in told.values()] == [3, 3]
    for name in told:
        for said, value in zip(told[name], measured[name], strict=True):
            if images.name == "cifar10":
                assert abs(said - value) < 1, (name, told[name], measured[name])
            assert value > 100 * 5 / 63  # better than chance, on any images
