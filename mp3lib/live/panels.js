// What stands beside the board: controls, and what the network answers.
//
// Each of the three panels has `controls`, made once; `update()`, which brings them up to date; and `results()`, the
// elements that show the newest answer. app is what board.js hands over: the state, the answer, and what can be done.

import { element, mapOf, pictureOf } from "./drawing.js";

export const MODES = { jigsaw: "Solve the jigsaw", look: "Pick a patch", hide: "Hide patches" };

export const percent = (share) => `${Math.round(100 * share)} %`;
const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** The patches where the network puts them, with a mark on each that is wrong. */
function arrangement(app, words) {
  const { n, grid, imageSize } = app.network, back = new Array(n);
  app.answer.places.forEach((p, patch) => (back[p] = patch));
  const wrong = back.flatMap((patch, p) => (patch === p ? [] : [app.place(p)]));
  const told = wrong.length ? `Wrong patches stand at ${wrong.join("; ")}.` : "All patches are right.";
  const frame = element("div", { class: "live-answer", role: "img", "aria-label": `${words} ${told}` },
    pictureOf(app.picture().pixels, app.network, back));
  frame.style.setProperty("--columns", grid[1]);
  frame.style.setProperty("--shape", `${imageSize[1]} / ${imageSize[0]}`);
  back.forEach((patch, p) => frame.append(element("span", { class: patch === p ? "" : "wrong" })));
  return element("figure", {}, element("figcaption", {}, words, app.answer.right < n ? " Framed patches are wrong." : ""), frame);
}

/** Where the page and the kernel both answer: how far they agree. */
function comparison(app) {
  if (!app.other) return [];
  const [page, kernel] = [app.answer, app.other];
  const most = page.shares.reduce((far, share, i) => Math.max(far, Math.abs(share - kernel.shares[i])), 0);
  const moved = page.places.filter((p, patch) => p !== kernel.places[patch]).length;
  return [element("p", { class: "live-both" },
    `Right: ${page.right} by the network in this page, ${kernel.right} by the kernel. They place ${moved} patches ` +
    `differently; no probability differs by more than ${(100 * most).toFixed(most < 0.001 ? 4 : 1)} %.`)];
}

function jigsaw(app) {
  const { state } = app, tip = element("p", {}), count = element("p", { class: "live-count" });
  const hint = element("button", { click: app.hint }, "Hint"), compare = element("button", { click: app.reveal }, "Compare with the network");
  const controls = element("div", {},
    element("div", { class: "live-buttons" }, compare, hint,
      element("button", { click: app.shuffleAgain }, "Shuffle again"),
      element("button", { click: app.otherPicture }, "New picture")),
    count, tip);
  const told = () => (count.textContent = `${state.moves} ${state.moves === 1 ? "swap" : "swaps"}, ${app.seconds()} s`);
  const clock = setInterval(() => { if (state.mode === "jigsaw" && state.began && !state.ended && !isStill()) told(); }, 1000);
  return {
    controls,
    stop: () => clearInterval(clock),
    update() {
      told();
      tip.textContent = state.revealed ? "This game has ended. Shuffle again, or take a new picture."
        : "To swap two patches, drag one onto the other, or tap both. Keyboard: arrow keys and space. Comparing ends the game.";
      hint.disabled = compare.disabled = state.revealed;
    },
    results() {
      if (!state.revealed) return [];
      const { n } = app.network, { right, ms, sure } = app.answer, own = state.order.filter((patch, p) => patch === p).length;
      return [
        element("p", { class: "live-score" },
          `You: ${own} of ${n} right in ${app.seconds()} s. The network: ${right} of ${n} right in ${(ms / 1000).toFixed(2)} s.`),
        arrangement(app, `The network's answer, with a probability of ${percent(sure)} on average.`),
        ...comparison(app),
      ];
    },
  };
}

function look(app) {
  const { state } = app, tip = element("p", {});
  return {
    controls: tip,
    stop() {},
    update() {
      tip.textContent = state.pinned ? "This patch stays picked. Click it again, or press Escape, to let it go."
        : "The network does not know that these patches are in order. Point at one, tap it, or use the arrow keys.";
    },
    results() {
      if (state.pick === null) return [];
      const { n, grid } = app.network, { answer } = app, pick = state.pick, fine = n > 16;
      const row = (weights) => weights.slice(pick * n, (pick + 1) * n);
      const hidden = answer.seen.map((seen) => !seen), best = answer.best[pick], shares = row(answer.shares);
      const count = hidden.filter(Boolean).length;
      const map = (weights, words) => {
        const share = row(weights), most = share.indexOf(Math.max(...share));
        const told = `${words}: most to ${app.name(most)}, ${app.place(most)}, ${percent(share[most])}`;
        return mapOf(share, grid, { cell: fine ? 7 : 13, hidden, outline: pick, words: told });
      };
      const table = element("div", { class: "live-maps" });
      table.style.setProperty("--columns", app.network.heads + 1);
      table.append(element("span"), ...answer.attention[0].map((_, h) => element("span", {}, `head ${h + 1}`)));
      answer.attention.forEach((heads, l) => table.append(element("span", {}, `layer ${l + 1}`),
        ...heads.map((weights, h) => map(weights, `Layer ${l + 1}, head ${h + 1} attends`))));
      const head = `Attention (dark: much${count ? `; hatched: ${count} hidden patches` : ""}). Layers work one after the other, the heads of a layer side by side.`;
      return [
        element("p", { class: "live-score" }, `The network puts this patch at ${app.place(best)}, with a probability of ${percent(shares[best])}. ` +
          (best === pick ? "This is right." : `It belongs at ${app.place(pick)}.`)),
        element("p", {}, head),
        element("div", { class: "live-pair" },
          element("figure", {}, mapOf(shares, grid, { cell: fine ? 14 : 28, outline: pick,
            words: `Predicted positions: ${percent(shares[best])} at ${app.place(best)}` }), element("figcaption", {}, "Predicted positions (blue on the board)")),
          element("figure", {}, mapOf(row(answer.rollout), grid, { cell: fine ? 14 : 28, hidden, outline: pick,
            words: "All layers together, attention rollout" }), element("figcaption", {}, "Attention, all layers together (rollout)")),
          table),
        ...comparison(app),
      ];
    },
  };
}

function hide(app) {
  const { state } = app, output = element("output"), words = element("p", {});
  const slider = element("input", { type: "range", min: 0, step: 1, "aria-label": "Mask ratio",
    input: () => app.show({ ratio: slider.value / app.network.n }) }); // a step is a patch
  return {
    controls: element("div", {}, element("label", { class: "live-slider" }, "Mask ratio ", slider, output), words),
    stop() {},
    update() {
      const { n } = app.network, hidden = state.seen.filter((seen) => !seen).length;
      const told = `${hidden} of ${n} patches are hidden`;
      slider.max = n - 1;
      slider.value = hidden;
      slider.setAttribute("aria-valuetext", `${percent(state.ratio)}, ${told}`);
      output.textContent = `${hidden} of ${n}`;
      words.textContent = `${told}: no patch attends to them. Each still predicts its own position. Click a patch to hide or show it.`;
    },
    results() {
      const { n } = app.network, { right } = app.answer;
      return [
        element("p", { class: "live-score" }, `The network puts ${right} of ${n} patches in the right place (${percent(right / n)}). By chance it would be 1.`),
        arrangement(app, "The network's answer."),
        ...comparison(app),
      ];
    },
  };
}

export const PANELS = { jigsaw, look, hide };
