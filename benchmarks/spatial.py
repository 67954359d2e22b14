# ruff: noqa: E501  (tables of results are as wide as they are)
"""Measures spatial audio: cancellation, beam, upmix, room, speed; prints a page of results.

    python benchmarks/spatial.py --audio FOLDER --second SOFA > docs/results/spatial.md

Filters are designed on the spherical head and evaluated on MIT's KEMAR, and on a second head where
one is given (`spatial_browser_head.py` writes one). FOLDER holds the recordings that the tables
name; without it the upmix is left out.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
from spatial_room import room
from spatial_upmix import upmixing

from defectscope.spatial import (
    NARROW_PAIR,
    Listener,
    beam_filters,
    crosstalk_filters,
    directivity_db,
    load_device,
    load_head,
)
from defectscope.spatial.beam import beam_gain
from defectscope.spatial.cancellation import driver_gain
from defectscope.spatial.chain import RenderSettings, build_chain
from defectscope.spatial.level import level_for_target
from defectscope.spatial.measures import (
    band_points_hz,
    cancellation_db,
    ears_of,
    image_angle_deg,
    level_angle_deg,
    natural_ears,
    separation_db,
    third_octaves_hz,
    tone_db,
)
from defectscope.spatial.render import Renderer

RATE = 48_000
CENTRES = third_octaves_hz()
BANDS = len(CENTRES)
POINTS = band_points_hz(CENTRES).ravel()
LINE = np.arange(200.0, 8_000.0, 20.0)
# Of cancellation, dB.
TARGETS = (10.0, 15.0)
PLACES = {
    "at the device's own place": Listener(0.0, 1.0),
    "head turned by 5 degrees": Listener(0.0, 1.0, 5.0),
    "head turned by 10 degrees": Listener(0.0, 1.0, 10.0),
    "head turned by 15 degrees": Listener(0.0, 1.0, 15.0),
    "30 cm to the right": Listener(0.3, 1.0, 16.7),
    "30 cm to the left": Listener(-0.3, 1.0, -16.7),
    "at 2 m": Listener(0.0, 2.0),
    "at 3 m": Listener(0.0, 3.0),
    "at 4 m": Listener(0.0, 4.0),
    "off the axis by 45 degrees": Listener(0.7071, 0.7071, 45.0),
}


def cancellation(say: Any) -> None:
    """Prints cancellation by target, by band and by place."""
    head, device = load_head(), load_device("two_narrow")
    natural = natural_ears(device, head, POINTS)
    say("\n## Cancellation\n")
    say("Two drivers at ±10 degrees (`two_narrow`), cap 7 dB, level -6 dB, 256 taps at 48 kHz.")
    say("Gain over the natural crosstalk on KEMAR, mean of decibels over the third-octave bands")
    say(
        f"from 200 Hz to 8 kHz; nature alone separates {separation_db(natural, BANDS).mean():.1f} dB.\n"
    )
    say(
        "| target | mean gain | lowest band | driver gain | tone of the sides | with 0.85, 5.3 kHz, 64 µs |"
    )
    say("|---|---|---|---|---|---|")
    rows = []
    for target in (6.0, 10.0, 12.0, 15.0, 20.0):
        cells = []
        for numbers in (None, NARROW_PAIR):
            taps = crosstalk_filters(device, RATE, target, crosstalk=numbers)
            ears = ears_of(device, taps, RATE, head, POINTS)
            gain = cancellation_db(ears, natural, BANDS)
            tone = tone_db(ears, natural, BANDS)
            cells.append((gain, tone, 20 * np.log10(driver_gain(taps).max())))
        gain, tone, most = cells[0]
        middle = (tone.max() + tone.min()) / 2
        say(
            f"| {target:g} dB | {gain.mean():.2f} dB | {gain.min():.1f} dB | {most:.2f} dB "
            f"| ±{(tone.max() - tone.min()) / 2:.2f} dB about {middle:.1f} dB | {cells[1][0].mean():.2f} dB |"
        )
        rows.append((target, gain, tone))
    say("\n| band, Hz | " + " | ".join(f"{c:.0f}" for c in CENTRES) + " |")
    say("|---|" + "---|" * BANDS)
    for target, gain, _ in rows:
        say(f"| T = {target:g} dB | " + " | ".join(f"{g:.1f}" for g in gain) + " |")
    say("\n### Level against cancellation\n")
    say(
        "The cap bounds the gain from programme to drivers; the level at the ears may be lowered to"
    )
    say("leave it room at low frequencies. T = 15 dB.\n")
    say("| level | mean gain on KEMAR |\n|---|---|")
    for level in (0.0, -2.0, -4.0, -6.0, -8.0):
        taps = crosstalk_filters(device, RATE, 15.0, level_db=level)
        ears = ears_of(device, taps, RATE, head, POINTS)
        say(f"| {level:g} dB | {cancellation_db(ears, natural, BANDS).mean():.2f} dB |")
    places(say, head, device)
    others(say, head)


def places(say: Any, head: Any, device: Any) -> None:
    """Prints what becomes of the cancellation where the listener moves."""
    say("\n### Head turns and places\n")
    say(
        "`steered`: filters made for the place named, by a device that knows where the listener is, at"
    )
    say(
        "the level that `level_for_target` finds for it, in brackets; driver gain and tone of the sides"
    )
    say(
        "are theirs, for T = 15 dB. `fixed`: filters for the device's own place, whoever moves. The goals"
    )
    say(
        "of 9 dB for T = 10 and 13 dB for T = 15 hold steered at every place; fixed, the first holds for"
    )
    say(
        "head turns up to 15 degrees, the second up to 5, and neither elsewhere. The head faces the device"
    )
    say("unless it is turned.\n")
    place_rows(say, head, device)
    image(say, head, device)


def place_rows(say: Any, head: Any, device: Any) -> None:
    """Prints a table of the places: filters made for each, and filters that stay as they are."""
    say(
        "| place | nature | steered, T = 10 dB | steered, T = 15 dB | driver gain | tone | fixed, 10 | fixed, 15 |"
    )
    say("|---|---|---|---|---|---|---|---|")
    for name, place in PLACES.items():
        natural = natural_ears(device, head, POINTS, place)
        cells = [f"{separation_db(natural, BANDS).mean():.1f} dB"]
        levels = [level_for_target(device, RATE, target, listener=place) for target in TARGETS]
        filters = [
            crosstalk_filters(device, RATE, target, listener=place, level_db=level)
            for target, level in zip(TARGETS, levels, strict=True)
        ]
        steered = [ears_of(device, taps, RATE, head, POINTS, place) for taps in filters]
        cells += [
            f"{cancellation_db(ears, natural, BANDS).mean():.2f} dB ({level:.0f})"
            for ears, level in zip(steered, levels, strict=True)
        ]
        tone = tone_db(steered[-1], natural, BANDS)
        cells.append(f"{20 * np.log10(driver_gain(filters[-1]).max()):.2f} dB")
        cells.append(f"±{(tone.max() - tone.min()) / 2:.2f} dB")
        cells += [f"{gain:.1f}" for gain, _ in fixed(device, head, natural, place)]
        say(f"| {name} | {' | '.join(cells)} |")


def fixed(
    device: Any, head: Any, natural: Any, place: Listener | None = None
) -> list[tuple[float, float]]:
    """Returns mean cancellation, dB, and driver gain of the device's own filters, per target."""
    filters = [crosstalk_filters(device, RATE, target) for target in TARGETS]
    heard = [ears_of(device, taps, RATE, head, POINTS, place) for taps in filters]
    return [
        (float(cancellation_db(ears, natural, BANDS).mean()), float(driver_gain(taps).max()))
        for ears, taps in zip(heard, filters, strict=True)
    ]


