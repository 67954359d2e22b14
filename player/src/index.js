export { observe } from './observe.js';
export { bucketOf, variantOf, verified } from './rollout.js';
