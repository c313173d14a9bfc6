// The page with nothing installed: pictures and weights come with it, and a tour of six steps sets the board.

import { createLive } from "./board.js";
import { startNetwork } from "./worker.js";

/** The patch whose most probable position is the least probable of all. */
function leastSure({ shares, best }, n) {
  const sure = [...best].map((p, patch) => shares[patch * n + p]);
  return sure.indexOf(Math.min(...sure));
}

const TOUR = [
  ["A shuffled picture", "A picture of 32 x 32 pixels is cut into 16 patches, and they are shuffled. Put them back: drag a patch onto another one.",
    { network: 0, mode: "jigsaw" }],
  ["The network’s turn", "A neural network gets the same patches, but not their positions. The button “Compare with the network” shows where it puts them.",
    { network: 0, mode: "jigsaw" }],
  ["Patches attend to each other", "To find its position, each patch is compared with the others; this is called attention. Point at a patch, or tap it: the small maps show which patches it attends to.",
    { network: 0, mode: "look", ratio: 0, pick: 6 }],
  ["Why hide patches", "With all patches, a network can match the borders of neighbours. Drag the slider to hide patches: with few neighbours left, it has to use what a patch shows.",
    { network: 0, mode: "hide", ratio: 0.75 }],
  ["Each patch predicts its position", "For every patch, the network gives a probability to each of the 16 positions. The board shows them in blue, for a patch of which the network is unsure.",
    { network: 0, mode: "look", ratio: 0.75, pick: leastSure }],
  ["Try your own", "Choose a photo of your own below; it stays in this page. Or choose the network “pupil”: it was trained with 75 % hidden, and loses less when you hide patches.",
    { mode: "hide" }],
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
  // a file that misses the board must not take the place of the page
  for (const event of ["dragover", "drop"]) document.addEventListener(event, (dropped) => dropped.preventDefault());
  const [tour, title, text, step, next, back] = ["tour", "tour-title", "tour-text", "tour-step", "tour-next", "tour-back"]
    .map((id) => document.getElementById(id));
  let at = 0;
  const go = async (to) => {
    at = Math.max(0, Math.min(TOUR.length - 1, to));
    [title.textContent, text.textContent] = TOUR[at];
    step.textContent = `Step ${at + 1} of ${TOUR.length}`;
    back.disabled = at === 0;
    next.disabled = at === TOUR.length - 1;
    const { network, pick, ...part } = TOUR[at][2], here = at;
    await live.show(network === undefined ? part : { network: networks[network].name, ...part });
    if (pick === undefined || at !== here || !live.answer()) return; // nothing to pick, or the reader is a step further
    await live.show({ pick: typeof pick === "function" ? pick(live.answer(), live.network().n) : pick });
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
