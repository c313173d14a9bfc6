// The page with nothing installed: pictures and weights come with it, and a tour of six steps sets the board.

import { createLive } from "./board.js";
import { MP3, readSafetensors } from "./mp3.js";

const TOUR = [
  ["A shuffled picture", "A picture is cut into 16 patches, and they are shuffled. Put them back: drag a patch onto another one.", { mode: "jigsaw" }],
  ["No positions", "The network gets the same patches without their positions. Compare your answer with the network's.", { mode: "jigsaw" }],
  ["Who may be looked at", "A patch attends to other patches, and compares itself with them. Point at a patch, or tap it, to see what it attends to, layer by layer.", { mode: "look", ratio: 0, pick: 5 }],
  ["Each patch predicts its place", "For every patch, the network gives a probability to each of the 16 places. Blue and the numbers on the board show where this patch probably belongs.", { mode: "look", ratio: 0, pick: 10 }],
  ["Why hide patches", "A network that sees all patches can match their borders. Hide most of them, and it has to know what belongs where.", { mode: "hide", ratio: 0.75 }],
  ["Try your own", "Choose a picture of yours; it stays in this page. Switch to the pupil, which was trained with three quarters hidden.", { mode: "hide", ratio: 0.5 }],
];

const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

/** Weights that a script beside the page brings; a script is also loaded from a folder, where fetch is not allowed. */
function loadNetwork(name) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `live-${name}.js`;
    script.onload = () => {
      const { config, weights } = window.mp3Weights[name];
      resolve(new MP3(config, readSafetensors(bytesOf(weights).buffer)));
    };
    script.onerror = () => reject(new Error(`live-${name}.js is missing beside this page`));
    document.head.append(script);
  });
}

/** Start the page: { networks: [{ name, words }], pictures: [{ name, size: [height, width], rgb }] }. */
export async function startPage({ networks, pictures }) {
  const withAlpha = (rgb) => Uint8ClampedArray.from({ length: (rgb.length / 3) * 4 }, (_, i) => (i % 4 === 3 ? 255 : rgb[(i >> 2) * 3 + (i % 4)]));
  const live = createLive(document.getElementById("live"), {
    networks: networks.map((network) => ({ ...network, load: () => loadNetwork(network.name) })),
    pictures: pictures.map(({ name, rgb }) => ({ name, pixels: withAlpha(bytesOf(rgb)) })),
  });
  window.live = live;
  const [title, text, step, next, back] = ["title", "text", "step", "next", "back"].map((id) => document.getElementById(`tour-${id}`));
  let at = 0;
  const go = (to) => {
    at = Math.max(0, Math.min(TOUR.length - 1, to));
    [title.textContent, text.textContent] = TOUR[at];
    step.textContent = `Step ${at + 1} of ${TOUR.length}`;
    back.disabled = at === 0;
    next.disabled = at === TOUR.length - 1;
    return live.show(TOUR[at][2]);
  };
  next.addEventListener("click", () => go(at + 1));
  back.addEventListener("click", () => go(at - 1));
  await live.ready;
  await go(0);
  document.body.dataset.ready = "true";
}
