"""hard negatives: material that looks or sounds like a defect and is none.

Each hard negative names the detectors that must stay silent on it. All are synthesised from a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike

import numpy as np

from defectscope.errors import UnknownDetectorError
from defectscope.media.frames import Frame, Samples
from defectscope.media.writer import AudioEncoding, VideoEncoding, write_clip
from defectscope.simulate.synthetic import hard_negative_frames as frames
from defectscope.simulate.synthetic import hard_negative_sounds as sounds
from defectscope.simulate.synthetic import hard_negatives_on_black as on_black
from defectscope.simulate.synthetic.soundscape import Sound, runs_of

RATE_HZ = 48000


@dataclass(frozen=True, slots=True, kw_only=True)
class HardNegative:
    """One hard negative.

    Attributes:
        name: What it is called.
        summary: What it is, in one line.
        silent: Detectors that must find nothing in it.
        frame: Returns its frames from a seed, None for sound alone.
        sound: Returns (samples, channels) float32 at 48 kHz from a seed, None for video alone.
        rate: Frames per second.
    """

    name: str
    summary: str
    silent: tuple[str, ...]
    frame: Callable[[int], Iterator[Frame]] | None = None
    sound: Callable[[int], Sound] | None = None
    rate: Fraction = Fraction(25)

    def frames(self, seed: int) -> Iterator[Frame]:
        """Returns its frames, one tick of 1/rate apart; none for sound alone."""
        return iter(()) if self.frame is None else self.frame(seed)

    def runs(self, seed: int) -> Iterator[Samples]:
        """Returns its sound; none for video alone."""
        return iter(()) if self.sound is None else runs_of(self.sound(seed))

    def write(self, path: str | PathLike[str], seed: int) -> None:
        """Writes it as a file: H.264 at a fine quality, or PCM sound.

        Args:
            path: Where; the suffix names the container, which must hold PCM where there is sound.
            seed: Everything follows from it.
        """
        video = None
        if self.frame is not None:
            size = (frames.WIDTH, frames.HEIGHT)
            video = VideoEncoding(*size, self.rate, crf=14.0)
        audio = None
        if self.sound is not None:
            channels = np.shape(self.sound(seed))[1]
            layout = "mono" if channels == 1 else "stereo"
            audio = AudioEncoding(RATE_HZ, layout, codec="pcm_s24le")
        write_clip(path, frames=self.frames(seed), runs=self.runs(seed), video=video, audio=audio)


HARD_NEGATIVES: tuple[HardNegative, ...] = (
    HardNegative(
        name="night_scene",
        summary="a street at night: dark, grainy, a few lamps",
        silent=("black_frames", "freeze", "letterbox", "blur"),
        frame=frames.night_scene,
    ),
    HardNegative(
        name="fade_to_near_black",
        summary="a fade that stops just above black, and back",
        silent=("black_frames", "freeze", "flicker"),
        frame=frames.fade_to_near_black,
    ),
    HardNegative(
        name="spotlit_stage",
        summary="a lit centre in a dark hall whose edges are noise, not bars",
        silent=("letterbox", "black_frames"),
        frame=frames.spotlit_stage,
    ),
    HardNegative(
        name="tripod_shot",
        summary="a camera on a tripod, nothing moves but the grain",
        silent=("freeze", "stutter", "video_noise"),
        frame=frames.tripod_shot,
    ),
    HardNegative(
        name="film_grain",
        summary="moving video with the grain of clean film",
        silent=("video_noise", "freeze", "interlacing"),
        frame=frames.film_grain,
    ),
    HardNegative(
        name="still_slide",
        summary="a photograph with a title, cut in for three seconds",
        silent=("freeze", "stutter", "test_pattern", "black_frames"),
        frame=frames.still_slide,
    ),
    HardNegative(
        name="pixel_art",
        summary="a game of large square pixels, scrolling",
        silent=("compression_blockiness", "block_corruption", "tearing", "interlacing"),
        frame=frames.pixel_art,
    ),
    HardNegative(
        name="animation_on_twos",
        summary="drawn animation, each drawing shown for two frames",
        silent=("stutter", "freeze", "blur"),
        frame=frames.animation_on_twos,
        rate=Fraction(24),
    ),
    HardNegative(
        name="film_24_in_60",
        summary="24 frames a second shown 3:2 in 60, as it should be",
        silent=("stutter", "freeze", "interlacing"),
        frame=frames.film_24_in_60,
        rate=Fraction(60),
    ),
    HardNegative(
        name="telecine",
        summary="film in 29.97 interlaced frames by an unbroken 3:2 pulldown",
        silent=("stutter", "interlacing"),
        frame=frames.telecine,
        rate=Fraction(30000, 1001),
    ),
    HardNegative(
        name="credits_roll",
        summary="white credits rolling over black",
        silent=("black_frames", "freeze", "stutter", "tearing", "letterbox", "interlacing"),
        frame=frames.credits_roll,
    ),
    HardNegative(
        name="title_on_black",
        summary="a card with a short title on black, between two cuts",
        silent=("black_frames", "letterbox", "color_error"),
        frame=on_black.title_on_black,
    ),
    HardNegative(
        name="spinner_on_black",
        summary="a small spinner on black, as an application shows while it waits",
        silent=("black_frames", "freeze", "letterbox"),
        frame=on_black.spinner_on_black,
    ),
    HardNegative(
        name="camera_flashes",
        summary="photographers' flashes, one or two a second, single frames",
        silent=("flicker", "test_pattern", "stutter"),
        frame=frames.camera_flashes,
    ),
    HardNegative(
        name="shallow_focus",
        summary="a sharp subject before a background out of focus",
        silent=("blur",),
        frame=frames.shallow_focus,
    ),
    HardNegative(
        name="clear_sky",
        summary="a smooth sky with the noise of a good camera",
        silent=("banding", "test_pattern"),
        frame=frames.clear_sky,
    ),
    HardNegative(
        name="quick_cuts",
        summary="six shots in six seconds",
        silent=("stutter", "tearing", "flicker", "freeze", "block_corruption"),
        frame=frames.quick_cuts,
    ),
    HardNegative(
        name="quiet_room",
        summary="nobody speaks, the room is heard",
        silent=("audio_dropout", "spatial_image", "stereo_image"),
        sound=sounds.quiet_room,
    ),
    HardNegative(
        name="pause_between_words",
        summary="a voice that pauses, room tone in between",
        silent=("audio_dropout",),
        sound=sounds.pause_between_words,
    ),
    HardNegative(
        name="drum_hit",
        summary="single drum hits in a quiet room",
        silent=("audio_dropout", "audio_artifacts"),
        sound=sounds.drum_hit,
    ),
    HardNegative(
        name="applause",
        summary="hundreds of hands",
        silent=("audio_artifacts", "audio_dropout", "spatial_image", "stereo_image"),
        sound=sounds.applause,
    ),
    HardNegative(
        name="centred_voice",
        summary="one voice in the middle of a stereo room",
        silent=("spatial_image", "stereo_image", "audio_dropout"),
        sound=sounds.centred_voice,
    ),
    HardNegative(
        name="wide_music",
        summary="music spread wide over two channels",
        silent=("spatial_image", "stereo_image"),
        sound=sounds.wide_music,
    ),
)


def hard_negative(name: str) -> HardNegative:
    """Returns the hard negative of that name.

    Raises:
        UnknownDetectorError: There is none.
    """
    for each in HARD_NEGATIVES:
        if each.name == name:
            return each
    raise UnknownDetectorError(f"no hard negative is called {name!r}")
