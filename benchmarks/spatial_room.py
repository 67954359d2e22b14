# ruff: noqa: E501  (tables of results are as wide as they are)
"""What the beam does in a simulated living room."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

from defectscope.spatial import beam_filters, load_device
from defectscope.spatial.interaural import interaural_coherence


def room(say: Any) -> None:
    """Prints the direct-to-reverberant ratio and coherence in a living room."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pyroomacoustics as pra
    except ImportError:
        say("\nThe room was left out: pyroomacoustics is not installed.")
        return
    say(
        "\nA living room of 5.2 x 4.1 x 2.6 m by image sources (pyroomacoustics, order 30), all walls"
    )
    say(
        "absorb 25 % of the energy; `three_front` 0.5 m from a wall; two microphones 17.5 cm apart as"
    )
    say("ears, without a head; 200 Hz to 2 kHz.\n")
    say(
        "| distance | DRR, left driver alone | DRR, pair | DRR, beam | coherence, pair | coherence, beam |"
    )
    say("|---|---|---|---|---|---|")
    device, rate = load_device("three_front"), 16_000
    taps = beam_filters(device, rate)
    low_cut = butter(4, [200, 2_000], "band", fs=rate, output="sos")
    pair = np.zeros_like(taps)
    pair[[device.left, device.right], taps.shape[1] // 2] = 0.5
    single = np.zeros_like(taps)
    single[device.left, taps.shape[1] // 2] = 1.0
    noise = np.random.default_rng(1).normal(size=rate * 8)
    for distance in (1.0, 2.0, 3.0):
        paths = []
        for order in (0, 30):
            box = pra.ShoeBox(
                [5.2, 4.1, 2.6], fs=rate, materials=pra.Material(0.25), max_order=order
            )
            for driver in device.drivers:
                box.add_source([0.5 + driver.y_m, 1.9 - driver.x_m, 1.0])
            ears = np.array([[0.5 + distance] * 2, [1.9 + 0.0875, 1.9 - 0.0875], [1.1, 1.1]])
            box.add_microphone_array(ears)
            box.compute_rir()
            paths.append(box.rir)
        longest = max(len(r) for row in paths[1] for r in row)
        drr, coherence = [], []
        for filters in (single, pair, beam_filters(device, rate)):
            ears = []
            for path in paths:
                both = []
                for ear in (0, 1):
                    total = np.zeros(longest + taps.shape[1])
                    for number in range(len(device.drivers)):
                        part = fftconvolve(path[ear][number], filters[number])
                        total[: len(part)] += part
                    both.append(sosfilt(low_cut, total))
                ears.append(np.array(both))
            direct, whole = ears
            drr.append(10 * np.log10(np.sum(direct**2) / np.sum((whole - direct) ** 2)))
            sound = [fftconvolve(noise, ear) for ear in whole]
            coherence.append(interaural_coherence(sound[0], sound[1], rate))
        say(
            f"| {distance:g} m | {drr[0]:.1f} dB | {drr[1]:.1f} dB | {drr[2]:.1f} dB ({drr[2] - drr[1]:+.1f}) "
            f"| {coherence[1]:.2f} | {coherence[2]:.2f} ({coherence[2] - coherence[1]:+.2f}) |"
        )
