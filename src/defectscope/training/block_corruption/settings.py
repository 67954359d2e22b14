"""Settings of the training data and of the network of block corruption."""

from __future__ import annotations

from typing import Annotated

from defectscope.detectors.block_corruption.network import DEFAULT_WIDTH
from defectscope.parameters import number, parameters, switch, text

# What ships has seen every way; leaving some out measures how well others carry over to them.
LEAVES_OUT_NOTHING = "nothing"


@parameters
class BlockCorruptionSettings:
    """Settings of the training data and of the network."""

    width: Annotated[int, number(1, 1024, "Channels of the first stage.")] = DEFAULT_WIDTH
    still_clips: Annotated[int, number(0, 100000, "Clips made of every still.")] = 8
    clips_per_s: Annotated[
        float, number(0, 1000, "Clips made of every second of a recording.", above=True)
    ] = 4.0
    most_clips: Annotated[int, number(1, 1000000, "Clips of one recording, at most.")] = 80
    other_codec_clips: Annotated[
        int, number(0, 1000, "More clips of each recording, of AV1, VP9 and others.")
    ] = 0
    frames: Annotated[int, number(2, 10000, "Frames in a clip.")] = 40
    pairs: Annotated[int, number(1, 10000, "Pairs of frames taken from a clip.")] = 8
    stored_px: Annotated[int, number(32, 4096, "Side of the crops in the cache.", "px")] = 256
    crop_px: Annotated[int, number(32, 4096, "Side of the crops that are trained on.", "px")] = 192
    left_out_generator: Annotated[
        str, text("Way of damaging that only the test split sees, such as slice_loss.")
    ] = LEAVES_OUT_NOTHING
    left_out_codec: Annotated[str, text("Encoder likewise, such as libx265.")] = LEAVES_OUT_NOTHING
    left_out_concealment: Annotated[str, text("Decoder setting likewise, such as none.")] = (
        LEAVES_OUT_NOTHING
    )
    with_previous: Annotated[
        bool, switch("The network sees what changed since the frame before.")
    ] = True
    contrast: Annotated[
        float,
        number(
            0,
            1000,
            "Weight of what damaged frames score over the same frames undamaged, "
            "and frames over the one before where damage comes or goes; 0 for the "
            "network of 0.4.",
        ),
    ] = 0.7
