"""Chromium on a screen of its own as a device under test, which logs what it really shows.

A title in fragments is played through Media Source Extensions by a plan: stalls are real ones, made
by fragments that come late. The page logs every frame with the time at which it was shown.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import chromium
import numpy as np

from defectscope.capture.recording import Grabbing, Recording
from defectscope.capture.session import DeviceFacts, Session, read_session
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.frames import Frame, Plane, Samples
from defectscope.media.grabbing import GrabSpec, grab
from defectscope.media.pixels import frame_of
from defectscope.media.sound_grabbing import SoundSpec
from defectscope.media.writer import write_clip
from defectscope.simulate.synthetic.material import Footage

PAGE = Path(__file__).with_suffix(".html")
TITLE = "title.mp4"
WIDTH, HEIGHT = 640, 360
TITLE_FPS = Fraction(25)
FRAGMENT_FRAMES = 25
TYPE = 'video/mp4; codecs="avc1.42c01e"'
TYPE_WITH_SOUND = 'video/mp4; codecs="avc1.42c01e,mp4a.40.2"'
SOUND_HZ = 48_000
FLAGS = [
    "--kiosk",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    f"--window-size={WIDTH},{HEIGHT}",
    "--window-position=0,0",
    "--force-device-scale-factor=1",
]


@dataclass(frozen=True)
class Plan:
    """What a run does; times in seconds, `after_s` from the start of playing.

    Attributes:
        launch_s: How long the first fragment is held back.
        length_s: How long it plays.
        stalls: `at_part` (number of the fragment that comes late) and `length_s`.
        seeks: `after_s` and `to_s`.
        overlays: `after_s` and `length_s` of a control bar.
        blanks: Likewise of a black screen.
        switches: `after_s` and `to_s` of another place; with `mute` the sound does not come back.
        sounds: The title has sound, and it is played.
        rungs: `at_part` (number of the fragment) and `file` of the same title from there on.
        jank_ms: The page's thread is kept busy for so long, every `jank_every_ms`.
    """

    launch_s: float = 0.5
    length_s: float = 10.0
    stalls: tuple[dict[str, float], ...] = ()
    seeks: tuple[dict[str, float], ...] = ()
    overlays: tuple[dict[str, float], ...] = ()
    blanks: tuple[dict[str, float], ...] = ()
    switches: tuple[dict[str, Any], ...] = ()
    sounds: bool = False
    rungs: tuple[dict[str, Any], ...] = ()
    jank_ms: float = 0.0
    jank_every_ms: float = 1000.0

    def as_page_takes_it(self) -> dict[str, Any]:
        """Returns the object that the page's `run` takes."""
        return {"type": TYPE_WITH_SOUND if self.sounds else TYPE, **asdict(self)}


def melody(seconds: float) -> Iterator[Samples]:
    """Yields sound that never rests, 48 kHz stereo: a note of its own every 0.4 s over a drone."""
    for k in range(round(seconds / 0.4)):
        length = round(0.4 * SOUND_HZ)
        at_s = (np.arange(length) + k * length) / SOUND_HZ
        note = np.sin(2 * np.pi * (220.0 * 2 ** ((k * 5 % 12) / 12)) * at_s)
        mono = 0.15 * note + 0.08 * np.sin(2 * np.pi * 110.0 * at_s)
        yield Samples(k * length, np.stack([mono, mono], axis=1).astype(np.float32))


def make_title(
    path: Path,
    frames: Iterator[Frame] | None = None,
    *,
    seconds: float = 20.0,
    seed: int = 21,
    lines: int = HEIGHT,
    crf: float = 20.0,
    sounds: bool = False,
) -> None:
    """Writes a title in fragments of a second.

    Args:
        path: Where to write.
        frames: 640 x 360 frames, 8-bit 4:2:0, at 25 a second; None makes moving leaves with cuts.
        seconds: Length of what is made.
        seed: Which film is made.
        lines: Height of the rung; frames are scaled to it.
        crf: Constant rate factor of the encode.
        sounds: Gives it a sound.
    """
    made = Footage(
        seed=seed,
        width=WIDTH,
        height=HEIGHT,
        frames=round(seconds * TITLE_FPS),
        rate=TITLE_FPS,
        cuts_s=tuple(range(4, int(seconds), 5)),
    )
    width = lines * WIDTH // HEIGHT // 2 * 2
    encoding = VideoEncoding(
        width,
        lines,
        TITLE_FPS,
        crf=crf,
        gop_frames=FRAGMENT_FRAMES,
        b_frames=0,
        options={"profile": "baseline"},
    )
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    shown = (scaled(frame, width, lines) for frame in (made if frames is None else frames))
    write_clip(
        path,
        frames=shown,
        runs=melody(seconds) if sounds else (),
        video=encoding,
        audio=AudioEncoding(SOUND_HZ) if sounds else None,
        container_options=options,
    )


