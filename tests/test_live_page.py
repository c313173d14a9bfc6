"""The page that runs the network, in a browser: from a folder and from a server, by mouse, finger and keyboard."""

import io
from datetime import datetime

import pytest
import torch
from live_page import Board, scenes, write_drawn
from PIL import Image
from scripts import load_script
from static_server import served

from mp3lib import load_shipped

pytestmark = pytest.mark.slow
on = pytest.mark.parametrize


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The page, without the weights of the flagship."""
    out = tmp_path_factory.mktemp("live")
    write_drawn(out)
    for weights in out.glob("live-flagship.*"):
        weights.unlink()
    return out


@pytest.fixture(scope="module")
def server(folder):
    with served(folder) as address:
        yield address


@pytest.fixture
def open_page(browser):
    opened = []

    def make(address, **options):
        opened.append(Board(browser, address, **options))
        return opened[-1]

    yield make
    for board in opened:
        board.context.close()


def scene(number: int) -> torch.Tensor:
    return scenes()[number : number + 1].float() / 127.5 - 1


def test_what_cannot_be_made_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no such shipped weights: nowhere"):
        load_script("site/live.py").write_page(tmp_path, torch.zeros(0), [], {"a": ("a", "nowhere")}, "")


@on("where", ["folder", "server"])
def test_the_first_answer(folder, server, open_page, where):
    """At most 2.5 MB in all, of which a server gives no base64; the answer is PyTorch's; nothing is said or fetched."""
    board = open_page((folder / "live.html").as_uri() if where == "folder" else f"{server}live.html").wait()
    names = [url.rpartition("/")[2] for url in board.loaded if not url.startswith(("data:", "blob:"))]
    assert names == ["live.html", "live-puzzler.js" if where == "folder" else "live-puzzler.safetensors"]
    assert sum((folder / name).stat().st_size for name in names) < (2.5e6 if where == "folder" else 1.8e6)
    expected = load_shipped("puzzler-scenes").predict(scene(0), torch.arange(16)).logits[0]
    torch.testing.assert_close(torch.tensor(board.logits()).view(16, 16), expected, atol=1e-4, rtol=1e-4)
    assert board.page.evaluate("() => window.live.network().inWorker")
    assert board.wrong == []


def test_the_network_runs_in_the_page_where_no_worker_starts(server, open_page):
    board = open_page(f"{server}live.html", before="window.Worker = class { constructor() { throw new Error() } }")
    assert not board.wait().page.evaluate("() => window.live.network().inWorker")
    expected = load_shipped("puzzler-scenes").predict(scene(0), torch.arange(16)).logits[0]
    torch.testing.assert_close(torch.tensor(board.logits()).view(16, 16), expected, atol=1e-4, rtol=1e-4)


@on(
    "before",
    [
        "window.Function = class { constructor() { throw new SyntaxError() } }",
        "delete window.Worker",
        "delete window.createImageBitmap",
    ],
)
def test_a_browser_that_is_too_old_says_so(server, open_page, before):
    board = open_page(f"{server}live.html", before=before)
    board.page.get_by_text("This browser is too old for this page, which needs one from 2021 or later").wait_for()
    assert board.page.get_by_role("region", name="Tour").count() == 0 and board.wrong == []


def test_without_javascript_a_sentence_stands_there(server, open_page):
    board = open_page(f"{server}live.html", java_script_enabled=False)
    assert board.page.get_by_text("This page needs JavaScript").is_visible()


