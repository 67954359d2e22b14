/** What the worker loads where WebAssembly is missing: kernel and decisions in JavaScript. */
import * as exports from '../generated/decisions.js';
import { CATALOGUE } from '../generated/catalogue.js';
import { JsKernel } from './kernel-js.js';

/** @type {any} */ (globalThis).defectscopeFallback = () => ({ kernel: new JsKernel(CATALOGUE), exports });
