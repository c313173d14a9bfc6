// The same board as a widget of Jupyter: mp3lib/board sends networks and pictures, reads the state, and may answer.

import { createLive } from "./board.js";
import { startNetwork } from "./worker.js";

const TRAITS = ["network", "answers", "mode", "picture", "order", "seen", "pick"]; // of the state: Python reads and sets them

/** A copy of what a binary value holds, which Jupyter hands over as a DataView. */
const copyOf = ({ buffer, byteOffset, byteLength }) => buffer.slice(byteOffset, byteOffset + byteLength);

export function render({ model, el }) {
  const [height, width] = model.get("size"), length = 4 * height * width, all = new Uint8ClampedArray(copyOf(model.get("pictures")));
  const part = (names) => Object.fromEntries(names.map((name) => [name, model.get(name)]));
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const load = (name) => {
    const { config, weights } = model.get("networks").find((network) => network.name === name);
    return startNetwork(config, copyOf(weights));
  };

  // questions to the kernel, and its answers
  const waiting = new Map(), view = Math.random();
  let asked = 0;
  const kernel = (network, pixels, seen) =>
    new Promise((answered, failed) => {
      waiting.set(++asked, { answered, failed });
      model.send({ view, question: asked, network, seen }, undefined, [pixels.slice().buffer]);
    });
  const receive = (message, buffers) => {
    if (message.view !== view) return; // the question came from another view of this board
    const { answered, failed } = waiting.get(message.question);
    waiting.delete(message.question);
    if (message.error) return failed(new Error(message.error));
    const [logits, flat] = buffers.map((buffer) => new Float32Array(copyOf(buffer))), [depth, heads, n] = message.shape;
    const head = (l, h) => flat.slice((l * heads + h) * n * n, (l * heads + h + 1) * n * n);
    const range = (count) => [...Array(count).keys()];
    answered({ logits, attention: range(depth).map((l) => range(heads).map((h) => head(l, h))) });
  };
  model.on("msg:custom", receive);

  let sending = false, sent = null, shown = null;
  const live = createLive(el, {
    networks: model.get("networks").map(({ name }) => ({ name, words: name, load: () => load(name) })),
    pictures: model.get("names").map((name, i) => ({ name, pixels: all.slice(i * length, (i + 1) * length) })),
    start: part(TRAITS),
    kernel,
    changed(state, answer) {
      sending = true;
      TRAITS.filter((name) => !same(state[name], model.get(name))).forEach((name) => model.set(name, state[name]));
      if (live.picture() !== shown) model.set("shown", new DataView(live.picture().pixels.slice().buffer));
      if (answer !== sent) model.set("answer", new DataView(answer ? answer.logits.slice().buffer : new ArrayBuffer(0)));
      [sent, shown] = [answer, live.picture()];
      sending = false;
      model.save_changes();
    },
  });
  const follow = () => {
    if (!sending) queueMicrotask(show); // after all changes that came together, and so that a value can be set back
  };
  const show = () => {
    const other = TRAITS.filter((name) => !same(live.state[name], model.get(name)));
    if (other.length) live.show(part(other));
  };
  TRAITS.forEach((name) => model.on(`change:${name}`, follow));
  return () => {
    TRAITS.forEach((name) => model.off(`change:${name}`, follow));
    model.off("msg:custom", receive);
    live.remove();
  };
}
