import { MediaPlayer } from 'dashjs';
import { observeDash } from '@defectscope/player/adapters/dash';

/** Files of the package lie beside the page: a worker must come from its own origin. */
const options = {
  base: '/player/',
  content: 'title-1',
  device: 'desktop',
  onFinding: ({ state, kind, start_s, end_s }) => console.log(state, kind, start_s, end_s),
};

const player = MediaPlayer().create();
player.initialize(document.querySelector('video'), new URLSearchParams(location.search).get('src') ?? '/stream.mpd', true);
window.handle = observeDash(player, options);
window.player = player;
