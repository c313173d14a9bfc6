// The network in a Worker, a thread of its own, so that the page never waits for an answer.
//
// A Worker starts from a text. Here the text is made of the functions of mp3.js themselves, which also works in a page
// that was opened from a folder. Where no Worker can be started, the network runs in the page.

import { MP3, gelu, halfToFloat, layerNorm, linear, mixValues, readSafetensors, shapeOf, softmax } from "./mp3.js";

const PARTS = [readSafetensors, halfToFloat, linear, layerNorm, gelu, softmax, shapeOf, MP3, mixValues];

/** What the Worker does: it takes the weights once, then answers question after question. */
function answerQuestions() {
  let mp3;
  self.onmessage = ({ data: { id, config, weights, pixels, seen } }) => {
    try {
      if (config) mp3 = new MP3(config, readSafetensors(weights));
      self.postMessage({ id, answer: config ? null : mp3.predict(pixels, seen) });
    } catch (error) {
      self.postMessage({ id, error: error.message });
    }
  };
  self.postMessage({ id: 0 }); // it has started
}

/** A Worker: { ask, stop }, where ask(question) resolves to the answer. null where the browser starts none. */
function startWorker() {
  return new Promise((resolve) => {
    const code = [...PARTS.map(String), `(${answerQuestions})();`].join("\n"), waiting = new Map();
    let worker, count = 0;
    try {
      worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
    } catch {
      return resolve(null);
    }
    const ask = (question) =>
      new Promise((answered, failed) => {
        waiting.set(++count, { answered, failed });
        worker.postMessage({ id: count, ...question });
      });
    worker.onerror = () => resolve(null);
    worker.onmessage = ({ data: { id, answer, error } }) => {
      if (!id) return resolve({ ask, stop: () => worker.terminate() });
      const { answered, failed } = waiting.get(id);
      waiting.delete(id);
      if (error) failed(new Error(error));
      else answered(answer);
    };
  });
}

/** A network that answers without making the page wait.
 *
 * config: what config.json holds; weights: a safetensors file as an ArrayBuffer, or a promise of it.
 * Resolves to { ...shapeOf(config), config, inWorker, predict, stop }, where predict(pixels, seen) resolves to what
 * `MP3.predict` returns.
 */
export async function startNetwork(config, weights) {
  const [worker, file] = await Promise.all([startWorker(), weights]);
  const network = { ...shapeOf(config), config, inWorker: worker !== null };
  if (worker) {
    await worker.ask({ config, weights: file });
    return { ...network, predict: (pixels, seen) => worker.ask({ pixels, seen }), stop: worker.stop };
  }
  const mp3 = new MP3(config, readSafetensors(file));
  return { ...network, predict: async (pixels, seen) => mp3.predict(pixels, seen), stop: () => {} };
}
