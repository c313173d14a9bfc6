"""The board whose network runs in the page: its JavaScript against PyTorch, the page in a browser, the widget."""

import base64
import importlib.util
import json
import shutil
import subprocess
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from lab_page import CURRENT, LabPage, lab_server
from PIL import Image
from safetensors.torch import save
from scipy.optimize import linear_sum_assignment
from static_server import served

from mp3lib import MP3, ViT, load_images, load_shipped
from mp3lib.board import patch_board, script
from mp3lib.model import attention_rollout

ROOT = Path(__file__).resolve().parents[1]
PURE = script("mp3.js", "solve.js")
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
    torch.manual_seed(
        5
    )  # pixels, patches and the grid are not square, one head, and features that are no multiple of 4
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


@on("context", ["frozen", "updated"])
@on("kind, count", [("puzzler-4x4", 25), ("pupil-4x4", 25), ("student-scenes", 5), ("flagship-8x8", 3), ("own", 10)])
def test_the_page_and_pytorch_give_the_same_answer(javascript, kind, count, context):
    mp3 = network(kind)
    mp3.context = context
    n, (height, width) = mp3.vit.grid[0] * mp3.vit.grid[1], mp3.vit.image_size
    size = 32 if kind != "own" else (height, width)
    images = load_images("scenes", size).test.images[:count].float() / 127.5 - 1
    draw = torch.Generator().manual_seed(1)
    sizes = [n, 1, max(1, n // 4), n - 1, n // 2]
    contexts = [torch.randperm(n, generator=draw)[: sizes[i % 5]] for i in range(count)]
    board = patch_board(mp3, torch.zeros(1, 3, height, width, dtype=torch.uint8))
    seen = [[patch in c.tolist() for patch in range(n)] for c in contexts]
    weights, pictures = base64_of(board.weights), [base64_of(image.numpy()) for image in images]
    answers = javascript(ANSWER, config=board.config, weights=weights, pictures=pictures, seen=seen)
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
    assert len(shipped.weights) < 1.7e6
    assert len(changed.weights) > 4 * sum(weight.numel() for weight in own.parameters())


# --- the functions ----------------------------------------------------------------------------------------------------


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


def test_softmax_of_what_is_left_out(javascript):
    assert javascript("return [...softmax(Float32Array.from([0, -Infinity, 0, 1000, 0, -1000]), 3)]") == [
        0.5, 0, 0.5, 1, 0, 0,
    ]  # fmt: skip


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


def test_shuffling_and_hiding(javascript):
    code = """
      const seeded = (() => { let s = 1; return () => (s = (s * 16807) % 2147483647) / 2147483647 })();
      const ranks = [2, 0, 3, 1], hidden = [0, 0.25, 0.49, 0.5, 0.75, 0.95].map((ratio) => seenAt(ratio, ranks));
      return [Array.from({ length: 200 }, () => shuffled(16, seeded)), hidden, shuffled(1), shuffled(2).sort()];
    """
    orders, seen, one, two = javascript(code)
    assert all(sorted(order) == list(range(16)) for order in orders) and len({tuple(order) for order in orders}) == 200
    assert max(sum(p == i for i, p in enumerate(order)) for order in orders) < 8 and one == [0] and two == [0, 1]
    assert [s.count(False) for s in seen] == [0, 1, 1, 2, 3, 3]
    assert seen[-1] == [False, True, False, False], "patches are hidden in the order of their ranks"


def test_errors_name_what_is_wrong(javascript):
    mp3 = patch_board(network("own"), torch.zeros(1, 3, 12, 20, dtype=torch.uint8))
    code = """
      const mp3 = new MP3(config, readSafetensors(bytesOf(weights).buffer)), x = new Float32Array(720);
      const told = (call) => { try { return call() } catch (error) { return error.message } };
      const all = new Array(12).fill(true);
      return [told(() => mp3.predict(x, all.map(() => false))), told(() => mp3.predict(x, [true])),
        told(() => mp3.predict(new Float32Array(9), all)), told(() => new MP3(config, {}))];
    """
    assert javascript(code, config=mp3.config, weights=base64_of(mp3.weights)) == [
        "at least one of 12 patches must be seen",
        "12 booleans must say which patches are seen, got 1",
        "the picture must have 3 x 12 x 20 numbers, got 9",
        "these are not the weights of an MP3: mlp_head.1.weight is missing",
    ]


# --- the widget -------------------------------------------------------------------------------------------------------


def test_the_widget_refuses_what_does_not_fit():
    mp3, images = load_shipped("puzzler-4x4"), torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    for wrong, told in [
        ((load_shipped("classifier-8x8"), images), "needs an MP3, got ViT"),
        ((mp3, images.float()), "must be a uint8 tensor"),
        ((mp3, images[..., :16]), "32 x 32, got"),
        ((mp3, images[:0]), r"got \(0, 3"),
        ((mp3, images, ["a"]), "2 images, but 1 names"),
    ]:
        with pytest.raises(ValueError, match=told):
            patch_board(*wrong)
    board = patch_board(mp3, images, mode="hide")
    for name, value in [("order", [0] * 16), ("seen", [False] * 16), ("pick", 16)]:
        with pytest.raises(ValueError, match=f"{name} must"):
            setattr(board, name, value)
    board.seen = [True, False] * 8
    assert board.context == list(range(0, 16, 2)) and board.logits is None
    board.mode = "jigsaw"
    assert board.context == list(range(16))


def test_the_widget_reads_what_the_page_sends():
    """Jupyter hands over binary values as buffers."""
    board = patch_board(load_shipped("student-scenes"), torch.zeros(1, 3, 32, 32, dtype=torch.uint8), mode="hide")
    logits = np.arange(256, dtype=np.float32)
    board.set_state({"seen": [False] * 15 + [True], "answer": memoryview(logits.tobytes())})
    assert board.context == [15]
    np.testing.assert_array_equal(board.logits, logits.reshape(16, 16))


def test_what_is_stored_of_the_widget():
    """The same text and picture each time."""
    images = load_images("scenes").test.images[:3]
    boards = [patch_board(load_shipped("student-scenes"), images) for _ in range(2)]
    stored = [board._repr_mimebundle_() for board in boards]
    for data, metadata in stored:
        assert data["text/plain"] == "[patch board: 3 pictures]" and "4 x 4 patches" in metadata["image/png"]["alt"]
    assert stored[0][0]["image/png"] == stored[1][0]["image/png"]


# --- the page ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The page as the site has it, but with drawn pictures and without the script of the flagship."""
    spec = importlib.util.spec_from_file_location("live", ROOT / "site" / "live.py")
    live = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(live)
    out, images = tmp_path_factory.mktemp("live"), load_images("scenes").test
    networks = {
        "puzzler": ("puzzler", "student-scenes"),
        "pupil": ("pupil", "pupil-4x4"),
        "flagship": ("8 x 8", "flagship-8x8"),
    }
    live.write_page(out, images.images[:3], ["one", "two", "three"], networks, "Drawn.")
    with pytest.raises(ValueError, match="no such shipped weights: nowhere"):
        live.write_page(out, images.images[:1], ["one"], {"a": ("a", "nowhere")}, "")
    (out / "live-flagship.js").unlink()
    assert (out / "live.html").stat().st_size + (out / "live-puzzler.js").stat().st_size < 2.5e6
    return out


@pytest.fixture(scope="module")
def server(folder):
    with served(folder) as address:
        yield address


class Board:
    """The page, with every message of the console and every request to somewhere else."""

    def __init__(self, browser, address: str, **options):
        self.context = browser.new_context(**{"viewport": {"width": 1000, "height": 900}} | options)
        self.page, self.wrong = self.context.new_page(), []
        self.page.set_default_timeout(120_000)
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))

        def only_here(route):
            if route.request.url.startswith((address.rpartition("/")[0], "data:", "blob:")):
                return route.continue_()
            self.wrong.append(f"outside: {route.request.url}")
            route.abort()

        self.page.route("**/*", only_here)
        self.page.goto(address)
        self.page.locator("body[data-ready]").wait_for(state="attached")

    def state(self, name: str):
        return self.page.evaluate(f"() => window.live.state.{name}")

    def cell(self, place: int):
        return self.page.locator(f"[data-place='{place}']")

    def middle(self, place: int) -> tuple[float, float]:
        box = self.cell(place).bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def tab(self, words: str) -> None:
        self.page.get_by_role("tab", name=words).click()

    def words(self) -> str:
        return self.page.locator(".live-panel").inner_text()

    def status(self) -> str:
        return self.page.locator(".live-status").inner_text()


