/**
 * Where frames come from: WebCodecs, or a canvas where there is none or it gives no planes.
 */

const CANVAS_WIDTH = 480;
const POLL_MS = 100;
/** A frame's own time further from the one announced is on another clock. */
const NEAR_S = 0.5;

/** @typedef {{ time_s: number, presented?: number }} Shown */

export class FrameSource {
  /**
   * @param {HTMLVideoElement} video
   * @param {boolean} canvasOnly
   * @param {(source: 'webcodecs' | 'canvas') => void} changed
   */
  constructor(video, canvasOnly, changed) {
    this.video = video;
    this.changed = changed;
    this.stopped = false;
    this.taken_s = NaN;
    /** @type {'webcodecs' | 'canvas'} */
    this.kind = !canvasOnly && typeof VideoFrame === 'function' ? 'webcodecs' : 'canvas';
    changed(this.kind);
  }

  /** Reads frames back through a canvas from now on. */
  useCanvas() {
    if (this.kind === 'canvas') return;
    this.kind = 'canvas';
    this.changed('canvas');
  }

  /** @param {(shown: Shown) => void} shown Called for each frame shown. */
  start(shown) {
    if ('requestVideoFrameCallback' in this.video) {
      /** @type {VideoFrameRequestCallback} */
      const next = (_, metadata) => {
        if (this.stopped) return;
        this.request = this.video.requestVideoFrameCallback(next);
        shown({ time_s: metadata.mediaTime, presented: metadata.presentedFrames });
      };
      this.request = this.video.requestVideoFrameCallback(next);
      return;
    }
    let last_s = NaN;
    const video = /** @type {HTMLVideoElement} */ (this.video);
    this.timer = setInterval(() => {
      if (video.currentTime === last_s) return;
      last_s = video.currentTime;
      shown({ time_s: last_s });
    }, POLL_MS);
  }

  /**
   * Takes the frame that is shown.
   * @param {number} time_s
   * @throws {DOMException} SecurityError where the page may not read the video.
   */
  take(time_s) {
    if (this.kind === 'webcodecs') {
      const frame = new VideoFrame(this.video);
      // A late callback finds the next frame there already, and so does its own: each counts once,
      // at its own time where the browser tells it.
      const own_s = (frame.timestamp ?? 0) / 1e6;
      const at_s = Math.abs(own_s - time_s) < NEAR_S ? own_s : time_s;
      if (at_s === this.taken_s) {
        frame.close();
        return null;
      }
      this.taken_s = at_s;
      return { time_s: at_s, message: { frame }, transfer: [frame] };
    }
    const { videoWidth, videoHeight } = this.video;
    if (!videoWidth || !videoHeight) return null;
    const width = Math.min(CANVAS_WIDTH, videoWidth & ~1);
    const height = Math.max(2, Math.round((videoHeight * width) / videoWidth / 2) * 2);
    if (!this.context || this.context.canvas.width !== width || this.context.canvas.height !== height) {
      const canvas = document.createElement('canvas');
      Object.assign(canvas, { width, height });
      this.context = canvas.getContext('2d', { willReadFrequently: true, alpha: false });
    }
    const context = /** @type {CanvasRenderingContext2D} */ (this.context);
    context.drawImage(this.video, 0, 0, width, height);
    const rgba = context.getImageData(0, 0, width, height).data.buffer;
    return { time_s, message: { rgba, width, height }, transfer: [rgba] };
  }

  stop() {
    this.stopped = true;
    if (this.request !== undefined) this.video.cancelVideoFrameCallback(this.request);
    clearInterval(this.timer);
  }
}
