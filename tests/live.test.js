// The parts of mp3lib/live that need no page, or only stand-ins for it. Run by Node (node --test tests/live.test.js), or by a browser where Node is missing.

import assert from "node:assert/strict";
import test from "node:test";

import { listen } from "../mp3lib/live/gestures.js";
import { MP3, gelu, halfToFloat, layerNorm, linear, mixValues, shapeOf, softmax } from "../mp3lib/live/mp3.js";
import { networkStore } from "../mp3lib/live/networks.js";
import { questions } from "../mp3lib/live/questions.js";
import { argmax, assign, rollout, seenAt, shuffled } from "../mp3lib/live/solve.js";

const close = (found, expected, by = 1e-5) => {
  assert.equal(found.length, expected.length);
  found.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) <= by, `[${i}]: ${value}, expected ${expected[i]}`));
};
const seeded = (seed) => () => (seed = (seed * 16807) % 2147483647) / 2147483647;

test("each float16 becomes the float32 of the same value", () => {
  const halves = Uint16Array.from({ length: 65536 }, (_, half) => half), floats = halfToFloat(halves);
  halves.forEach((half) => {
    const sign = half & 0x8000 ? -1 : 1, exponent = (half >> 10) & 31, fraction = (half & 1023) / 1024;
    const normal = exponent === 31 ? (fraction ? NaN : Infinity) : 2 ** (exponent - 15) * (1 + fraction);
    assert.ok(Object.is(floats[half], sign * (exponent ? normal : 2 ** -14 * fraction)), `0x${half.toString(16)}: ${floats[half]}`);
  });
});

test("linear multiplies by the transpose of the weights and adds the bias", () => {
  const x = Float32Array.of(1, 2, 3, 4, 5, 6), weight = { shape: [2, 3], data: Float32Array.of(1, 0, -1, 2, 2, 2) };
  close(linear(x, weight, { data: [10, 0] }), [8, 12, 8, 30]);
  close(linear(x, weight), [-2, 12, -2, 30]);
});

test("layerNorm gives mean 0 and variance 1, then the scale and the shift", () => {
  close(layerNorm(Float32Array.of(1, 3, 5, 5), { data: [2, 2] }, { data: [1, 1] }), [-1, 3, 1, 1], 1e-4);
});

test("gelu is 0 at 0, x far above and 0 far below", () => {
  close(gelu(Float32Array.of(0, 10, -10, 1)), [0, 10, 0, 0.841345], 1e-6);
});

test("softmax of a row sums to 1, and -Infinity gives 0", () => {
  close(softmax(Float32Array.of(0, Math.log(3), -Infinity, 1000, 0, -1000), 3), [0.25, 0.75, 0, 1, 0, 0]);
});

test("attention gives no weight to a hidden patch", () => {
  const n = 3, one = Float32Array.of(0, 0, 0), keysValues = Float32Array.of(1, 5, 1, 7, 1, 9); // key, value, key, value ...
  const { mixed, weights: [head] } = mixValues(one, keysValues, n, 1, [true, false, true]);
  close(head, [0.5, 0, 0.5, 0.5, 0, 0.5, 0.5, 0, 0.5]);
  close(mixed, [7, 7, 7]);
});

test("the shape of a network: one number or two for a size", () => {
  const shape = (vit) => shapeOf({ vit: { heads: 2, depth: 4, ...vit } });
  assert.deepEqual(shape({ image_size: 32, patch_size: 8 }).grid, [4, 4]);
  const wide = shape({ image_size: [12, 20], patch_size: [4, 5] });
  assert.deepEqual([wide.grid, wide.n, wide.channels], [[3, 4], 12, 3]);
});

test("an empty context, a wrong picture and other weights are refused", () => {
  const config = { vit: { image_size: 4, patch_size: 2, heads: 1, depth: 0 } };
  assert.throws(() => new MP3(config, {}), /mlp_head.1.weight is missing/);
  const mp3 = new MP3(config, { "mlp_head.1.weight": {} });
  assert.throws(() => mp3.predict(new Float32Array(48), [false, false, false, false]), /at least one of 4 patches must be seen/);
  assert.throws(() => mp3.predict(new Float32Array(48), [true]), /4 booleans must say which patches are seen, got 1/);
  assert.throws(() => mp3.predict(new Float32Array(9), [true, true, true, true]), /must have 3 x 4 x 4 numbers, got 9/);
});

test("patches are cut row by row, and a pixel's three colours stand together", () => {
  const mp3 = new MP3({ vit: { image_size: [2, 4], patch_size: [2, 2], heads: 1, depth: 0 } }, { "mlp_head.1.weight": {} });
  const pixels = Float32Array.from({ length: 24 }, (_, i) => i); // colour c of pixel p is 8 c + p
  assert.deepEqual([...mp3.patches(pixels)].slice(0, 6), [0, 8, 16, 1, 9, 17]);
  assert.deepEqual([...mp3.patches(pixels)].slice(12, 15), [2, 10, 18]);
});