def second_head(say: Any, path: Path) -> None:
    """Prints the goals on a head that nothing was chosen by."""
    head, device = load_head(path), load_device("two_narrow")
    say("\n### A second head\n")
    say("The composite of listeners measured at IRCAM that browsers carry (`python benchmarks/")
    say(
        "spatial_browser_head.py`), one direction every 15 degrees, between which one interpolates. Nothing"
    )
    say("was chosen by it.\n")
    place_rows(say, head, device)
    others(say, head, ", on the second head")


def image(say: Any, head: Any, device: Any) -> None:
    """Prints where a head hears what is hard left and right, from every place."""
    say("\n### The image: width and bias\n")
    say(
        "A sound that is hard left or right, by the interaural delay below 1.5 kHz / by the interaural"
    )
    say(
        "level from 1.5 to 8 kHz: width is the angle between both, bias how far their middle lies off the"
    )
    say(
        "device's axis, degrees, positive to the left; KEMAR's own cues translate both into angles."
    )
    say("T = 15 dB.\n")
    say(
        "| place | plain width | width, fixed | width, steered | plain bias | bias, fixed | bias, steered |"
    )
    say("|---|---|---|---|---|---|---|")
    for name, place in PLACES.items():
        axis = np.degrees(np.arctan2(place.x_m, place.y_m)) - place.turn_deg
        level = level_for_target(device, RATE, 15.0, listener=place)
        steered = crosstalk_filters(device, RATE, 15.0, listener=place, level_db=level)
        heard = [
            natural_ears(device, head, LINE, place),
            ears_of(device, crosstalk_filters(device, RATE, 15.0), RATE, head, LINE, place),
            ears_of(device, steered, RATE, head, LINE, place),
        ]
        width, bias = [], []
        for ears in heard:
            ends = [
                [find(ears[:, :, n], LINE, head, front_deg=axis) for n in (0, 1)]
                for find in (image_angle_deg, level_angle_deg)
            ]
            width.append(" / ".join(f"{a - b:.0f}" for a, b in ends))
            bias.append(" / ".join(f"{(a + b) / 2:+.0f}" for a, b in ends))
        say(f"| {name} | {' | '.join([*width, *bias])} |")


