// ONNX Runtime Web, as this server has it from npm: WebAssembly, one thread.

import { PerceptionUnavailable } from "./unavailable.js";

const FOLDER = new URL("/ort/", import.meta.url).href;

/**
 * What of ONNX Runtime's interface is used here.
 *
 * @typedef {object} Runtime
 * @property {{logLevel: string, wasm: {wasmPaths: string, wasmBinary: ArrayBuffer, numThreads: number}}} env
 * @property {{create: (model: Uint8Array, options: object) => Promise<Session>}} InferenceSession
 * @property {new (type: "uint8", data: Uint8Array, shape: readonly number[]) => Tensor} Tensor
 */

/**
 * @typedef {object} Session One loaded graph.
 * @property {readonly string[]} inputNames
 * @property {readonly string[]} outputNames
 * @property {readonly Metadata[]} inputMetadata
 * @property {readonly Metadata[]} outputMetadata
 * @property {(inputs: Record<string, Tensor>, outputs: readonly string[]) => Promise<Record<string, Tensor>>} run
 */

/**
 * @typedef {object} Metadata
 * @property {string} name
 * @property {boolean} isTensor
 * @property {string} [type] Of a tensor's elements.
 * @property {readonly (number | string)[]} [shape] A text stands for a size that is free.
 */

/**
 * @typedef {object} Tensor
 * @property {Float32Array} data Of the tensors that come out of our models.
 * @property {readonly number[]} dims
 */

/**
 * Load the runtime. All files are asked for at once, instead of one after the other as the runtime would, and those
 * that are missing are missed here.
 *
 * @returns {Promise<Runtime>} Rejects with `PerceptionUnavailable` where the server has none.
 */
export async function loadRuntime() {
  try {
    const [runtime, binary] = await Promise.all([
      /** @type {Promise<Runtime>} */ (import(`${FOLDER}ort.wasm.min.mjs`)),
      fetchBinary(`${FOLDER}ort-wasm-simd-threaded.wasm`),
      import(`${FOLDER}ort-wasm-simd-threaded.mjs`), // the runtime's own import finds it loaded
    ]);
    runtime.env.logLevel = "fatal"; // every other problem comes back as an exception
    runtime.env.wasm.wasmPaths = FOLDER;
    runtime.env.wasm.wasmBinary = binary;
    runtime.env.wasm.numThreads = 1;
    return runtime;
  } catch (error) {
    throw new PerceptionUnavailable("This server has no browser inference files", `them at ${FOLDER}`, error);
  }
}

/**
 * @param {string} url
 * @returns {Promise<ArrayBuffer>}
 */
async function fetchBinary(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`HTTP status ${answer.status}`);
  return answer.arrayBuffer();
}
