# ruff: noqa: E501  (tables of results are as wide as they are)
"""The upmix measured on recordings: separation of a voice, and where panned sources stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from scipy.linalg import solve, toeplitz
from scipy.signal import fftconvolve, resample_poly

from defectscope.spatial import load_device, load_head, upmix
from defectscope.spatial.chain import RenderSettings, build_chain
from defectscope.spatial.measures import ears_of, image_angle_deg

RATE = 48_000
ANGLES = (-25, -20, -10, -5, 0, 5, 10, 20, 25)
VOICE = "nr_fish.flac"
MUSICS = {
    "sparse": [
        ("sqam_a35_glockenspiel.flac", "sqam_a25_harp.flac"),
        ("sqam_a58_guitar_sarasate.flac", "sqam_a41_celesta.flac"),
    ],
    "dense": [
        ("sqam_a66_wind_ensemble_stravinsky.flac", "ac_bach.mp3"),
        ("arc_1918.mp3", "sqam_a42_accordion.flac"),
    ],
}
# Looked at in summary: each voice between each pair, the first seconds of it.
MORE_VOICES = ("nr_fish.flac", "vctk_p286.flac", "svc_1.flac", "198-209-0000.ogg")
MORE_MUSICS = {
    "sparse": [
        *MUSICS["sparse"],
        ("sqam_a08_violin.flac", "sqam_a16_clarinet.flac"),
        ("sqam_a60_piano_schubert.flac", "sqam_a18_bassoon.flac"),
        ("sorohanro_-_solo-trumpet-06.ogg", "sqam_a41_celesta.flac"),
    ],
    "dense": [
        *MUSICS["dense"],
        ("ac_electro_1.mp3", "ac_electro_2.mp3"),
        ("Kevin_MacLeod_-_Vibe_Ace.ogg", "Karissa_Hobbs_-_Lets_Go_Fishin.ogg"),
        (
            "admiralbob77_-_Choice_-_Drum-bass.ogg",
            "Hungarian_Dance_number_5_-_Allegro_in_F_sharp_minor__string_orchestra_.ogg",
        ),
    ],
}
MORE_SECONDS = 8


def sdr_parts(estimate: Any, sources: list[Any], taps: int = 512) -> tuple[float, float]:
    """Returns SIR and SAR in decibels (Vincent et al. 2006, filters of 512 taps), of source 0."""
    size = 1 << int(np.ceil(np.log2(2 * len(estimate))))
    spectra = [np.fft.rfft(s, size) for s in sources]
    wanted = np.fft.rfft(estimate, size)
    project = []
    for count in (1, len(sources)):
        matrix = np.empty((count * taps, count * taps))
        right = np.empty(count * taps)
        for i in range(count):
            cross = np.fft.irfft(np.conj(spectra[i]) * wanted, size)
            right[i * taps : (i + 1) * taps] = cross[:taps]
            for j in range(count):
                auto = np.fft.irfft(np.conj(spectra[i]) * spectra[j], size)
                block = toeplitz(auto[:taps], auto[-np.arange(taps)])
                matrix[i * taps : (i + 1) * taps, j * taps : (j + 1) * taps] = block
        matrix += np.eye(len(matrix)) * 1e-9 * np.trace(matrix) / len(matrix)
        filters = solve(matrix, right, assume_a="sym").reshape(count, taps)
        project.append(
            sum(fftconvolve(s, f)[: len(estimate)] for s, f in zip(sources, filters, strict=False))
        )
    target, all_sources = project
    sir = 10 * np.log10(np.sum(target**2) / np.sum((all_sources - target) ** 2))
    sar = 10 * np.log10(np.sum(all_sources**2) / np.sum((estimate - all_sources) ** 2))
    return float(sir), float(sar)


def recording(folder: Path, name: str) -> Any:
    """Returns a recording from somewhere below a folder as mono at 44.1 kHz."""
    path = next(folder.rglob(name), None)
    if path is None:
        raise SystemExit(f"{name} is not below {folder}")
    data, rate = soundfile.read(path, always_2d=True)
    mono = data.mean(axis=1)
    return mono if rate == 44_100 else resample_poly(mono, 44_100, rate)


def upmixing(say: Any, audio: Path | None) -> None:
    """Prints what the upmix does to a voice between two musics."""
    say("\n## Upmix\n")
    rng = np.random.default_rng(5)
    pair = rng.normal(0, 0.2, (2, RATE * 4))
    parts = upmix(pair, RATE)
    error = np.abs(parts[[0, 2]] + parts[1] - pair).max()
    mono = upmix(np.stack([pair[0]] * 2), RATE)
    inverted = upmix(np.stack([pair[0], -pair[0]]), RATE)

    def energy(signal: Any) -> float:
        return float(np.sum(np.asarray(signal) ** 2))

    say(
        f"Reconstruction error {error:.1e}; of mono {energy(mono[0]) / energy(pair[0]):.0e} of the energy is not in the"
    )
    say(f"centre; of an inverted pair {energy(inverted[1]) / energy(pair[0]):.0e} is in it.\n")
    say(
        f"Of two noises that share nothing, the left and right that remain correlate by {np.corrcoef(parts[0], parts[2])[0, 1]:+.2f}: powers"
    )
    say(
        "smoothed over a short time agree by chance, and what agrees goes to the centre; "
        f"centre and L - R correlate by {np.corrcoef(parts[1], pair[0] - pair[1])[0, 1]:+.3f}.\n"
    )
    if audio is None:
        say("The recordings were left out.")
        return
    say(
        f"A voice (`{VOICE}`) in the middle, one music on either side, each at 0 dB of the voice. SIR and SAR"
    )
    say("as Vincent et al. 2006 with filters of 512 taps. Correlations over the whole recording.\n")
    say(
        "| musics | kind | SIR of the centre | SAR | correlation, centre and L - R | left and right that remain |"
    )
    say("|---|---|---|---|---|---|")
    for kind, pairs in MUSICS.items():
        for names in pairs:
            sounds = [recording(audio, name) for name in (VOICE, *names)]
            sir, sar, apart, remaining = separation(sounds)
            say(
                f"| {names[0]}, {names[1]} | {kind} | {sir:.1f} dB | {sar:.1f} dB "
                f"| {apart:+.3f} | {remaining:+.3f} |"
            )
    many(say, audio)
    width(say, audio)


def separation(sounds: list[Any]) -> tuple[float, float, float, float]:
    """Returns SIR and SAR of the centre, dB, and correlations: centre and L - R, what remains."""
    length = min(len(s) for s in sounds)
    voice, one, two = (s[:length] / np.sqrt(np.mean(s[:length] ** 2)) for s in sounds)
    mixed = 0.1 * np.stack([voice + one, voice + two])
    left, centre, right = upmix(mixed, 44_100)
    sir, sar = sdr_parts(centre, [voice, one, two])
    apart = float(np.corrcoef(centre, mixed[0] - mixed[1])[0, 1])
    return sir, sar, apart, float(np.corrcoef(left, right)[0, 1])


def many(say: Any, audio: Path) -> None:
    """Prints a summary over more voices and musics."""
    say(
        f"\nThe same over {len(MORE_VOICES)} voices ({', '.join(MORE_VOICES)}) and five pairs of musics of each kind, the"
    )
    say(f"first {MORE_SECONDS} s of each.\n")
    say(
        "| kind | mixtures | SIR: least | median | most | SAR, median | largest correlation of what remains |"
    )
    say("|---|---|---|---|---|---|---|")
    for kind, pairs in MORE_MUSICS.items():
        rows = []
        for names in pairs:
            for voice in MORE_VOICES:
                sounds = [recording(audio, name) for name in (voice, *names)]
                rows.append(separation([s[: MORE_SECONDS * 44_100] for s in sounds]))
        sirs, sars, _, remaining = np.array(rows).T
        say(
            f"| {kind} | {len(rows)} | {sirs.min():.1f} dB | {np.median(sirs):.1f} dB | {sirs.max():.1f} dB "
            f"| {np.median(sars):.1f} dB | {np.abs(remaining).max():.3f} |"
        )


def width(say: Any, audio: Path) -> None:
    """Prints how far panned sources move by the upmix, on three loudspeakers and on devices."""
    say(
        "\nHow far a voice moves that was panned by the law of tangents, by KEMAR's interaural delay, degrees."
    )
    say(
        "First with the centre from a third loudspeaker between two at ±30 degrees, by its gain: 1.41 keeps"
    )
    say(
        "the power, 1.73 the amplitude ahead, 1.57 lies halfway. Then on the devices as they render, against"
    )
    say("the same filters without an upmix.\n")
    say(f"| panned to | {' | '.join(str(a) for a in ANGLES)} | largest |")
    say("|---|" + "---|" * (len(ANGLES) + 1))
    head, voice = load_head(), recording(audio, VOICE)
    size = 1 << int(np.ceil(np.log2(len(voice) + 1)))
    grid = np.fft.rfftfreq(size, 1 / 44_100)
    inside = np.flatnonzero((grid >= 200) & (grid <= 1_500))[::16]
    line = grid[inside]
    front = np.stack([head.response(a, line).T for a in (30.0, 0.0, -30.0)], axis=2)
    played: list[tuple[str, Any]] = [
        (f"centre at a gain of {gain:.2f}", front * np.array([1, gain, 1]))
        for gain in (2**0.5, 6**0.25, 3**0.5)
    ]
    for name in ("two_narrow", "three_front", "bar_of_five"):
        chain = build_chain(RenderSettings(device=name), 44_100)
        ears = ears_of(load_device(name), chain.taps, 44_100, head, line)
        played.append((f"`{name}`", ears))
    parts = []
    for angle in ANGLES:
        ratio = np.tan(np.radians(angle)) / np.tan(np.radians(30))
        gains = np.array([1 + ratio, 1 - ratio]) / np.hypot(1 + ratio, 1 - ratio)
        pair = gains[:, None] * voice
        alone = np.stack([pair[0], np.zeros(len(voice)), pair[1]])
        parts.append([np.fft.rfft(x, size)[:, inside] for x in (alone, upmix(pair, 44_100))])
    for name, paths in played:
        moved = []
        for spectra in parts:
            found = [
                image_angle_deg(np.einsum("fei,if->fe", paths, x), line, head) for x in spectra
            ]
            moved.append(found[1] - found[0])
        cells = " | ".join(f"{m:+.1f}" for m in moved)
        say(f"| {name} | {cells} | {max(abs(m) for m in moved):.1f} |")