@pytest.fixture
def open_page(browser):
    opened = []

    def make(address, **options):
        opened.append(Board(browser, address, **options))
        return opened[-1]

    yield make
    for board in opened:
        board.context.close()


@pytest.mark.slow
def test_the_page_from_a_folder(folder, open_page):
    """The tour, the answer, hovering, picking, hiding, another network, one that is missing, an own picture."""
    board = open_page((folder / "live.html").as_uri())
    page = board.page

    titles = [page.locator("#tour-title").inner_text()]
    for _ in range(5):
        page.locator("#tour-next").click()
        titles.append(page.locator("#tour-title").inner_text())
    assert len(set(titles)) == 6 and page.locator("#tour-next").is_disabled()
    assert board.state("mode") == "hide" and board.state("seen").count(False) == 8

    # the page's answer is PyTorch's
    seen = board.state("seen")
    image = load_images("scenes").test.images[:1].float() / 127.5 - 1
    context = torch.tensor([patch for patch in range(16) if seen[patch]])
    expected = load_shipped("student-scenes").predict(image, context).logits[0]
    logits = torch.tensor(page.evaluate("() => [...window.live.answer().logits]")).view(16, 16)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)

    # hide patches: a click, the slider, and never all of them
    board.cell(3).click()
    assert board.state("seen")[3] is not seen[3]
    label = board.cell(3).get_attribute("aria-label")
    assert ("hidden" in label) == seen[3] and label.startswith("patch 4, row 1, column 4")
    slider = page.get_by_role("slider", name="Mask ratio in percent")
    slider.fill("75")
    assert board.state("seen").count(False) == 12 and "12 of 16 patches are hidden" in board.words()
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("output").inner_text() == "76 %" and slider.evaluate("e => e === document.activeElement")
    slider.fill("95")
    [last] = [patch for patch in range(16) if board.state("seen")[patch]]
    board.cell(last).click()
    assert board.state("seen")[last] and "At least one patch must be seen." in board.status()

    # pick a patch: hovering shows, a click keeps, Escape lets go
    slider.fill("0")
    board.tab("Pick a patch")
    page.mouse.move(*board.middle(6))
    assert board.state("pick") == 6 and "patch 7" in board.words()
    heads, depth = 2, 4
    assert page.locator(".live-maps [role=img]").count() == heads + 1
    assert page.get_by_role("combobox", name="Layer").locator("option").count() == depth
    board.cell(9).click()
    page.mouse.move(*board.middle(0))
    assert board.state("pick") == 9
    page.keyboard.press("Escape")
    page.mouse.move(*board.middle(1))
    assert board.state("pick") == 1

    # every control has a name, and the board one tab stop
    nameless = """() => [...document.querySelectorAll('button, select, input, [role=img], [role=grid]')]
        .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim()) ).map(e => e.outerHTML)"""
    assert page.evaluate(nameless) == []
    assert page.locator(".live-board [tabindex='0']").count() == 1

    # networks: one that is there, one that is not
    network = page.get_by_role("combobox", name="Network")
    network.select_option("pupil")
    page.wait_for_function("() => window.mp3Weights.pupil && window.live.network().config.masking_ratio === 0.75")
    assert board.wrong == []
    network.select_option("flagship")
    page.get_by_text("could not be loaded: live-flagship.js is missing").wait_for()
    assert network.input_value() == "pupil" and board.state("network") == "pupil"
    assert all("ERR_FILE_NOT_FOUND" in text for text in board.wrong)
    board.wrong.clear()

    # the reader's own picture
    Image.new("RGB", (300, 100), "red").save(folder / "red.png")
    (folder / "note.png").write_text("no picture")
    choose = page.get_by_label("Your own picture")
    choose.set_input_files(folder / "red.png")
    page.get_by_text("Your picture stays in this page.").wait_for()
    assert board.state("picture") == 3 and page.get_by_role("button", name="your picture").is_visible()
    choose.set_input_files(folder / "note.png")
    page.get_by_text("note.png is not a picture that this browser can read.").wait_for()
    assert board.state("picture") == 3 and board.wrong == []


