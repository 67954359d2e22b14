"""A page that shows a rendering: filters, directivity, spectra, and an A/B player."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from defectscope.media.source import MediaLike
from defectscope.spatial.arrays import Reals
from defectscope.spatial.chain import RenderSettings, build_chain
from defectscope.spatial.device import load_device
from defectscope.spatial.hrtf import load_head
from defectscope.spatial.measures import (
    band_points_hz,
    ears_of,
    natural_ears,
    response_at,
    separation_db,
    third_octaves_hz,
)
from defectscope.spatial.plots import Curve, frequency_plot, polar_plot
from defectscope.spatial.render import Renderer, sound_blocks

# What the player holds: enough to compare, little enough for a page.
EXCERPT_S = 20.0
_LINE_HZ = np.geomspace(50.0, 18_000.0, 240)
_POLAR_HZ = (250.0, 500.0, 1_000.0, 2_000.0)
_ANGLES_DEG = np.arange(-180.0, 181.0, 1.0)

_LIGHT = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df", "#0a7ea4", "#bf3989", "#57606a")
_DARK = ("#6ea8ff", "#ff7b72", "#56d364", "#e3b341", "#c297ff", "#4fc3e8", "#f778ba", "#b1bac4")
_STYLE = (
    """
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif;--line:#8885;--accent:#1f6feb}
body{max-width:56rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}
h1{margin-bottom:.2rem;line-height:1.2}
audio{display:block;width:100%;max-width:34rem}audio[hidden]{display:none}
figure{margin:2rem 0}figcaption{font-weight:600}
svg{display:block;width:100%;height:auto}svg.round{max-width:30rem}
svg text{fill:currentColor;opacity:.8}.grid{stroke:var(--line)}
.legend{display:flex;flex-wrap:wrap;gap:.1rem 1.2rem;margin:.3rem 0;padding:0;list-style:none}
.legend li{display:flex;align-items:center;gap:.4rem;font-size:.9rem}.legend svg{width:2.1rem}
button{font:inherit;padding:.4rem 1rem;margin-right:.5rem;border:1px solid var(--accent);
 border-radius:.4rem;background:none;color:inherit;cursor:pointer}
