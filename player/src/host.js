/**
 * Host objects: thin elements of the page that do what the worker's commands say.
 */

/**
 * @typedef {object} Command
 * @property {'create' | 'set' | 'remove' | 'clear'} do
 * @property {number} [id]
 * @property {'view' | 'text' | 'image'} [node]
 * @property {number} [parent] 0 is the root.
 * @property {string} [text]
 * @property {number} [width] Of an image, pixels.
 * @property {number} [height]
 * @property {Uint8ClampedArray} [pixels] RGBA.
 */

const ROOT_STYLE =
  'position:absolute;inset:0;pointer-events:none;z-index:2147483647;font:12px/1.5 monospace;color:#fff;text-shadow:0 0 3px #000';
const IMAGE_STYLE =
  'position:absolute;inset:0;width:100%;height:100%;image-rendering:pixelated;mix-blend-mode:screen';

export class Host {
  /** @param {HTMLElement} over The element that the scene lies over. */
  constructor(over) {
    this.over = over;
    /** @type {Map<number, HTMLElement>} */
    this.nodes = new Map();
  }

  /** @param {Command[]} commands */
  run(commands) {
    for (const command of commands) this[command.do](command);
  }

  /** @param {Command} command */
  create({ id = 0, node, parent = 0 }) {
    const element = document.createElement(node === 'image' ? 'canvas' : 'div');
    if (node === 'image') element.style.cssText = IMAGE_STYLE;
    if (!this.root) {
      this.root = document.createElement('div');
      this.root.dataset.defectscope = 'overlay';
      this.root.style.cssText = ROOT_STYLE;
      // A sibling of the video: its own box is where the scene belongs.
      this.over.parentElement?.append(this.root);
    }
    (this.nodes.get(parent) ?? this.root).append(element);
    this.nodes.set(id, element);
  }

  /** @param {Command} command */
  set({ id = 0, text, width, height, pixels }) {
    const element = this.nodes.get(id);
    if (!element) return;
    if (text !== undefined) element.textContent = text;
    if (pixels && width && height && element instanceof HTMLCanvasElement) {
      if (element.width !== width) Object.assign(element, { width, height });
      const image = new ImageData(width, height);
      image.data.set(pixels);
      element.getContext('2d')?.putImageData(image, 0, 0);
    }
  }

  /** @param {Command} command */
  remove({ id = 0 }) {
    this.nodes.get(id)?.remove();
    this.nodes.delete(id);
  }

  clear() {
    this.root?.remove();
    this.root = undefined;
    this.nodes.clear();
  }
}