test("argmax lets patches share a place, assign gives every place once", () => {
  const logits = Float32Array.of(5, 1, 0, 4, 3, 0, 0, 0, 1);
  assert.deepEqual([...argmax(logits, 3)], [0, 0, 2]);
  assert.deepEqual([...assign(logits, 3)], [0, 1, 2]);
});

test("assign finds the best of all arrangements of five patches", () => {
  const random = seeded(7), n = 5;
  const orders = (rest) => (rest.length ? rest.flatMap((x) => orders(rest.filter((y) => y !== x)).map((o) => [x, ...o])) : [[]]);
  for (let trial = 0; trial < 20; trial++) {
    const logits = Float32Array.from({ length: n * n }, () => 6 * random()), chances = softmax(logits, n).map(Math.log);
    const value = (places) => places.reduce((sum, place, patch) => sum + chances[patch * n + place], 0);
    const best = Math.max(...orders([0, 1, 2, 3, 4]).map(value));
    close([value([...assign(logits, n)])], [best], 1e-4);
  }
});

test("rollout keeps half of each token and sums to 1", () => {
  const head = Float32Array.of(0, 1, 1, 0);
  close(rollout([[head]], 2), [0.5, 0.5, 0.5, 0.5]);
  close(rollout([[head], [head]], 2, true), [0.25, 0.75, 0.75, 0.25]);
});

test("a shuffled order moves more than half of the patches", () => {
  const random = seeded(1);
  for (let trial = 0; trial < 100; trial++) {
    const order = shuffled(16, random);
    assert.deepEqual([...order].sort((a, b) => a - b), [...Array(16).keys()]);
    assert.ok(order.filter((patch, place) => patch === place).length < 8);
  }
  assert.deepEqual(shuffled(1), [0]);
});

test("patches are hidden in the order of their ranks, and one is always seen", () => {
  const hidden = (ratio) => seenAt(ratio, [2, 0, 3, 1]).flatMap((seen, patch) => (seen ? [] : [patch]));
  assert.deepEqual([0, 0.25, 0.49, 0.5, 0.95].map(hidden), [[], [2], [2], [0, 2], [0, 2, 3]]);
});

// --- a network is loaded once -----------------------------------------------------------------------------------------

test("a network is loaded once, and anew where that failed", async () => {
  let times = 0;
  const load = async () => {
    if (times++ === 0) throw new Error("no line");
    return { stop: () => (times = 10) };
  };
  const store = networkStore([{ name: "other" }, { name: "a", load }]);
  await assert.rejects(store.get("a"), /no line/);
  assert.equal(await store.get("a"), await store.get("a"));
  assert.equal(times, 2);
  store.stop();
  await store.get("a");
  assert.equal(times, 10);
});

// --- questions --------------------------------------------------------------------------------------------------------

const later = (milliseconds = 0) => new Promise((done) => setTimeout(done, milliseconds));

/** An app with a network of one layer and one head, whose answers are `asked`: call the last one to let it answer. */
function asker(kernel = null, patience = undefined) {
  const asked = [], n = 4, drawn = [];
  const state = { mode: "hide", answers: kernel ? "kernel" : "page", seen: [true, true, true, false], message: "" };
  const uniform = () => ({ logits: new Float32Array(n * n), attention: [[new Float32Array(n * n).fill(1 / n)]] });
  const predict = (_, seen) => new Promise((answer) => asked.push({ seen, answer: () => answer(uniform()) }));
  const app = { state, network: { n, config: {}, predict }, named: "a", answer: null, other: null };
  const picture = { pixels: new Uint8ClampedArray(16) };
  app.picture = () => picture;
  const byKernel = kernel && ((_, __, seen) => predict(null, seen));
  return { app, asked, drawn, uniform, ...questions(app, byKernel, () => drawn.push(state.message), patience) };
}

test("while an answer is awaited, of many questions only the newest is asked", async () => {
  const { app, asked, ask, asking, drawn } = asker();
  const all = [0, 1, 2, 3].map((hidden) => {
    app.state.seen = [0, 1, 2, 3].map((patch) => patch !== hidden);
    return ask();
  });
  await later();
  assert.deepEqual(asked.map(({ seen }) => seen.indexOf(false)), [0]);
  asked[0].answer();
  await later();
  assert.deepEqual(asked.map(({ seen }) => seen.indexOf(false)), [0, 3]);
  assert.ok(asking() !== null && app.answer.seen.indexOf(false) === 0, "the older answer is shown meanwhile");
  asked[1].answer();
  await Promise.all(all);
  assert.deepEqual([app.answer.seen.indexOf(false), asking(), drawn.length], [3, null, 2]);
});