def test_the_tour_sets_the_board_in_six_steps(server, open_page):
    board, seen = open_page(f"{server}live.html").wait(), []
    for step in range(1, 7):
        assert board.page.locator("#tour-step").inner_text() == f"Step {step} of 6"
        text = board.page.locator("#tour-text").inner_text()
        assert len([part for part in text.replace("?", ".").split(". ") if part]) == 2, "two sentences"
        hidden = board.state("seen").count(False)
        seen.append((board.page.locator("#tour-title").inner_text(), board.state("mode"), hidden))
        if step == 5:  # of no patch is the network less sure
            board.page.wait_for_function("() => window.live.state.pick !== null")
            sure = torch.tensor(board.logits()).view(16, 16).softmax(1).max(1).values
            assert abs(sure[board.state("pick")] - sure.min()) < 1e-5
        if step < 6:
            board.page.locator("#tour-next").click()
    assert len({title for title, _, _ in seen}) == 6
    assert [(mode, hidden) for _, mode, hidden in seen] == [
        ("jigsaw", 0), ("jigsaw", 0), ("look", 0), ("hide", 12), ("look", 12), ("hide", 12),
    ]  # fmt: skip
    assert board.page.locator("#tour-next").is_disabled()
    board.page.locator("#tour-back").click()
    assert board.state("seen").count(False) == 12 and board.wrong == []


def test_hide_patches_by_hand_and_by_the_slider(server, open_page):
    """The picture, the context and the accuracy follow while the handle is dragged; one patch is always seen."""
    board = open_page(f"{server}live.html").wait()
    page = board.page
    board.tab("Hide patches")
    board.cell(3).click()
    assert board.state("seen").count(False) == 1 and board.cell(3).get_attribute("aria-label").endswith("hidden")
    assert "1 of 16 patches are hidden" in board.words()
    board.cell(3).focus()
    page.keyboard.press(" ")
    assert board.state("seen").count(False) == 0

    slider = page.get_by_role("slider", name="Mask ratio")
    box = slider.bounding_box()
    page.mouse.move(box["x"] + 8, box["y"] + box["height"] / 2)
    page.mouse.down()
    told = []
    for share in (0.3, 0.6, 0.9):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        told.append((board.state("seen").count(False), page.locator(".live-board .hidden").count(), board.words()))
    page.mouse.up()
    counts = [hidden for hidden, _, _ in told]
    assert counts == sorted(set(counts)) and all(hidden == shown for hidden, shown, _ in told)
    assert all(f"{hidden} of 16 patches are hidden" in words for hidden, _, words in told)
    context = torch.tensor([patch for patch, seen in enumerate(board.state("seen")) if seen])
    expected = load_shipped("puzzler-scenes").predict(scene(0), context).logits[0]
    torch.testing.assert_close(torch.tensor(board.logits()).view(16, 16), expected, atol=1e-4, rtol=1e-4)

    slider.focus()
    slider.fill("12")
    page.keyboard.press("ArrowRight")
    assert page.locator("output").inner_text() == "13 of 16" and board.has_focus(slider)
    assert slider.get_attribute("aria-valuetext") == "81 %, 13 of 16 patches are hidden"
    slider.fill("15")
    [last] = [patch for patch, seen in enumerate(board.state("seen")) if seen]
    board.cell(last).click()
    assert board.state("seen")[last] and "At least one patch must be seen." in board.status()
    assert board.wrong == []


def test_pick_a_patch_by_hover_focus_and_tap(server, open_page):
    """Predicted positions, attention of every layer and head, and the rollout; a click keeps, Escape lets go."""
    board = open_page(f"{server}live.html", has_touch=True).wait()
    page = board.page
    board.tab("Pick a patch")
    page.mouse.move(*board.middle(6))
    assert board.state("pick") == 6 and "The network puts this patch at row" in board.words()
    depth, heads = 4, 2
    maps = [map_.get_attribute("aria-label") for map_ in page.locator(".live-maps [role=img]").all()]
    assert len(maps) == depth * heads and maps[5].startswith("Layer 3, head 2 attends: most to patch ")
    assert page.get_by_role("img", name="Predicted positions").is_visible()
    assert page.get_by_role("img", name="attention rollout").is_visible()
    shares = torch.tensor(board.logits()).view(16, 16)[6].softmax(0)
    texts = [cell.inner_text() for cell in page.locator(".live-board button").all()]
    assert [bool(text) for text in texts] == [bool(share >= 0.05) for share in shares]
    best = int(shares.argmax())
    told = f"row {best // 4 + 1}, column {best % 4 + 1}, with a probability of {100 * shares[best]:.0f} %"
    assert told in board.words()

    board.cell(9).click()
    page.mouse.move(*board.middle(0))
    assert board.state("pick") == 9 and "This patch stays picked." in board.words()
    page.keyboard.press("Escape")
    page.mouse.move(*board.middle(1))
    assert board.state("pick") == 1
    board.cell(1).focus()
    page.keyboard.press("ArrowDown")
    assert board.state("pick") == 5 and board.has_focus(board.cell(5))
    assert "the network puts it at row" in board.cell(5).get_attribute("aria-label")
    board.cell(10).tap()
    assert board.state("pick") == 10 and board.state("pinned")
    assert board.wrong == []


