// A board of patches to touch: shuffle, drag, hide, hover, pick. The network answers in the page.
//
// createLive(root, { networks, pictures }) fills an element.
//   networks: [{ name, words, load }], where load() resolves to what `startNetwork` of worker.js makes;
//   pictures: [{ name, pixels }], pixels a Uint8ClampedArray (H, W, 4) as a canvas gives them;
//   start: a part of the state to begin with;
//   kernel: where there is one, kernel(network's name, pixels, seen) resolves to its answer;
//   changed: called after each change with the state and the newest answer, or null while it is awaited.
// It returns { state, show, settled, remove, ... }: `show(part)` changes the state and resolves when the answer is drawn.
//
// Everything goes one way: an event calls an action (actions.js), which calls show(part); show changes the state, asks
// the network where that is needed (questions.js), and draws (layout.js). The other files read the state from `app`.

import { actions } from "./actions.js";
import { makeCells } from "./cells.js";
import { listen } from "./gestures.js";
import { makeLayout } from "./layout.js";
import { networkStore } from "./networks.js";
import { questions } from "./questions.js";
import { seenAt, shuffled } from "./solve.js";

const firstState = (network) => ({
  mode: "jigsaw", picture: 0, network, answers: "page", // what is chosen
  order: [], game: 0, moves: 0, began: null, ended: null, revealed: false, held: null, hint: null, // the jigsaw
  seen: [], ranks: [], ratio: 0, pick: null, pinned: false, focus: 0, message: "",
});

export function createLive(root, { networks, pictures, start = {}, kernel = null, changed = () => {} }) {
  const state = firstState(networks[0].name), store = networkStore(networks), n = () => app.network.n;
  const app = {
    state, show, settled, pictures: [...pictures], network: null, named: null, answer: null, other: null,
    picture: () => app.pictures[state.picture],
    name: (patch) => `patch ${patch + 1}`,
    place: (p) => `row ${Math.floor(p / app.network.grid[1]) + 1}, column ${(p % app.network.grid[1]) + 1}`,
    seconds: () => (state.began ? Math.floor(((state.ended ?? performance.now()) - state.began) / 1000) : 0),
  };
  Object.assign(app, actions(app, kernel !== null));
  const layout = (app.layout = makeLayout(app, networks, kernel !== null));
  const { ask, asking } = questions(app, kernel, draw);
  let loading = null; // a promise, while a network is loaded
  root.replaceChildren(layout.live);
  listen(layout.board, app);

  function draw() {
    if (!app.network || app.named !== state.network) return; // it is still loading
    layout.draw(asking() !== null);
    changed(state, asking() ? null : app.answer);
  }

  /** Resolves when nothing is awaited any more. */
  async function settled() {
    await ready;
    while (loading ?? asking()) await (loading ?? asking());
  }

  function newGame(order) {
    const { game } = state;
    Object.assign(state, { order, game: game + 1, moves: 0, began: null, ended: null, revealed: false, hint: null, held: null });
  }

  /** Bring the network that the state names. Resolves to whether it is there and still wanted. */
  async function bring(part, before) {
    const { name, words } = networks.find(({ name }) => name === state.network);
    state.message = `Loading the network: ${words} …`;
    layout.say(true);
    let network;
    try {
      network = await store.get(name);
    } catch (error) {
      if (state.network === name) takeBack(part, before, `The network could not be loaded: ${error.message}`);
      return false;
    }
    if (state.network !== name) return false;
    const sameGrid = app.network?.n === network.n;
    Object.assign(app, { network, named: name, answer: null, other: null });
    state.message = "";
    if (!sameGrid) beginOnGrid(part);
    return true;
  }

  /** What came together with a network that cannot be loaded does not hold either. */
  function takeBack(part, before, message) {
    for (const key of Object.keys(part)) state[key] = before[key];
    Object.assign(state, { network: app.named ?? before.network, message });
    layout.say(false);
    draw();
  }

  function beginOnGrid(part) {
    state.ranks = shuffled(n());
    Object.assign(state, { seen: part.seen ?? seenAt(state.ratio, state.ranks), pick: part.pick ?? null, focus: 0 });
    newGame(part.order ?? shuffled(n()));
    makeCells(layout.board, app.network);
  }

  /** The rest of the state that follows from the part that has changed. */
  function follow(part) {
    if (part.seen) state.ratio = state.seen.filter((seen) => !seen).length / n();
    else if (part.ratio !== undefined) state.seen = seenAt(state.ratio, state.ranks);
    if (part.order) newGame(part.order);
    else if (part.picture !== undefined) newGame(shuffled(n()));
    if (part.mode && part.pick === undefined && part.mode !== "look") state.pick = null;
    if (part.mode && part.pinned === undefined) state.pinned = false;
    if (["network", "picture", "mode", "answers"].some((key) => part[key] !== undefined)) {
      app.answer = app.other = null;
      layout.clearResults();
    }
  }

  /** Change part of the state, and draw what follows from it. Resolves when the answer is drawn. */
  async function show(part) {
    const before = { ...state };
    Object.assign(state, { message: "" }, part);
    if (!app.picture()) state.picture = app.pictures[before.picture] ? before.picture : 0; // there is no such picture
    if (!app.network || state.network !== before.network) {
      const brought = (loading = bring(part, before)), isThere = await brought;
      if (loading === brought) loading = null;
      if (!isThere) return;
    }
    follow(part);
    const answered = !app.answer || part.ratio !== undefined || part.seen ? ask() : null;
    draw();
    await answered;
  }

  const ready = show(start);
  function remove() {
    layout.stop();
    store.stop();
    root.replaceChildren();
  }
  return { state, show, settled, remove, ready, answer: () => app.answer, other: () => app.other, network: () => app.network, picture: app.picture };
}