test("an answer about another picture is not shown", async () => {
  const { app, asked, ask } = asker();
  const answered = ask(), other = { pixels: new Uint8ClampedArray(16) };
  app.picture = () => other;
  ask();
  asked[0].answer();
  await later();
  assert.equal(app.answer, null);
  asked[1].answer();
  await answered;
  assert.ok(app.answer !== null);
});

test("an error is told, and the next question is asked", async () => {
  const { app, ask, asking } = asker();
  app.network.predict = async () => { throw new Error("no weights"); };
  await ask();
  assert.deepEqual([app.state.message, asking()], ["There is no answer: no weights", null]);
});

test("a kernel that does not answer is told of, until it does", async () => {
  const { app, asked, ask, drawn } = asker(true, 5);
  const answered = ask();
  await later(50);
  assert.ok(/^The kernel has not answered yet/.test(app.state.message));
  assert.deepEqual(drawn, [app.state.message]);
  asked[0].answer();
  await answered;
  assert.equal(app.state.message, "");
});

// --- mouse, finger and keyboard ---------------------------------------------------------------------------------------

/** The listeners of a board of 2 x 2 cells, and what they do: calls of act, swap and show. */
function hands(mode = "jigsaw") {
  const done = [], listeners = {}, note = (name) => (...given) => void done.push([name, ...given]);
  const cells = [0, 1, 2, 3].map((place) => {
    const cell = { dataset: { place }, style: {}, classList: { add() {}, remove() {} } };
    return Object.assign(cell, { closest: () => cell });
  });
  const board = {
    addEventListener: (kind, listener) => (listeners[kind] = listener), contains: () => true, setPointerCapture() {},
    getRootNode: () => ({ elementFromPoint: (x) => cells[Math.floor(x / 100)] ?? null }), querySelector: () => ({ focus() {} }),
  };
  const state = { mode, game: 1, revealed: false, focus: 0, pick: null, pinned: false };
  listen(board, { state, network: { n: 4, grid: [2, 2] }, act: note("act"), swap: note("swap"), show: note("show") });
  const point = (kind, place, pointerId = 1) => {
    const type = kind === "lost" ? "lostpointercapture" : `pointer${kind}`;
    listeners[type]({ type, pointerId, button: 0, target: cells[place], clientX: 100 * place + 50, clientY: 0 });
  };
  const press = (key, more = {}) => {
    const event = { key, preventDefault: () => (event.isTaken = true), stopPropagation() {}, ...more };
    listeners.keydown(event);
    return event.isTaken === true;
  };
  return { state, done, point, press, cells };
}

test("a drag swaps, a tap acts, and a pointer that is taken away does nothing", () => {
  const { done, point, cells } = hands();
  [["down", 0], ["move", 3]].forEach(([kind, place]) => point(kind, place));
  assert.ok(cells[0].style.transform.startsWith("translate(300px"));
  point("up", 3);
  assert.deepEqual([done, cells[0].style.transform], [[["swap", 0, 3]], ""]);
  [["down", 1], ["up", 1], ["down", 0], ["move", 2], ["cancel", 2], ["up", 2]].forEach(([kind, place]) => point(kind, place));
  [["down", 0], ["move", 2], ["lost", 2], ["up", 2]].forEach(([kind, place]) => point(kind, place));
  assert.deepEqual(done, [["swap", 0, 3], ["act", 1]]);
});

test("a second finger neither moves nor drops what the first one holds", () => {
  const { done, point } = hands();
  [["down", 0, 1], ["move", 1, 1], ["down", 2, 2], ["move", 3, 2], ["up", 3, 2]].forEach((event) => point(...event));
  assert.deepEqual(done, []);
  point("up", 1, 1);
  assert.deepEqual(done, [["swap", 0, 1]]);
});

test("what was held is let go where another game or another mode came meanwhile", () => {
  for (const change of [{ game: 2 }, { mode: "hide" }]) {
    const { state, done, point } = hands();
    point("down", 0);
    point("move", 2);
    Object.assign(state, change);
    point("up", 2);
    assert.deepEqual(done, []);
  }
});

test("a patch is hidden where the mouse goes down and up on it", () => {
  const { done, point } = hands("hide");
  [["down", 0], ["move", 2], ["up", 2], ["down", 3], ["up", 3]].forEach(([kind, place]) => point(kind, place));
  assert.deepEqual(done, [["act", 3]]);
});

test("keys of the browser stay the browser's, and a held key acts once", () => {
  const { done, press } = hands();
  for (const modifier of ["altKey", "ctrlKey", "metaKey"]) assert.ok(!press("ArrowRight", { [modifier]: true }), modifier);
  assert.ok(!press("Tab") && !press("a"));
  assert.deepEqual(done, []);
  assert.ok(press(" ") && press(" ", { repeat: true }) && press("ArrowUp") && press("ArrowDown"));
  assert.deepEqual(done, [["act", 0], ["show", { focus: 2 }]]);
});