def test_patches_are_swapped_by_mouse_finger_and_keyboard(server, open_page):
    board = open_page(f"{server}live.html", reduced_motion="reduce", has_touch=True).wait()
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
    assert board.state("order") == order and board.has_focus(board.cell(12))
    assert board.status().endswith("is now at row 4, column 1.")

    board.touch(1, 6, 11, None)
    page.wait_for_function("() => window.live.state.moves === 3")
    order[1], order[11] = order[11], order[1]
    assert board.state("order") == order

    page.get_by_role("button", name="Hint").click()
    held, hint = board.state("held"), board.state("hint")
    assert board.cell(hint).evaluate("e => e.classList.contains('hint')") and "would put this patch" in board.status()
    board.cell(held).focus()
    page.keyboard.press("Escape")
    assert board.state("held") is None

    for place in range(16):  # two clicks swap
        other = board.state("order").index(place)
        if other != place:
            board.cell(other).click()
            board.cell(place).click()
    assert "You: 16 of 16" in board.words() and board.status() == "Solved."
    assert page.get_by_role("button", name="Compare with the network").is_disabled()
    page.get_by_role("button", name="Shuffle again").click()
    assert board.state("moves") == 0 and board.state("order") != list(range(16))
    before = board.state("picture")
    page.get_by_role("button", name="New picture").click()
    assert board.state("picture") != before
    thumb = page.get_by_role("button", name="scene 2", exact=True)
    thumb.focus()
    page.keyboard.press("Enter")
    assert board.state("picture") == 2 and board.has_focus(thumb)
    assert board.wrong == []


@on("motion", ["no-preference", "reduce"])
def test_the_clock(server, open_page, motion):
    """It ticks from the first swap on; where motion is unwanted, only a swap changes it. Both scores are shown."""
    board = open_page(f"{server}live.html", reduced_motion=motion).wait()
    page, count = board.page, board.page.locator(".live-count")
    page.clock.install(time=datetime(2026, 1, 1))
    page.reload()
    board.wait()
    page.clock.pause_at(datetime(2026, 1, 2))
    page.clock.run_for(5000)
    assert count.inner_text() == "0 swaps, 0 s"
    board.cell(0).click()
    board.cell(1).click()
    page.clock.run_for(4100)
    assert count.inner_text() == ("1 swap, 4 s" if motion == "no-preference" else "1 swap, 0 s")
    own = sum(patch == place for place, patch in enumerate(board.state("order")))
    page.get_by_role("button", name="Compare with the network").click()
    page.locator(".live-score").wait_for()
    words = page.locator(".live-panel").inner_text()
    right = page.evaluate("() => window.live.answer().right")
    assert f"You: {own} of 16 right in 4 s. The network: {right} of 16 right in " in words
    sure = round(100 * page.evaluate("() => window.live.answer().sure"))
    assert f"a probability of {sure} %" in words
    page.clock.run_for(3000)
    assert "You: " in page.locator(".live-panel").inner_text() and count.inner_text() == "1 swap, 4 s", "it has stopped"