button[aria-pressed=true]{background:var(--accent);color:#fff}
kbd{border:1px solid var(--line);border-radius:.2rem;padding:0 .3rem}
table{border-collapse:collapse}
td,th{padding:.2rem .8rem .2rem 0;border-bottom:1px solid var(--line);text-align:left}
@media(max-width:40rem){svg.wide text{font-size:22px}svg.round text{font-size:16px}}
"""
    + "".join(f".c{n}{{stroke:{colour}}}" for n, colour in enumerate(_LIGHT))
    + "@media(prefers-color-scheme:dark){"
    + "".join(f".c{n}{{stroke:{colour}}}" for n, colour in enumerate(_DARK))
    + "}"
)
_SCRIPT = """
const sounds=[...document.querySelectorAll('audio')];
const buttons=[...document.querySelectorAll('[data-n]')];
let now=0;
function follow(){const at=sounds[now];sounds.forEach((s,i)=>{if(i===now)return;
 if(Math.abs(s.currentTime-at.currentTime)>0.03)s.currentTime=at.currentTime;
 s.volume=at.volume;if(at.paused!==s.paused)at.paused?s.pause():s.play();});}
function choose(n){follow();now=n;sounds.forEach((s,i)=>{s.muted=i!==n;s.hidden=i!==n;});
 buttons.forEach((b,i)=>b.setAttribute('aria-pressed',i===n));}
sounds.forEach((s,i)=>{s.muted=i!==0;
 ['play','pause','seeked','volumechange'].forEach(e=>s.addEventListener(e,()=>i===now&&follow()));});
buttons.forEach((b,i)=>b.addEventListener('click',()=>choose(i)));
document.addEventListener('keydown',e=>{if(e.key==='a')choose(0);if(e.key==='b')choose(1);});
"""


def write_page(path: Path, media: MediaLike, settings: RenderSettings) -> None:
    """Writes one self-contained page about a rendering.

    The player compares the plain pair (A) with the rendering (B), both as a measured head hears
    them, or both on headphones, brought to equal loudness (RMS).

    Args:
        path: The HTML file.
        media: What is rendered.
        settings: As for `render_file`.

    Raises:
        DefectscopeError: The media cannot be rendered, or no measured head is at hand.
    """
    at_ears = settings if settings.output == "headphones" else replace(settings, output="binaural")
    rate_hz, sounds = _excerpts(media, at_ears)
    figures = [*_filters(settings, rate_hz), *_separation(settings, rate_hz)]
    figures.append(_spectra(sounds, rate_hz))
    rows = "".join(
        f"<tr><th>{name}</th><td>{html.escape(_shown(getattr(settings, name)))}</td></tr>"
        for name in RenderSettings.__dataclass_fields__
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'><title>Spatial audio</title>"
        f"<style>{_STYLE}</style><h1>Spatial audio</h1>"
        f"<p>{html.escape(_subject(media, settings))}</p>"
        "<p>Listen with headphones. A is the plain pair, B the rendering, at equal loudness; keys "
        "<kbd>a</kbd> and <kbd>b</kbd> switch without a gap.</p><p>"
        "<button data-n=0 aria-pressed=true>A plain</button>"
        "<button data-n=1 aria-pressed=false>B rendered</button></p>"
        + _player(sounds[0], rate_hz, hidden=False)
        + _player(sounds[1], rate_hz, hidden=True)
        + "".join(
            f"<figure><figcaption>{html.escape(t)}</figcaption>{svg}</figure>" for t, svg in figures
        )
        + f"<h2>Settings</h2><table>{rows}</table><script>{_SCRIPT}</script></html>",
        "utf-8",
    )


def _subject(media: MediaLike, settings: RenderSettings) -> str:
    """Returns what was rendered, and for what."""
    name = Path(media).name if isinstance(media, (str, Path)) else "sound"
    if settings.output == "headphones":
        return f"{name}, for headphones"
    device = load_device(settings.device)
    if settings.output == "binaural":
        return f"{name}, what a measured head hears of {device.name}: {device.title}"
    return f"{name}, for {device.name}: {device.title}"


def _excerpts(media: MediaLike, settings: RenderSettings) -> tuple[int, list[Reals]]:
    """Returns the first seconds, plain and rendered, equally loud, (2, samples) each."""
    rate_hz, channels, blocks = sound_blocks(media)
    kept: list[Reals] = []
    held = 0
    for block in blocks:
        kept.append(block)
        held += block.shape[1]
        if held >= EXCERPT_S * rate_hz:
            break
    empty = np.zeros((len(channels), 0))
    samples = np.concatenate([empty, *kept], axis=1)[:, : int(EXCERPT_S * rate_hz)]
    sounds: list[Reals] = []
    for processed in (False, True):
        renderer = Renderer(rate_hz, channels, replace(settings, processed=processed))
        sounds.append(np.concatenate([renderer.push(samples), renderer.flush()], axis=1))
    level = [float(np.sqrt(np.mean(s**2))) if s.size else 0.0 for s in sounds]
    if min(level) > 0:
        sounds[1] = sounds[1] * (level[0] / level[1])
    peak = max(float(np.abs(s).max(initial=0.0)) for s in sounds)
    return rate_hz, [s / max(1.0, peak) for s in sounds]


def _player(sound: Reals, rate_hz: int, *, hidden: bool) -> str:
    file = io.BytesIO()
    soundfile.write(file, sound.T, rate_hz, "PCM_16", format="FLAC")
    data = base64.b64encode(file.getvalue()).decode()
    attribute = " hidden" if hidden else ""
    return f"<audio controls loop{attribute} src='data:audio/flac;base64,{data}'></audio>"


def _filters(settings: RenderSettings, rate_hz: int) -> list[tuple[str, str]]:
    line = _LINE_HZ[rate_hz / 2 > _LINE_HZ]
    own = settings if settings.output == "headphones" else replace(settings, output="drivers")
    chain = build_chain(own, rate_hz)
    response = response_at(chain.taps, rate_hz, line)
    figures: list[tuple[str, str]] = []
    for title, column in (
        ("Filters of the left side, by output", 0),
        ("Filters of the centre, by output", 1),
    ):
        curves = [
            Curve(name, line, _db(response[row, column])) for row, name in enumerate(chain.names)
        ]
        figures.append((title, frequency_plot(curves, (-40.0, 15.0), "level, dB")))
    if settings.output != "headphones":
        device = load_device(settings.device)
        if len(device.drivers) > 2:
            from defectscope.spatial.beam import beam_filters, directivity_db

            beam = beam_filters(device, rate_hz, null_db=settings.null_db)
            tones = np.array([hz for hz in _POLAR_HZ if hz < rate_hz / 2])
            levels = directivity_db(device, beam, rate_hz, tones, _ANGLES_DEG)
            curves = [
                Curve(f"{hz:g} Hz", _ANGLES_DEG, row) for hz, row in zip(tones, levels, strict=True)
            ]
            figures.append(("Directivity of the centre's beam", polar_plot(curves)))
    return figures


def _separation(settings: RenderSettings, rate_hz: int) -> list[tuple[str, str]]:
    """Returns how far a measured head's ears are apart, for the plain pair and the rendering."""
    if settings.output == "headphones":
        return []
    device = load_device(settings.device)
    head = load_head(settings.head) if settings.head else load_head()
    bands = third_octaves_hz(high_hz=min(8_000.0, 0.4 * rate_hz))
    points = band_points_hz(bands).ravel()
    taps = build_chain(replace(settings, output="drivers"), rate_hz).taps[:, [0, 2]]
    curves = [
        Curve(name, bands, separation_db(ears, len(bands)))
        for name, ears in (
            ("plain", natural_ears(device, head, points)),
            ("rendered", ears_of(device, taps, rate_hz, head, points)),
        )
    ]
    title = "The near ear over the far one, of a sound hard at one side, at the measured head"
    return [(title, frequency_plot(curves, (-10.0, 40.0), "level, dB"))]


def _spectra(sounds: Sequence[Reals], rate_hz: int) -> tuple[str, str]:
    curves: list[Curve] = []
    for name, sound in zip(("plain", "rendered"), sounds, strict=True):
        size = 8192
        whole = sound.shape[1] // size * size
        if not whole:
            return "Spectra at the left ear", "<p>Too short.</p>"
        frames = sound[0, :whole].reshape(-1, size) * np.hanning(size)
        power = np.mean(np.abs(np.fft.rfft(frames)) ** 2, axis=0)
        grid = np.fft.rfftfreq(size, 1 / rate_hz)
        line = _LINE_HZ[rate_hz / 2 > _LINE_HZ]
        smooth = [power[np.abs(np.log2(np.maximum(grid, 1) / f)) <= 1 / 6].mean() for f in line]
        curves.append(Curve(name, line, 10 * np.log10(np.maximum(np.array(smooth), 1e-12))))
    top = max(float(curve.y.max()) for curve in curves)
    shown = [Curve(c.name, c.x, c.y - top) for c in curves]
    return "Spectra at the left ear, third octaves", frequency_plot(
        shown, (-60.0, 3.0), "level, dB"
    )


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _db(values: Reals | np.ndarray) -> Reals:
    return 20 * np.log10(np.maximum(np.abs(values), 1e-6))
