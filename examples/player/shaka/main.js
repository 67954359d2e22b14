import shaka from 'shaka-player';
import { observeShaka } from '@defectscope/player/adapters/shaka';

/** Files of the package lie beside the page: a worker must come from its own origin. */
const options = {
  base: '/player/',
  content: 'title-1',
  device: 'desktop',
  onFinding: ({ state, kind, start_s, end_s }) => console.log(state, kind, start_s, end_s),
};

const player = new shaka.Player();
await player.attach(document.querySelector('video'));
window.handle = observeShaka(player, options);
window.player = player;
await player.load(new URLSearchParams(location.search).get('src') ?? '/stream.mpd');