def others(say: Any, head: Any, where: str = "") -> None:
    """Prints the other devices, and virtualisation."""
    say(f"\n### Other devices, and a virtual pair{where}\n")
    say(
        "| device | nature separates | T = 10 dB | T = 15 dB | driver gain | tone, T = 12 dB |\n|---|---|---|---|---|---|"
    )
    for name in ("two_narrow", "three_front", "bar_of_five"):
        device = load_device(name)
        natural = natural_ears(device, head, POINTS)
        made = fixed(device, head, natural)
        gains, most = [gain for gain, _ in made], max(drive for _, drive in made)
        ears = ears_of(device, crosstalk_filters(device, RATE), RATE, head, POINTS)
        tone = tone_db(ears, natural, BANDS)
        say(
            f"| `{name}` | {separation_db(natural, BANDS).mean():.1f} dB | {gains[0]:.1f} dB | {gains[1]:.1f} dB "
            f"| {20 * np.log10(most):.2f} dB | ±{(tone.max() - tone.min()) / 2:.1f} dB |"
        )
    device = load_device("two_narrow")
    taps = crosstalk_filters(device, RATE, virtual_deg=30.0)
    ends = []
    for ears in (natural_ears(device, head, LINE), ears_of(device, taps, RATE, head, LINE)):
        ends.append(
            [
                find(ears[:, :, 0], LINE, head) - find(ears[:, :, 1], LINE, head)
                for find in (image_angle_deg, level_angle_deg)
            ]
        )
    say(
        f"\nVirtualisation to ±30 degrees widens the pair from {ends[0][0]:.0f} / {ends[0][1]:.0f} degrees "
        f"(by delay / by level) to {ends[1][0]:.0f} / {ends[1][1]:.0f}; a real pair has 60."
    )