def scaled(frame: Frame, width: int, height: int) -> Frame:
    """Returns an 8-bit 4:2:0 frame of another size."""
    planes = [plane.data for plane in frame.planes]
    if planes[0].shape == (height, width):
        return frame
    own = frame_of(planes).reformat(width=width, height=height, interpolation="BICUBIC")
    sides = [(width, height), (width // 2, height // 2), (width // 2, height // 2)]
    parts = [
        Plane(np.frombuffer(p, np.uint8).reshape(-1, p.line_size)[:h, :w].copy(), w, h)
        for p, (w, h) in zip(own.planes, sides, strict=True)
    ]
    return replace(frame, planes=tuple(parts), native=None)


@contextmanager
def screen(width: int = WIDTH, height: int = HEIGHT) -> Generator[str]:
    """A screen without a monitor, that nobody draws on; yields its display."""
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", f"{width}x{height}x24"]
    command += ["-nolisten", "tcp"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            yield f":{server.stdout.readline().strip()}"
        finally:
            server.terminate()


@contextmanager
def speaker(folder: Path) -> Generator[dict[str, str]]:
    """A sound server without a loudspeaker; yields the environment in which programs find it.

    Args:
        folder: Where its socket lies.
    """
    path = folder / "sound"
    path.mkdir(mode=0o700)
    found = {"XDG_RUNTIME_DIR": str(path), "PULSE_SERVER": f"unix:{path}/native"}
    command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disable-shm=yes"]
    command += [f"--load=module-native-protocol-unix socket={path}/native auth-anonymous=1"]
    command += [f"--load=module-null-sink sink_name=glass rate={SOUND_HZ} channels=2"]
    environment = {**os.environ, **found, "HOME": str(path)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            for _ in range(100):
                if (path / "native").exists():
                    break
                time.sleep(0.1)
            yield found
        finally:
            server.terminate()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@contextmanager
def served(folder: Path) -> Generator[str]:
    """Serves a folder with the page in it on this machine alone; yields its address."""
    shutil.copy(PAGE, folder / "index.html")
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/index.html"
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Device:
    """A browser on a screen.

    Attributes:
        display: Its screen.
        page: Playwright's page.
        address: Of the page that plays.
    """

    display: str
    page: Any
    address: str

    def run(
        self,
        plan: Plan,
        path: Path,
        *,
        rate: Fraction = Fraction(30),
        facts: DeviceFacts | None = None,
        grabbing: Grabbing = grab,
        sound: SoundSpec | None = None,
    ) -> tuple[Session, list[dict[str, Any]]]:
        """Plays by a plan under capture.

        Args:
            plan: What to do.
            path: The session file to write.
            rate: Captures a second.
            facts: What the session says of the device.
            grabbing: How captures are made.
            sound: What sound is grabbed.

        Returns:
            The session with the page's marks and events, and the page's whole log.
        """
        self.page.goto(self.address)
        spec = GrabSpec("x11grab", self.display, WIDTH, HEIGHT, rate)
        facts = facts or DeviceFacts(name="chromium", title_fps=float(TITLE_FPS))
        with Recording(path, spec, facts, grabbing=grabbing, sound=sound) as recording:
            self.page.wait_for_timeout(700)
            log = self.page.evaluate("plan => window.run(plan)", plan.as_page_takes_it())
            for entry in log:
                at = entry["at_ms"] / 1000
                if entry["what"] in ("launch", "seek", "switch"):
                    recording.mark(entry["what"], at)
                elif entry["what"] in ("playing", "waiting", "seeking", "seeked"):
                    recording.event(entry["what"], at)
            frames = [entry["at_ms"] / 1000 for entry in log if entry["what"] == "frame"]
            if frames:
                recording.event("first_frame", min(frames))
        return read_session(path), log


@contextmanager
def device(folder: Path, sound: dict[str, str] | None = None) -> Generator[Device]:
    """Starts screen, server and browser.

    Args:
        folder: Holds `title.mp4`; the page is put beside it.
        sound: The environment of the `speaker` that it plays to.
    """
    from playwright.sync_api import sync_playwright

    executable = chromium.executable()
    assert executable is not None, "Chromium is not installed (apt: chromium)"
    with screen() as display, served(folder) as address, sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            folder / "profile",
            executable_path=executable,
            headless=False,
            args=[*FLAGS, f"--app={address}"],
            env={"DISPLAY": display, "HOME": str(folder), **(sound or {})},
            ignore_default_args=["--enable-automation"],
            no_viewport=True,
        )
        try:
            yield Device(display, context.pages[0], address)
        finally:
            context.close()
