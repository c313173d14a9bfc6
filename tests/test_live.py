"""The board whose network runs in the page: its JavaScript against PyTorch, and the widget in Python.

The page in a browser: test_live_page.py. The widget in JupyterLab: test_live_lab.py.
"""

import base64
import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import torch
from live_page import scenes
from PIL import Image
from safetensors.torch import save
from scipy.optimize import linear_sum_assignment
from scripts import load_script
from static_server import served

from mp3lib import MP3, ViT, load_images, load_shipped
from mp3lib.board import accuracies, patch_board
from mp3lib.board.scripts import script
from mp3lib.board.widget import kernel_answer
from mp3lib.evaluate import position_accuracy
from mp3lib.model import attention_rollout
from mp3lib.plots.dark import PAPER_ALPHA

ROOT = Path(__file__).resolve().parents[1]
PURE = script("mp3.js", "solve.js")
FUNCTION_TESTS = (ROOT / "tests" / "live.test.js").read_text(encoding="utf-8").count('\ntest("')
on = pytest.mark.parametrize


@pytest.fixture(scope="module")
def javascript(request):
    """Run the body of a JavaScript function after mp3.js and solve.js; what it returns. By Node, else in a browser."""
    helpers = "const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));"
    page = None if shutil.which("node") else request.getfixturevalue("browser").new_page()

    def run(body: str, **data):
        given = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in data.items())
        if page:
            return page.evaluate(f"() => {{ {PURE}\n{helpers}\n{given}{body} }}")
        code = f"{PURE}\n{helpers}\n{given}console.log(JSON.stringify((() => {{ {body} }})()))"
        command = ["node", "--input-type=module"]
        done = subprocess.run(command, input=code, capture_output=True, text=True, encoding="utf-8")
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)

    return run


def base64_of(values) -> str:
    return base64.b64encode(values if isinstance(values, bytes) else np.ascontiguousarray(values).tobytes()).decode()


def floats(text: str, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), np.float32).reshape(shape).copy())


def network(kind: str) -> MP3:
    if kind != "own":
        return load_shipped(kind)
    torch.manual_seed(5)
    # pixels, patches and the grid are not square, there is one head, and features are no multiple of 4
    vit = ViT(image_size=(12, 20), patch_size=(4, 5), num_classes=3, dim=36, depth=2, heads=1, dim_head=10, mlp_dim=22)
    mp3 = MP3(vit=vit, masking_ratio=0.5)
    with torch.no_grad():
        for weight in mp3.parameters():
            weight.add_(0.2 * torch.randn(weight.shape))
    return mp3.eval()


ANSWER = """
  const base64 = (data) => btoa(Array.from(new Uint8Array(data.buffer), (byte) => String.fromCharCode(byte)).join(""));
  const mp3 = new MP3(config, readSafetensors(bytesOf(weights).buffer));
  return pictures.map((picture, i) => {
    const { logits, attention } = mp3.predict(new Float32Array(bytesOf(picture).buffer), seen[i]);
    const whole = Float32Array.from(attention.flat().flatMap((head) => [...head]));
    return [logits, whole, rollout(attention, mp3.n, config.context === "frozen")].map(base64);
  });
"""


# --- the network ------------------------------------------------------------------------------------------------------


