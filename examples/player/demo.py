"""The demo of the player: a made-up film with real faults, watched as it plays.

    make demo-player     # then open the address that it prints

Makes a film, makes defects in it with the simulators, and serves a page that plays it under
observation, with a collector for what the page finds. Press D for the overlay.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from fractions import Fraction
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np

from defectscope.player.server import serve
from defectscope.simulate.run import impair_file, job, stream_of
from defectscope.simulate.synthetic.material import Footage, Look

HERE = Path(__file__).resolve().parent
DIST = HERE.parents[1] / "player" / "dist"
WIDTH, HEIGHT, FPS = 640, 360, 25
FRAMES = 22 * FPS
# Defect, start and duration in seconds, severity, 1 to 5.
DEFECTS = (
    ("black_frames", 3.0, 0.8, 5.0),
    ("freeze", 7.0, 1.2, 5.0),
    ("compression_blockiness", 11.0, 2.0, 5.0),
    ("color_error", 16.0, 2.0, 5.0),
)
SEED = 7


def make_film(path: Path) -> None:
    """Encodes a made-up scene as H.264."""
    look = Look(pan_px_per_s=(36.0, 4.0))
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"crf": "16", "preset": "veryfast"}
        for each in Footage(seed=SEED, width=WIDTH, height=HEIGHT, frames=FRAMES, look=look):
            packed = np.concatenate([plane.data.reshape(-1) for plane in each.planes])
            frame = av.VideoFrame.from_ndarray(packed.reshape(-1, WIDTH), format="yuv420p")
            frame.pts, frame.time_base = each.pts, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def impair(source: Path, target: Path) -> list[str]:
    """Makes the defects and says what was done."""
    stream = stream_of(source)
    jobs = [
        job(name, stream, seed=SEED, start_s=start_s, duration_s=duration_s, severity=severity)
        for name, start_s, duration_s, severity in DEFECTS
    ]
    truth = impair_file(source, target, jobs)
    return [f"{each.defect} {each.start_s:.2f} to {each.end_s:.2f} s" for each in truth]


def main() -> None:
    """Makes the film if it is not there, and serves the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "player-demo")
    options = parser.parse_args()
    if not (DIST / "index.js").is_file():
        raise SystemExit(f"{DIST} is missing: make player")
    options.folder.mkdir(parents=True, exist_ok=True)
    film = options.folder / "film.mp4"
    if not film.is_file():
        sys.stdout.write("Making a film of 22 s with defects (once)\n")
        clean = options.folder / "clean.mp4"
        make_film(clean)
        truth = impair(clean, film)
        (options.folder / "truth.txt").write_text("\n".join(truth) + "\n", "utf-8")
    collector = serve(options.folder / "seen.jsonl", 0)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{collector.server_address[1]}/player"
    files = {
        "/": (HERE / "demo.html").read_bytes().replace(b"COLLECTOR", address.encode()),
        "/truth.txt": (options.folder / "truth.txt").read_bytes(),
    }

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing of each file."""

        def translate_path(self, path: str) -> str:
            path = path.split("?")[0]
            if path == "/film.mp4":
                return str(film)
            name = Path(path).name
            return str(DIST / name) if path == f"/dist/{name}" else str(DIST / "none")

        def do_GET(self) -> None:
            body = files.get(self.path)
            if body is None:
                super().do_GET()
                return
            self.send_response(200)
            kind = "text/html" if self.path == "/" else "text/plain"
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    sys.stdout.write(
        f"Open http://127.0.0.1:{server.server_address[1]}/ (D shows the overlay; Ctrl-C ends)\n"
        f"What it finds is collected in {options.folder / 'seen.jsonl'}\n"
    )
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        collector.shutdown()


if __name__ == "__main__":
    main()