@pytest.mark.slow
def test_patches_are_swapped_by_mouse_keyboard_and_touch(server, open_page):
    board = open_page(f"{server}live.html", reduced_motion="reduce", has_touch=True)
    page = board.page
    assert board.cell(0).evaluate("e => getComputedStyle(e).transitionDuration") == "0s"
    order = board.state("order")

    page.mouse.move(*board.middle(0))
    page.mouse.down()
    page.mouse.move(*board.middle(5), steps=4)
    page.mouse.up()
    order[0], order[5] = order[5], order[0]
    assert board.state("order") == order and board.state("moves") == 1

    board.cell(5).focus()
    for key in ("ArrowLeft", " ", "ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    order[4], order[12] = order[12], order[4]
    assert board.state("order") == order and board.cell(12).evaluate("e => e === document.activeElement")

    touch = board.context.new_cdp_session(page)
    for kind, place in [("touchStart", 1), ("touchMove", 6), ("touchMove", 11), ("touchEnd", None)]:
        points = [] if place is None else [dict(zip("xy", board.middle(place), strict=True))]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.wait_for_function("() => window.live.state.moves === 3")
    order[1], order[11] = order[11], order[1]
    assert board.state("order") == order

    page.get_by_role("button", name="Hint").click()
    held, hint = board.state("held"), board.state("hint")
    assert board.cell(hint).evaluate("e => e.classList.contains('hint')") and "would put this patch" in board.status()
    page.keyboard.press("Escape")
    board.cell(held).focus()
    page.keyboard.press("Escape")
    assert board.state("held") is None

    # solve it by the keyboard's own action, a click on two patches
    for place in range(16):
        other = board.state("order").index(place)
        if other != place:
            board.cell(other).click()
            board.cell(place).click()
    assert "You: 16 of 16" in board.words() and board.status() == "Solved."
    assert page.get_by_role("button", name="Compare with the network").is_disabled()
    page.get_by_role("button", name="Shuffle again").click()
    assert board.state("moves") == 0 and board.state("order") != list(range(16))
    page.get_by_role("button", name="two", exact=True).focus()
    page.keyboard.press("Enter")
    assert board.state("picture") == 1
    assert page.get_by_role("button", name="two", exact=True).evaluate("e => e === document.activeElement")
    assert board.wrong == []


# --- the widget in JupyterLab -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_widget_in_jupyterlab(browser, tmp_path):
    """What is done on the board is read by Python, what Python sets is shown, and the kernel's answer is the page's."""
    make = """from mp3lib import load_images, load_shipped
from mp3lib.board import patch_board
images, mp3 = load_images("scenes").test.images[:3], load_shipped("student-scenes")
board = patch_board(mp3, images, mode="hide")
board"""
    change = "board.seen = [True] * 4 + [False] * 12\nboard.picture = 1"
    ask = """import numpy as np
expected = mp3.predict(images[board.picture][None].float() / 127.5 - 1, board.context).logits[0].numpy()
print(board.context, board.picture, np.abs(board.logits - expected).max() < 1e-4)
board.mode, board.pick = "look", 6"""
    cells = [nbformat.v4.new_code_cell(code) for code in (make, change, ask)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = tmp_path / "board.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    with lab_server(tmp_path / "lab") as server:
        lab = LabPage(browser, server, path, timeout=150)
        try:
            page = lab.page

            def run(cell: int) -> None:
                page.evaluate(f"() => {{ {CURRENT}.content.activeCellIndex = {cell} }}")
                page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")

            run(0)
            hidden = page.locator(".live-board button.hidden")
            page.locator(".live-board [data-place='15']").wait_for()
            assert hidden.count() == 0
            run(1)
            page.wait_for_function("() => document.querySelectorAll('.live-board button.hidden').length === 12")
            page.locator(".live-board [data-place='9']").click()
            page.wait_for_function("() => document.querySelectorAll('.live-board button.hidden').length === 11")
            run(2)
            page.get_by_text("[0, 1, 2, 3, 9] 1 True").wait_for()
            page.locator(".live-board [data-place='6'].picked").wait_for()
            assert page.get_by_role("tab", name="Pick a patch").get_attribute("aria-selected") == "true"
            assert lab.complaints() == []
        finally:
            lab.close()
