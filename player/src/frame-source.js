/**
 * Where frames come from: WebCodecs, or a canvas where there is none or it gives no planes.
 */

const CANVAS_WIDTH = 480;
const POLL_MS = 100;
/** A frame's own time further from the one announced is on another clock. */
const NEAR_S = 0.5;
/** A frame that says it is from before the first is without a time once the film has begun. */
const UNTIMED_S = 0.001;
const LEAST_TIMED_S = 0.005;
/** A frame that is announced longer than this before its display is not yet there to be taken. */
const AHEAD_MS = 4;

/** @typedef {{ time_s: number, presented?: number }} Shown */

export class FrameSource {
  /**
   * @param {HTMLVideoElement} video
   * @param {boolean} canvasOnly
   * @param {(source: 'webcodecs' | 'canvas') => void} changed Told as well when `untimed` changes.
   */
  constructor(video, canvasOnly, changed) {
    this.video = video;
    this.changed = changed;
    this.stopped = false;
    this.taken_s = NaN;
    /** Whether frames come without a time of their own, as Firefox gives them. */
    this.untimed = false;
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
        const announced = { time_s: metadata.mediaTime, presented: metadata.presentedFrames };
        // Firefox announces some frames one refresh early, while the one before still stands.
        const early = this.untimed && metadata.expectedDisplayTime - performance.now() > AHEAD_MS;
        // The first animation frame is still that of this callback.
        if (early) requestAnimationFrame(() => requestAnimationFrame(() => this.stopped || shown(announced)));
        else shown(announced);
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
      if (!this.untimed && own_s < UNTIMED_S && time_s >= LEAST_TIMED_S) {
        this.untimed = true;
        this.changed('webcodecs');
      }
      const at_s = !this.untimed && Math.abs(own_s - time_s) < NEAR_S ? own_s : time_s;
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
