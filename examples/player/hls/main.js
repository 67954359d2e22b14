import Hls from 'hls.js';
import { observeHls } from '@defectscope/player/adapters/hls';

/** Files of the package lie beside the page: a worker must come from its own origin. */
const options = {
  base: '/player/',
  content: 'title-1',
  device: 'desktop',
  onFinding: ({ state, kind, start_s, end_s }) => console.log(state, kind, start_s, end_s),
};

const hls = new Hls();
hls.attachMedia(document.querySelector('video'));
hls.on(Hls.Events.MEDIA_ATTACHED, () => {
  hls.loadSource(new URLSearchParams(location.search).get('src') ?? '/stream.m3u8');
  window.handle = observeHls(hls, options);
});
window.player = hls;
