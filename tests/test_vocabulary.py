"""VOCABULARY.md knows every axis of the einops strings, and its links and its example are right."""

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest
import torch

from mp3lib import MP3, ViT

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "VOCABULARY.md").read_text(encoding="utf-8")
AXES = PAGE.partition("## Axes")[2].partition("\n## ")[0]
PATTERN = re.compile(r"[\w\s(),.]+->[\w\s().]*")


@cache
def sources() -> dict[str, str]:
    """The code of the library and of the notebooks, each notebook as one text."""
    code = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "mp3lib").rglob("*.py")}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        code[path.name] = "\n".join(re.sub(r"^\s*[%!].*$", "", text, flags=re.MULTILINE) for text in texts)
    return code


def patterns(code: str) -> set[str]:
    """The einops and einsum strings in Python code; docstrings are left out, so are tuples with commas."""
    tree = ast.parse(code)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
    }
    return {text for text in texts if PATTERN.fullmatch(text) and not re.search(r"\([^)]*,", text)}


def axes(pattern: str) -> set[str]:
    return set(re.findall(r"[A-Za-z]\w*", pattern))


def test_patterns_are_found():
    code = 'def f(x):\n    """(b, n) -> (b)"""\n    print("a -> b: x")\n    return rearrange(x, "b (r p1) -> b r p1")\n'
    assert patterns(code) == {"b (r p1) -> b r p1"} and axes("b (r p1) -> b r p1") == {"b", "r", "p1"}
    found = {name: patterns(text) for name, text in sources().items()}
    assert "b h n d, b h k d -> b h n k" in found["attention.py"] & found["02_attention.ipynb"]


@pytest.mark.parametrize("name", sorted(sources()))
def test_every_axis_is_on_the_page(name):
    known = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", AXES))))
    missing = {pattern: axes(pattern) - known for pattern in patterns(sources()[name])}
    assert {pattern: sorted(letters) for pattern, letters in missing.items() if letters} == {}


def test_every_word_names_its_notebook_and_the_links_lead_somewhere():
    words = [line for line in PAGE.splitlines() if line.startswith("- **")]
    assert len(words) > 25
    place = r"\]\((notebooks/\d\d_\w+\.ipynb|(docs/[A-Z]+|results/README)\.md)\)$"
    assert [line for line in words if not re.search(place, line)] == []
    assert all((ROOT / target).exists() for target in re.findall(r"\]\((docs/[^)#]+)", PAGE))
    for number, target in re.findall(r"\[(\d\d)\]\(([^)]+)\)", PAGE):
        assert (ROOT / target).exists() and Path(target).name.startswith(number), target


@pytest.mark.parametrize(
    "word",
    """images patches tokens pos_emb queries keys values attn logits labels context mask_ratio frozen updated
    query_fraction argmax Hungarian chance probe seed nats budget dim depth heads dim_head mlp_dim""".split(),
)
def test_the_names_that_code_uses_are_there(word):
    """As code or in bold, not merely in a sentence."""
    marked = " ".join(code or bold for code, bold in re.findall(r"`([^`\n]+)`|\*\*(.+?)\*\*", PAGE))
    assert word in re.findall(r"\w+", marked)


def test_the_example_holds():
    """Each shape of the example's table, from the library itself."""
    rows = re.findall(r"^\| (`.*?) \| `?\(.*?\| \((\d+(?:, \d+)*)\)", AXES, re.MULTILINE)
    told = {re.search(r"`(\w+)`", name)[1]: tuple(map(int, shape.split(", "))) for name, shape in rows}
    vit = ViT(num_classes=10, image_size=32, patch_size=8, dim=128, depth=1, heads=2, mlp_dim=256)
    mp3, images = MP3(vit, 0.75, "updated").eval(), torch.zeros(2, 3, 32, 32)
    p = mp3.predict(images, with_attention=True)
    tokens = vit.embed(images)
    queries, keys, _ = vit.transformer.layers[0][0].queries_keys_values(tokens, tokens[:, :4], None)
    shapes = {
        "images": images.shape,
        "patches": vit.to_patch_embedding[0](images).flatten(1, 2).shape,
        "tokens": tokens.shape,
        "queries": queries.shape,
        "keys": keys.shape,
        "attn": p.attn[0].shape,
        "logits": p.logits.shape,
        "labels": p.labels.shape,
    }
    assert told == {name: tuple(shape) for name, shape in shapes.items()}
    assert p.labels[0].tolist() == list(range(16))


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_notebook_links_to_the_page(path):
    first = json.loads(path.read_text(encoding="utf-8"))["cells"][0]
    assert "[words and axes](../VOCABULARY.md)" in "".join(first["source"])