@on(
    "kind, context, count",
    [
        ("puzzler-4x4", "updated", 50), ("pupil-4x4", "updated", 50), ("pupil-4x4", "frozen", 5),
        ("pupil-scenes", "updated", 5), ("flagship-8x8", "updated", 3), ("own", "updated", 10), ("own", "frozen", 10),
    ],
)  # fmt: skip
def test_the_page_and_pytorch_give_the_same_answer(javascript, kind, context, count):
    mp3 = network(kind)
    mp3.context = context
    n, (height, width) = mp3.vit.grid[0] * mp3.vit.grid[1], mp3.vit.image_size
    images = scenes()[:count, :, :height, :width].float() / 127.5 - 1
    draw = torch.Generator().manual_seed(1)
    sizes = [n, 1, max(1, n // 4), n - 1, n // 2]
    contexts = [torch.randperm(n, generator=draw)[: sizes[i % 5]] for i in range(count)]
    board = patch_board(mp3, torch.zeros(1, 3, height, width, dtype=torch.uint8))
    seen = [[patch in c.tolist() for patch in range(n)] for c in contexts]
    [sent] = board.networks
    weights, pictures = base64_of(sent["weights"]), [base64_of(image.numpy()) for image in images]
    answers = javascript(ANSWER, config=sent["config"], weights=weights, pictures=pictures, seen=seen)
    for image, context_of, (logits, attention, rolled) in zip(images, contexts, answers, strict=True):
        with torch.no_grad():
            expected = mp3.predict(image[None], context_of, with_attention=True)
        depth, _, heads, _, _ = expected.attn.shape
        whole = torch.zeros(depth, heads, n, n)
        whole[..., context_of] = expected.attn[:, 0]
        logits = floats(logits, n, n)
        torch.testing.assert_close(logits, expected.logits[0], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(floats(attention, *whole.shape), whole, atol=1e-4, rtol=0)
        assert logits.argmax(1).tolist() == expected.logits[0].argmax(1).tolist()
        share = attention_rollout(expected.attn, context_of, frozen=context == "frozen")
        torch.testing.assert_close(floats(rolled, n, n), share[0], atol=1e-4, rtol=0)


def test_weights_are_sent_in_half_precision_only_where_nothing_is_lost():
    picture = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    shipped, own = patch_board(load_shipped("puzzler-4x4"), picture), network("own")
    changed = patch_board(own, torch.zeros(1, 3, 12, 20, dtype=torch.uint8))
    assert len(shipped.networks[0]["weights"]) < 1.7e6
    assert len(changed.networks[0]["weights"]) > 4 * sum(weight.numel() for weight in own.parameters())


# --- the functions: more of them in live.test.js ----------------------------------------------------------------------


def node_reports(report: str) -> dict[str, bool]:
    """name of a test -> whether it passed, from what `node --test` prints (TAP)."""
    found = re.findall(r"^\s*(not )?ok \d+ - (.+?)(?: #.*)?$", report, flags=re.MULTILINE)
    return {name: not failed for failed, name in found if not name.endswith(".test.js")}


@pytest.mark.skipif(not shutil.which("node"), reason="no node")
def test_the_functions_by_nodes_own_runner():
    command = ["node", "--test", "--test-reporter=tap", str(ROOT / "tests" / "live.test.js")]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert len(node_reports(done.stdout)) == FUNCTION_TESTS and all(node_reports(done.stdout).values())


# what stands for Node's modules in a browser
SHIM = {
    "node:test": """
      let before = Promise.resolve();
      export default (name, body) => {
        before = window.tested = before.then(body).then(
          () => window.passed.push(name), (error) => window.failed.push(`${name}: ${error.message}`));
      };
    """,
    "node:assert/strict": """
      const ok = (value, message) => { if (!value) throw new Error(message ?? "is not true") };
      const text = JSON.stringify, same = (a, b) => ok(text(a) === text(b), `${text(a)} is not ${text(b)}`);
      const throws = (call, pattern) => {
        let told = null;
        try { call() } catch (error) { told = error.message }
        ok(told !== null && pattern.test(told), `${told} does not match ${pattern}`);
      };
      const rejects = async (promise, pattern) => {
        const told = await promise.then(() => null, ({ message }) => message);
        ok(told !== null && pattern.test(told), `${told} does not match ${pattern}`);
      };
      export default { ok, equal: same, deepEqual: same, throws, rejects };
    """,
}


def test_the_functions_in_a_browser(browser):
    """The same file, where Node is missing."""
    imports = {name: f"data:text/javascript,{quote(code)}" for name, code in SHIM.items()}
    page = browser.new_page()
    with served(ROOT) as address:
        page.goto(f"{address}tests/live.test.js")
        page.set_content(
            f"<script type=importmap>{json.dumps({'imports': imports})}</script>"
            "<script>passed = []; failed = []</script>"
            f"<script type=module>import '{address}tests/live.test.js';"
            " await window.tested; document.title = 'done'</script>"
        )
        page.wait_for_function("() => document.title === 'done'")
        assert page.evaluate("() => window.failed") == []
        assert len(page.evaluate("() => window.passed")) == FUNCTION_TESTS
    page.close()


def test_half_floats(javascript):
    """Every half-precision number, with subnormals, both infinities and both zeros; NaN stays NaN."""
    every = np.arange(65536, dtype=np.uint16)
    numbers = javascript(
        "const numbers = [...halfToFloat(new Uint16Array(bytesOf(halves).buffer))];"
        "return numbers.map((x) => (Object.is(x, -0) ? '-0' : String(x)))",
        halves=base64_of(every),
    )
    found = np.array([float(number.replace("Infinity", "inf")) for number in numbers], np.float32)
    np.testing.assert_array_equal(found, every.view(np.float16).astype(np.float32))
    assert (np.signbit(found) == np.signbit(every.view(np.float16)))[~np.isnan(found)].all()


def test_safetensors(javascript):
    tensors = {"a": torch.tensor([[1.5, -2.0, 65504.0]]).half(), "b": torch.randn(3, 2), "c": torch.tensor(7.0)}
    code = "return Object.entries(readSafetensors(bytesOf(file).buffer)).map(([k, t]) => [k, t.shape, [...t.data]])"
    found = {
        name: torch.tensor(data).view(shape) for name, shape, data in javascript(code, file=base64_of(save(tensors)))
    }
    assert {name: tensor.float().tolist() for name, tensor in tensors.items()} == {
        k: v.tolist() for k, v in found.items()
    }
    wrong = "try { readSafetensors(bytesOf(file).buffer) } catch (error) { return error.message }"
    told = javascript(wrong, file=base64_of(save({"a": torch.zeros(2, dtype=torch.int64)})))
    assert told == "a has the dtype I64; F16 and F32 are read"


@on("rows, inner, columns", [(1, 1, 1), (2, 3, 4), (3, 5, 7), (5, 8, 2), (4, 7, 9)])
def test_linear_softmax_layer_norm_and_gelu(javascript, rows, inner, columns):
    torch.manual_seed(rows)
    x, weight, bias = torch.randn(rows, inner), torch.randn(columns, inner), torch.randn(columns)
    code = """
      const x = Float32Array.from(values), w = { shape, data: weight }, b = { data: bias };
      const y = linear(x, w, b);
      const norm = layerNorm(x, { data: new Array(shape[1]).fill(2) }, { data: new Array(shape[1]).fill(3) });
      return [[...y], [...linear(x, w)], [...softmax(y, shape[0])], [...norm], [...gelu(x)]];
    """
    given = {"values": x.flatten().tolist(), "weight": weight.flatten().tolist(), "bias": bias.tolist()}
    found = javascript(code, shape=[columns, inner], **given)
    y = x @ weight.T + bias
    norm = torch.nn.functional.layer_norm(x, (inner,)) * 2 + 3
    expected = [y, x @ weight.T, y.softmax(1), norm, torch.nn.functional.gelu(x)]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(torch.tensor(one, dtype=torch.float32), other.flatten(), atol=2e-5, rtol=1e-5)


@on("n", [1, 2, 5, 16, 64])
def test_assign_finds_the_best_arrangement(javascript, n):
    """As probable as scipy's, also where many patches want the same place."""
    generator = np.random.default_rng(n)
    for scale in (0.1, 3.0):
        logits = generator.normal(size=(n, n)).astype(np.float32) * scale
        logits[:, 0] += 2 * scale
        places = javascript("return [...assign(Float32Array.from(l), n)]", l=logits.flatten().tolist(), n=n)
        assert sorted(places) == list(range(n))
        chances = torch.from_numpy(logits).log_softmax(1).numpy()
        rows, best = linear_sum_assignment(-chances)
        assert chances[range(n), places].sum() == pytest.approx(chances[rows, best].sum(), abs=1e-3)


# --- the widget -------------------------------------------------------------------------------------------------------


def test_the_widget_refuses_what_does_not_fit():
    mp3, images = load_shipped("puzzler-4x4"), torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    for wrong, told in [
        ((load_shipped("classifier-8x8"), images), "needs an MP3, got ViT"),
        ((mp3, images.float()), r"of uint8 \(N, c, H, W\), got torch.float32 \(2, 3, 32, 32\)"),
        ((mp3, images[..., :16]), "32 x 32, got"),
        ((mp3, images[:0]), r"got torch.uint8 \(0, 3"),
        ((mp3, images, ["a"]), "2 images, but 1 names"),
        (({}, images), "at least one MP3"),
        (({"a": mp3, "b": network("own")}, images), r"of one size, \(32, 32\), got \(12, 20\) too"),
    ]:
        with pytest.raises(ValueError, match=told):
            patch_board(*wrong)
    with pytest.raises(ValueError, match="answers must be one of 'page', 'kernel', 'both', got 'me'"):
        patch_board(mp3, images, answers="me")
    with pytest.raises(ValueError, match="names must be a list of what each image shows, got 3"):
        patch_board(mp3, images, names=3)
    with pytest.raises(ValueError, match="words must be a string"):
        patch_board(mp3, images, words=["x"])
    with pytest.raises(ValueError, match="mode must be one of 'jigsaw', 'look', 'hide', got 'play'"):
        patch_board(mp3, images, mode="play")
    with pytest.raises(ValueError, match="easiest_first must be True or False, got 'no'"):
        patch_board(mp3, images, easiest_first="no")
    board = patch_board(mp3, images, mode="hide")
    for name, value in [("order", [0] * 16), ("seen", [False] * 16), ("pick", 16), ("network", "another")]:
        with pytest.raises(ValueError, match=f"{name} must"):
            setattr(board, name, value)
    board.seen = [True, False] * 8
    assert board.context == list(range(0, 16, 2)) and board.logits is None
    board.mode = "jigsaw"
    assert board.context == list(range(16))


def test_images_may_be_an_array():
    mp3, images = load_shipped("puzzler-scenes"), scenes()[:2]
    assert patch_board(mp3, images.numpy()).pictures == patch_board(mp3, images).pictures
    assert accuracies(mp3, images.numpy()) == accuracies(mp3, images)


def test_the_widget_reads_what_the_page_sends():
    """Jupyter hands over binary values as buffers."""
    board = patch_board(load_shipped("puzzler-scenes"), torch.zeros(1, 3, 32, 32, dtype=torch.uint8), mode="hide")
    logits = np.arange(256, dtype=np.float32)
    board.set_state({"seen": [False] * 15 + [True], "answer": memoryview(logits.tobytes())})
    assert board.context == [15]
    np.testing.assert_array_equal(board.logits, logits.reshape(16, 16))
    board.seen = [True] * 16
    assert board.logits is None  # the page has not answered yet
    board.set_state({"answer": memoryview(2 * logits.tobytes()[:512])})
    assert board.logits.shape == (16, 16)
    board.picture = 1
    assert board.logits is None


def test_what_is_stored_of_the_widget():
    """The same text and picture each time."""
    images = scenes()[:3]
    boards = [patch_board(load_shipped("puzzler-scenes"), images) for _ in range(2)]
    stored = [board._repr_mimebundle_() for board in boards]
    for data, metadata in stored:
        assert data["text/plain"] == "[patch board: 3 pictures]" and "4 x 4 patches" in metadata["image/png"]["alt"]
    assert stored[0][0]["image/png"] == stored[1][0]["image/png"]


def test_the_stored_picture_is_what_the_board_shows_first():
    """Shuffled for a jigsaw; in the other modes as it is, with hidden patches hatched."""
    images = torch.randint(0, 100, (1, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    board, stored = patch_board(load_shipped("puzzler-scenes"), images, mode="hide"), {}
    for mode, seen in (("jigsaw", 16), ("look", 16), ("hide", 3)):
        board.mode, board.seen = mode, [patch < seen for patch in range(16)]
        data, metadata = board._repr_mimebundle_()
        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["image/png"]))))
        stored[mode] = torch.from_numpy(picture[12::24, 12::24, :3].copy()).permute(2, 0, 1)
        paper = torch.from_numpy(picture[..., 3] != 255)  # what a dark page recolours: borders, and hidden patches
        assert paper[192].all() and paper[:, 576].all() and (picture[..., 3][paper] == PAPER_ALPHA).all()
        hatched = torch.arange(16).view(4, 4) >= seen
        assert paper[96::192, 96::192].equal(hatched)
        words = "shuffled" if mode == "jigsaw" else f"{seen} of them seen"
        alt = f"A picture cut into 4 x 4 patches, {words}"
        assert metadata["image/png"] == {"alt": alt, "width": 384, "height": 384} and len(picture) == 768
    assert stored["look"].equal(images[0])
    assert not stored["jigsaw"].equal(images[0])
    assert stored["jigsaw"].flatten(1).sort().values.equal(images[0].flatten(1).sort().values)
    hidden = torch.ones(32, 32, dtype=torch.bool)
    hidden[:8, :24] = False
    assert stored["hide"][:, hidden].unique().tolist() == [0x8A, 0xC8]  # both colours of the hatching
    assert stored["hide"][:, ~hidden].equal(images[0][:, ~hidden])


def test_the_easiest_pictures_come_first():
    """Those on which the first model places most patches right; a name stays with its picture."""
    mp3, images = load_shipped("puzzler-scenes"), scenes()[:6]
    shares = accuracies(mp3, images)
    one = position_accuracy(mp3, images[4].repeat(16, 1, 1, 1), [0.75])[0.75]["accuracy"]
    assert shares[4] == one and len(set(shares)) == 6
    board = patch_board({"first": mp3, "second": load_shipped("pupil-4x4")}, images, easiest_first=True)
    order = [int(name.removeprefix("picture ")) for name in board.names]
    assert [shares[i] for i in order] == sorted(shares, reverse=True) and order != list(range(6))
    for place, i in enumerate(order):
        board.picture = place
        assert board.image.equal(images[i])


def test_the_page_shows_a_picture_of_each_class_with_the_figures_that_order_them(tmp_path):
    load_script("site/live.py").write_live(tmp_path, "scenes")
    page = (tmp_path / "live.html").read_text(encoding="utf-8")
    found = re.findall(r'"name": "test picture (\d+): (\w+) \((\d+) % right with 75 % hidden\)", "rgb": "(.+?)"', page)
    images = load_images("scenes")
    assert sorted(name for _, name, _, _ in found) == sorted(images.classes)
    chosen = images.test.images[[int(i) for i, _, _, _ in found]]
    shares = accuracies(load_shipped("puzzler-scenes"), chosen)
    assert [int(share) for _, _, share, _ in found] == [round(100 * share) for share in shares]
    assert shares == sorted(shares, reverse=True)
    pixels = b"".join(base64.b64decode(rgb) for *_, rgb in found)
    assert np.frombuffer(pixels, np.uint8).reshape(-1, 32, 32, 3).tolist() == chosen.permute(0, 2, 3, 1).tolist()


def test_another_network_may_have_another_grid():
    """Set in Python the board begins anew; what the page sends together is kept."""
    board = patch_board({"small": load_shipped("pupil-4x4"), "large": load_shipped("flagship-8x8")}, scenes()[:2])
    assert (board.network, board.grid, len(board.order)) == ("small", (4, 4), 16)
    board.pick, board.network = 3, "large"
    assert (board.grid, sorted(board.order), board.pick) == ((8, 8), list(range(64)), None)
    assert board.context == list(range(64))
    order = list(range(16))
    board.set_state({"network": "small", "order": order, "seen": [True] * 16, "pick": 2})
    assert (board.order, board.pick) == (order, 2)


def test_the_picture_on_the_board_is_read():
    images = scenes()[:2]
    board = patch_board(load_shipped("pupil-4x4"), images)
    board.picture = 1
    assert board.image.equal(images[1])
    own = np.random.default_rng(0).integers(0, 256, (32, 32, 4), dtype=np.uint8)
    board.set_state({"picture": 2, "shown": memoryview(own.tobytes())})
    assert board.image.numpy().transpose(1, 2, 0).tolist() == own[..., :3].tolist()
    board.picture = 0
    assert board.image.equal(images[0])  # the page has not sent it yet


def test_the_kernel_answers_with_the_model_as_it_is():
    """Asked as the page asks; dropout is off meanwhile, and errors are sentences."""
    mp3, sent = network("own"), []
    board = patch_board(mp3, torch.zeros(1, 3, 12, 20, dtype=torch.uint8), words="mine")
    board.send = lambda message, buffers=None: sent.append((message, buffers))
    pixels = np.random.default_rng(1).integers(0, 256, (12, 20, 4), dtype=np.uint8)
    question = {"view": 0.5, "question": 1, "network": "mine", "seen": [True, False] * 6}
    with torch.no_grad():
        mp3.mlp_head[1].weight.mul_(2)  # trained on since the board was made
    mp3.train()
    mp3.vit.transformer.eval()
    board._handle_msg({"content": {"data": {"method": "custom", "content": question}}, "buffers": [pixels.tobytes()]})
    assert mp3.training and not mp3.vit.transformer.training, "every part is in the mode that it was in"
    [(message, (logits, attention))] = sent
    assert message == {"view": 0.5, "question": 1, "shape": [2, 1, 12]}
    image = torch.from_numpy(pixels[..., :3].copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    expected = mp3.eval().predict(image, torch.arange(0, 12, 2), with_attention=True)
    torch.testing.assert_close(
        torch.frombuffer(bytearray(logits), dtype=torch.float32).view(12, 12), expected.logits[0]
    )
    attention = torch.frombuffer(bytearray(attention), dtype=torch.float32).view(2, 1, 12, 12)
    torch.testing.assert_close(attention[..., ::2], expected.attn[:, 0])
    assert attention[..., 1::2].count_nonzero() == 0
    board._asked(board, question | {"seen": [False] * 12}, [pixels.tobytes()])
    assert sent[-1][0].keys() == {"view", "question", "error"} and "k > 0" in sent[-1][0]["error"]
    with pytest.raises(ValueError, match="k > 0"):
        kernel_answer(mp3, image[0], [False] * 12)


def test_the_report_of_the_benchmark_rounds_and_names_what_was_measured():
    times = {"answer": [4.26, 9.0], "hover": [0.5, 1.04], "slider": [10.0, 20.0]}
    network = {kind: {"median": one, "p95": other} for kind, (one, other) in times.items()}
    result = {"networks": {"the small one": network | {"patches": 16, "changes_per_second": 93.6}}}
    result |= {"bytes": 2_345_678, "first_answer": {"median": 3.14, "p95": 4.0}, "browser": "Chromium 1.2", "cpus": 3}
    result |= {"cpu": "a CPU", "rounds": 7, "date": "2026-01-31"}
    assert load_script("benchmarks/live.py").report(result).splitlines()[2:] == [
        "| the small one, 16 patches | 4.3 (9.0) | 0.5 (1.0) | 10.0 (20.0) | 94 |",
        "",
        "2.35 MB are loaded until the first answer, which stands there after 3.1 s (4.0 s) on a line of 10 Mbit/s.",
        "Chromium 1.2, 3 cores (a CPU), 7 rounds, 2026-01-31.",
    ]


def test_the_table_of_the_benchmark_is_the_stored_one():
    bench = load_script("benchmarks/live.py")
    result = json.loads(bench.RESULT.read_text(encoding="utf-8"))
    table = f"<!-- made by benchmarks/live.py -->\n{bench.report(result)}\n<!-- end -->"
    assert table in bench.PAGE.read_text(encoding="utf-8")
    assert bench.percentiles([5, 1, 2, 3, 4]) == {"median": 3, "p95": 5}