def test_every_control_has_a_name_and_the_board_one_tab_stop(server, open_page):
    board = open_page(f"{server}live.html").wait()
    controls = "button, select, input, [role=img], [role=grid], [role=tabpanel]"
    nameless = f"""() => [...document.querySelectorAll({controls!r})]
        .filter(e => !e.getAttribute('aria-label') && !e.textContent.trim()).map(e => e.outerHTML)"""
    for tab in ("Solve the jigsaw", "Pick a patch", "Hide patches"):
        board.tab(tab)
        assert board.page.evaluate(nameless) == []
        assert board.page.locator(".live-board [tabindex='0']").count() == 1
    board.page.get_by_role("tab", name="Hide patches").focus()
    board.page.keyboard.press("ArrowRight")
    assert board.state("mode") == "jigsaw"
    tab = board.page.get_by_role("tab", name="Solve the jigsaw")
    assert board.has_focus(tab) and tab.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"


def test_another_network_and_one_that_is_missing(server, open_page):
    board = open_page(f"{server}live.html").wait()
    network = board.page.get_by_role("combobox", name="Network")
    network.select_option("pupil")
    expected = load_shipped("pupil-4x4").predict(scene(0), torch.arange(16)).logits[0]
    torch.testing.assert_close(torch.tensor(board.logits()).view(16, 16), expected, atol=1e-4, rtol=1e-4)
    assert board.wrong == []
    network.select_option("flagship")
    board.page.get_by_text("could not be loaded: live-flagship.safetensors is missing").wait_for()
    assert network.input_value() == "pupil" and board.state("network") == "pupil"
    assert all("404" in text for text in board.wrong)
    # what should have come with it does not come either, and the board goes on
    board.page.evaluate("() => window.live.show({ network: 'flagship', mode: 'look', pick: 63 })")
    assert [board.state(name) for name in ("network", "mode", "pick")] == ["pupil", "jigsaw", None]
    assert board.page.get_by_role("tab", selected=True).inner_text() == "Solve the jigsaw"
    board.tab("Pick a patch")
    board.cell(6).click()
    assert "The network puts this patch at row" in board.words()


def test_a_page_without_its_first_network_says_so(server, open_page, folder):
    board = open_page(f"{server}live.html", before="window.fetch = async () => ({ ok: false })")
    board.page.get_by_text("could not be loaded: live-puzzler.safetensors is missing beside this page").wait_for()
    assert board.page.get_by_role("region", name="Tour").count() == 0
    board.page.get_by_role("button", name="Shuffle again").click()  # it asks again
    assert "could not be loaded" in board.status() and board.wrong == []


def test_the_flagship_answers_for_8_x_8_patches(tmp_path, open_page):
    write_drawn(tmp_path, 1)
    board = open_page((tmp_path / "live.html").as_uri()).wait()
    board.page.get_by_role("combobox", name="Network").select_option("flagship")
    board.tab("Hide patches")
    board.page.get_by_role("slider", name="Mask ratio").fill("32")
    seen = board.state("seen")
    assert board.page.locator(".live-board button").count() == 64 and seen.count(False) == 32
    context = torch.tensor([patch for patch in range(64) if seen[patch]])
    expected = load_shipped("flagship-8x8").predict(scene(0), context).logits[0]
    torch.testing.assert_close(torch.tensor(board.logits()).view(64, 64), expected, atol=1e-4, rtol=1e-4)
    board.tab("Pick a patch")
    board.cell(20).click()
    assert board.page.locator(".live-maps [role=img]").count() == 6 * 2 and board.wrong == []


