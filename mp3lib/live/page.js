// The page with nothing installed: pictures and weights come with it, and a tour of six steps sets the board.

import { createLive } from "./board.js";
import { startNetwork } from "./worker.js";

const TOUR = [
  ["A shuffled picture", "A picture is cut into 16 patches, and they are shuffled. Put them back: drag a patch onto another one.",
    { network: 0, mode: "jigsaw" }],
  ["No positions", "The network gets the same patches, and nobody tells it where a patch was. Press “Compare with the network” to see where it puts them.",
    { network: 0, mode: "jigsaw" }],
  ["Who may be looked at", "Every patch attends to other patches, and so compares itself with them. Point at a patch, or tap it: the small maps show what it attends to, layer by layer.",
    { network: 0, mode: "look", ratio: 0, pick: 6 }],
  ["Each patch predicts its position", "For every patch, the network gives a probability to each of the 16 positions. The blue on the board, with its numbers, shows them for the patch with the orange frame.",
    { network: 0, mode: "look", ratio: 0, pick: 10 }],
  ["Why hide patches", "A network that sees all patches only has to match their borders. Hide most of them, and it has to know what belongs where: drag the slider.",
    { network: 0, mode: "hide", ratio: 0.75 }],
  ["Try your own", "Choose a picture of your own below; it stays in this page. Then choose the pupil, which was trained with three quarters hidden, and compare.",
    { mode: "hide", ratio: 0.5 }],
];

const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

/** The weights in a script beside this page. A script is also loaded in a folder, where fetch is not allowed. */
function weightsFromScript(name) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `live-${name}.js`;
    script.onload = () => resolve(bytesOf(window.mp3Weights[name]).buffer);
    script.onerror = () => reject(new Error(`live-${name}.js is missing beside this page`));
    document.head.append(script);
  });
}

/** The weights as they are stored, which is a quarter less to load; from a folder, those of the script. */
async function weightsOf(name) {
  if (location.protocol === "file:") return weightsFromScript(name);
  const early = window.firstWeights?.[name]; // asked for by page.html, before the rest of it was loaded
  delete window.firstWeights;
  const response = await (early ?? fetch(`live-${name}.safetensors`));
  if (!response.ok) throw new Error(`live-${name}.safetensors is missing beside this page`);
  return response.arrayBuffer();
}

/** Start the page: { networks: [{ name, words, config }], pictures: [{ name, rgb }] }, rgb the pixels as base64. */
export async function startPage({ networks, pictures }) {
  if (window.tooOld) return; // page.html has said so
  const withAlpha = (rgb) => Uint8ClampedArray.from({ length: (rgb.length / 3) * 4 }, (_, i) => (i % 4 === 3 ? 255 : rgb[(i >> 2) * 3 + (i % 4)]));
  const load = ({ name, config }) => startNetwork(config, weightsOf(name));
  const live = createLive(document.getElementById("live"), {
    networks: networks.map((network) => ({ ...network, load: () => load(network) })),
    pictures: pictures.map(({ name, rgb }) => ({ name, pixels: withAlpha(bytesOf(rgb)) })),
  });
  window.live = live;
  const [tour, title, text, step, next, back] = ["tour", "tour-title", "tour-text", "tour-step", "tour-next", "tour-back"]
    .map((id) => document.getElementById(id));
  let at = 0;
  const go = async (to) => {
    at = Math.max(0, Math.min(TOUR.length - 1, to));
    [title.textContent, text.textContent] = TOUR[at];
    step.textContent = `Step ${at + 1} of ${TOUR.length}`;
    back.disabled = at === 0;
    next.disabled = at === TOUR.length - 1;
    const { network, ...part } = TOUR[at][2];
    await live.show(network === undefined ? part : { network: networks[network].name, ...part });
  };
  for (const [button, move] of [[next, 1], [back, -1]])
    button.addEventListener("click", async () => {
      await go(at + move);
      if (button.disabled) (button === next ? back : next).focus();
    });
  await live.ready;
  performance.mark("first-answer"); // benchmarks/live.py reads it
  if (live.network()) {
    tour.hidden = false;
    await go(0);
  }
  document.body.dataset.ready = "true";
}