def tone(say: Any) -> None:
    """Prints the tone of the centre on KEMAR."""
    head = load_head()
    say("\n### Tone of the centre\n")
    say(
        "Power at KEMAR's ears against what it should be, third octaves 200 Hz to 8 kHz: for two drivers"
    )
    say("the phantom centre of the plain pair; for a beam a source straight ahead.\n")
    say("| device | range | about |\n|---|---|---|")
    for name in ("two_narrow", "three_front", "bar_of_five"):
        device = load_device(name)
        chain = build_chain(RenderSettings(device=name), RATE)
        ears = ears_of(device, chain.taps[:, 1:2], RATE, head, POINTS)
        if len(device.drivers) == 2:
            wanted = natural_ears(device, head, POINTS).sum(axis=2, keepdims=True)
        else:
            band = device.drivers[device.left].band_gain(POINTS)
            wanted = 2 * (head.response(0.0, POINTS) * band).T[:, :, None]
        level = tone_db(ears, wanted, BANDS)
        say(
            f"| `{name}` | ±{(level.max() - level.min()) / 2:.2f} dB | {(level.max() + level.min()) / 2:.1f} dB |"
        )


def beam(say: Any) -> None:
    """Prints the beam's levels and what it does in a room."""
    say("\n## Beam\n")
    say("Nulls at ±90 degrees, -30 dB asked for, cap 12 dB, 1024 taps; point sources, far field,")
    say("200 Hz to 2 kHz in 200 steps.\n")
    say("| device | loudest at ±90 | softest at ±45 | driver gain |\n|---|---|---|---|")
    band = np.geomspace(200, 2_000, 200)
    for name in ("two_narrow", "three_front", "bar_of_five"):
        taps = beam_filters(name, RATE)
        level = directivity_db(name, taps, RATE, band, np.array([-90.0, 90.0, -45.0, 45.0]))
        say(
            f"| `{name}` | {level[:, :2].max():.1f} dB | {level[:, 2:].min():.1f} dB "
            f"| {20 * np.log10(beam_gain(taps).max()):.1f} dB |"
        )
    taps = beam_filters("three_front", RATE)
    taps[2] *= 10 ** (1 / 20)
    level = directivity_db("three_front", taps, RATE, band, np.array([-90.0, 90.0]))
    worst, middle = level.max(), np.median(level.max(axis=1))
    say(
        f"\nWith the front driver of `three_front` 1 dB too loud the nulls end at {worst:.1f} dB, half of"
    )
    say(f"them above {middle:.1f} dB.")
    room(say)


def speed(say: Any) -> None:
    """Prints how fast a rendering is, in processor time."""
    say("\n## Speed and latency\n")
    say(
        "48 kHz stereo noise, 60 s in blocks of 4,800 samples, processor time of one process with one"
    )
    say("thread, without decoding and encoding, on a machine busy with other work.\n")
    say("| device | times real time | latency of the streaming form |\n|---|---|---|")
    noise = np.random.default_rng(2).normal(0, 0.1, (2, 4_800))
    for name in ("two_narrow", "three_front", "bar_of_five"):
        renderer = Renderer(RATE, ("FL", "FR"), RenderSettings(device=name))
        began = time.process_time()
        for _ in range(600):
            renderer.push(noise)
        renderer.flush()
        spent = time.process_time() - began
        say(f"| `{name}` | {60 / spent:.0f} | {renderer.latency_samples / RATE * 1000:.1f} ms |")


def main() -> None:
    """Prints the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--audio", type=Path, help="folder of the recordings")
    parser.add_argument("--second", type=Path, help="SOFA file of a second head")
    arguments = parser.parse_args()
    audio = arguments.audio
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    print("# Spatial audio, measured\n")
    print("`python benchmarks/spatial.py --audio FOLDER --second SOFA`, commit", commit + ".")
    print(
        "Filters are designed on a rigid sphere and evaluated on MIT's KEMAR (Gardner and Martin 1994),"
    )
    print(
        "which is in no filter. It was in view when rules were chosen: how the target is spread over"
    )
    print(
        "frequency, where inner drivers stop, how much level a cap may cost. The second head was not:"
    )
    print("it was measured once, at the end. Figures of a model of hearing, not of listeners.")
    cancellation(print)
    if arguments.second is not None:
        second_head(print, arguments.second)
    tone(print)
    beam(print)
    upmixing(print, audio)
    speed(print)


if __name__ == "__main__":
    main()