def jpeg(size: tuple[int, int], *, turned: bool = False) -> bytes:
    """The left third red, the rest blue; `turned` says that the camera was held upright (EXIF orientation 6)."""
    image = Image.new("RGB", size, "blue")
    image.paste("red", (0, 0, size[0] // 3, size[1]))
    file, exif = io.BytesIO(), Image.Exif()
    if turned:
        exif[0x0112] = 6
    image.save(file, "jpeg", exif=exif, quality=95)
    return file.getvalue()


def gif() -> bytes:
    """Two pictures one after the other: as in `jpeg`, then green."""
    first, file = Image.open(io.BytesIO(jpeg((60, 60)))), io.BytesIO()
    first.save(file, "gif", save_all=True, append_images=[Image.new("RGB", (60, 60), "green")], duration=40, loop=0)
    return file.getvalue()


def is_red(pixels: list[int], row: int, column: int) -> bool:
    red, _, blue, _ = pixels[4 * (32 * row + column) :][:4]
    return red > 150 > blue


def test_a_picture_of_the_readers_own(server, open_page):
    """Any size; turned as its EXIF data say; never sent anywhere; a wrong file gets a sentence."""
    board = open_page(f"{server}live.html").wait()
    page, loaded = board.page, len(board.loaded)
    choose = page.get_by_label("Your own picture")

    def give(name: str, kind: str, content: bytes) -> None:
        choose.set_input_files({"name": name, "mimeType": kind, "buffer": content})
        board.wait()

    def shown() -> list[int]:
        return page.evaluate("() => [...window.live.picture().pixels]")

    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="3" height="9" fill="red"/></svg>'
    pictures = [
        ("small.jpg", "image/jpeg", jpeg((24, 24))),
        ("large.jpg", "image/jpeg", jpeg((3000, 2000))),
        ("drawn.svg", "image/svg+xml", svg),
        ("moving.gif", "image/gif", gif()),
    ]
    for number, (name, kind, content) in enumerate(pictures):
        give(name, kind, content)
        page.wait_for_function(f"() => window.live.state.picture === {3 + number}")
        assert board.status().startswith("Your picture stays in this page.")
        assert is_red(shown(), 16, 2) and not is_red(shown(), 16, 28), name
    give("turned.jpg", "image/jpeg", jpeg((600, 600), turned=True))
    page.wait_for_function("() => window.live.state.picture === 7")
    assert is_red(shown(), 2, 16) and not is_red(shown(), 28, 16), "what the camera had on its left is above"
    for number, size in enumerate([(1, 1), (900, 1), (1, 900)]):
        give("thin.jpg", "image/jpeg", jpeg(size))
        page.wait_for_function(f"() => window.live.state.picture === {8 + number}")
        assert torch.tensor(board.logits()).isfinite().all()
    for name, kind, content in [
        ("note.png", "image/png", b"no picture"),
        ("cut.jpg", "image/jpeg", jpeg((300, 300))[:60]),
        ("letter.txt", "text/plain", b"Dear reader"),
        ("empty.png", "image/png", b""),
        ("phone.heic", "image/heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
    ]:
        give(name, kind, content)
        page.get_by_text(f"{name} is not a picture that this browser can read. Choose a PNG or JPEG file.").wait_for()
        assert board.state("picture") == 10
    sent = [url for url in board.loaded[loaded:] if not url.startswith(("data:", "blob:"))]
    assert sent == [] and board.wrong == []


DROP = """([selector, files]) => {
    const dataTransfer = new DataTransfer();
    for (const [name, bytes] of files)
        dataTransfer.items.add(new File([Uint8Array.from(bytes)], name, { type: "image/jpeg" }));
    const event = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
    document.querySelector(selector).dispatchEvent(event);
    return event.defaultPrevented;
}"""


def test_a_picture_is_dropped_on_the_board_or_beside_it(server, open_page):
    """The first of several is shown; a browser would leave the page for a file that is dropped elsewhere."""
    board = open_page(f"{server}live.html").wait()
    files = [("a.jpg", list(jpeg((24, 24)))), ("b.jpg", list(jpeg((9, 9))))]
    assert board.page.evaluate(DROP, [".live-board", files])
    board.page.wait_for_function("() => window.live.state.picture === 3")
    assert board.status().endswith("Only the first of the 2 files is shown.")
    assert board.page.evaluate(DROP, ["h1", files]) and board.state("picture") == 3
    assert board.page.evaluate(DROP, [".live-board", [("c.jpg", [1, 2])]])
    board.page.get_by_text("c.jpg is not a picture that this browser can read").wait_for()
    assert board.wrong == []


def test_a_high_contrast_theme_keeps_the_marks(server, open_page):
    """It would take away shadows, hatching and the colours of borders."""
    board = open_page(f"{server}live.html", forced_colors="active").wait()
    board.cell(2).click()
    assert board.cell(2).evaluate("e => getComputedStyle(e, '::after').boxShadow") != "none"
    tab = board.page.get_by_role("tab", selected=True)
    assert tab.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    pressed, other = (
        board.page.locator(f".live-thumbs [aria-pressed={pressed}]").first.evaluate(
            "e => getComputedStyle(e).borderColor"
        )
        for pressed in ("true", "false")
    )
    assert pressed != other
    board.tab("Hide patches")
    board.cell(3).click()
    board.wait()
    assert "gradient" in board.cell(3).evaluate("e => getComputedStyle(e).backgroundImage")


def test_an_answer_that_is_awaited_is_for_the_game_that_asked(server, open_page):
    """A comparison or a hint that was asked for before another picture came is not shown for that one."""
    board = open_page(f"{server}live.html").wait()
    board.page.evaluate(
        """() => {
            const live = window.live, click = (words) =>
                [...document.querySelectorAll(".live-buttons button")].find((e) => e.textContent === words).click();
            live.show({ picture: 1 });
            click("Compare with the network");
            click("Hint");
            live.show({ picture: 2 });
        }"""
    )
    assert [board.state(name) for name in ("picture", "revealed", "hint", "held")] == [2, False, None, None]
    assert board.wrong == []


def test_on_a_phone_nothing_is_too_small_to_touch(server, open_page):
    """Controls have 44 pixels; the board and its first controls fit on the screen; the comparison scrolls into it."""
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    board = open_page(f"{server}live.html", **phone).wait()
    page = board.page
    for tab in ("Pick a patch", "Hide patches", "Solve the jigsaw"):
        board.tab(tab)
        for control in page.locator("button:visible, select:visible, input:visible").all():
            box = control.bounding_box()
            assert min(box["width"], box["height"]) >= 44, control.get_attribute("aria-label") or control.inner_text()
    compare = page.get_by_role("button", name="Compare with the network")
    box = compare.bounding_box()
    assert page.evaluate("() => scrollY") == 0 and box["y"] + box["height"] <= 844
    compare.tap()
    page.locator(".live-answer").wait_for()
    page.wait_for_function("() => document.querySelector('.live-answer').getBoundingClientRect().bottom <= innerHeight")
    assert board.wrong == []


@on("scheme", ["light", "dark"])
@on("width", [320, 800, 1440])  # 320: a small phone, or 200 % zoom of 640
def test_nothing_is_wider_than_the_page(server, open_page, width, scheme):
    """Text stands out from its ground, and no page scrolls to the side."""
    board = open_page(f"{server}live.html", viewport={"width": width, "height": 900}, color_scheme=scheme).wait()
    for tab in ("Pick a patch", "Hide patches", "Solve the jigsaw"):
        board.tab(tab)
        board.page.evaluate("() => window.live.show({ pick: window.live.state.mode === 'look' ? 5 : null })")
        assert board.page.evaluate("() => document.documentElement.scrollWidth") <= width
    if width == 800:  # with letters of twice the size
        size = board.cell(0).evaluate("e => parseFloat(getComputedStyle(e.closest('.live')).fontSize)")
        board.page.add_style_tag(content="html { font-size: 200% }")
        assert board.cell(0).evaluate("e => parseFloat(getComputedStyle(e.closest('.live')).fontSize)") == 2 * size
        assert board.page.evaluate("() => document.documentElement.scrollWidth") <= width
    ink, ground = board.page.locator(".live").evaluate(
        "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor].map(c => +c.match(/\\d+/)[0])"
    )
    assert abs(ink - ground) > 150 and (ink > ground) == (scheme == "dark")
