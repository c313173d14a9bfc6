// The same board as a widget of Jupyter: mp3lib/board.py sends the network and the pictures, and reads the state.

import { createLive } from "./board.js";
import { MP3, readSafetensors } from "./mp3.js";

const TRAITS = ["mode", "picture", "order", "seen", "pick"]; // parts of the state that Python reads and sets

/** A copy of what a binary trait holds, which Jupyter hands over as a DataView. */
const bytesOf = ({ buffer, byteOffset, byteLength }) => buffer.slice(byteOffset, byteOffset + byteLength);

export function render({ model, el }) {
  const [height, width] = model.get("size"), names = model.get("names");
  const all = new Uint8ClampedArray(bytesOf(model.get("pictures"))), length = 4 * height * width;
  const part = (names) => Object.fromEntries(names.map((name) => [name, model.get(name)]));
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const load = async () => new MP3(model.get("config"), readSafetensors(bytesOf(model.get("weights"))));
  let sent = null, sending = false;
  const live = createLive(el, {
    networks: [{ name: "model", words: model.get("words"), load }],
    pictures: names.map((name, i) => ({ name, pixels: all.slice(i * length, (i + 1) * length) })),
    start: part(TRAITS),
    changed(state, answer) {
      sending = true;
      TRAITS.filter((name) => !same(state[name], model.get(name))).forEach((name) => model.set(name, state[name]));
      if (answer !== sent) model.set("answer", new DataView(answer.logits.buffer.slice(0)));
      sent = answer;
      sending = false;
      model.save_changes();
    },
  });
  const follow = () => {
    if (sending) return;
    const other = TRAITS.filter((name) => !same(live.state[name], model.get(name)));
    if (other.length) live.show(part(other));
  };
  TRAITS.forEach((name) => model.on(`change:${name}`, follow));
  return () => {
    TRAITS.forEach((name) => model.off(`change:${name}`, follow));
    live.remove();
  };
}
