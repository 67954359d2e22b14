"""Writes the head that browsers carry for Web Audio as a SOFA file: a second head to judge by.

    python benchmarks/spatial_browser_head.py head.sofa [--chromium /usr/bin/chromium]

Chromium's panner holds impulse responses every 15 degrees, named IRC_Composite_C_R0195: one average
over listeners measured at IRCAM. They are played through an offline context and recorded.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
from pathlib import Path

import h5py
import numpy as np

RATE_HZ = 44_100
STEP_DEG = 15
START, LENGTH = 512, 768
# Panners load their responses in the background: the first sound waits for it.
PAGE = """<script>
(async () => {
  for (let azimuth = 0; azimuth < 360; azimuth += STEP) {
    const context = new OfflineAudioContext(2, 2048, RATE);
    const turn = azimuth * Math.PI / 180;
    const panner = new PannerNode(context, {panningModel: 'HRTF', rolloffFactor: 0,
      positionX: -Math.sin(turn), positionY: 0, positionZ: -Math.cos(turn)});
    await new Promise(done => setTimeout(done, 300));
    const click = context.createBuffer(1, 2048, RATE);
    click.getChannelData(0)[START] = 1;
    const source = new AudioBufferSourceNode(context, {buffer: click});
    source.connect(panner).connect(context.destination);
    source.start();
    const heard = await context.startRendering();
    const ears = [0, 1].map(ear =>
      Array.from(heard.getChannelData(ear)).slice(START, START + LENGTH));
    console.log('HEAD ' + azimuth + ' ' + JSON.stringify(ears));
  }
})();
</script>"""


def recorded(chromium: str, seconds: float) -> dict[int, list[list[float]]]:
    """Returns both ears' responses by azimuth, as the browser's console tells them."""
    page = PAGE
    for name, value in (
        ("STEP", STEP_DEG),
        ("RATE", RATE_HZ),
        ("START", START),
        ("LENGTH", LENGTH),
    ):
        page = page.replace(name, str(value))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "head.html"
        file.write_text(page)
        log = Path(folder) / "log.txt"
        command = [chromium, "--headless", "--no-sandbox", "--disable-gpu"]
        command += ["--enable-logging=stderr", f"--user-data-dir={folder}/profile", file.as_uri()]
        with log.open("w") as sink, subprocess.Popen(command, stdout=sink, stderr=sink) as browser:
            try:
                browser.wait(seconds)
            except subprocess.TimeoutExpired:
                browser.terminate()
        told = log.read_text(errors="replace")
    rows = re.findall(r"HEAD (\d+) (\[\[.*?\]\])", told)
    return {int(azimuth): json.loads(ears) for azimuth, ears in rows}


def main() -> None:
    """Writes the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sofa", type=Path)
    parser.add_argument("--chromium", default="chromium")
    parser.add_argument("--seconds", type=float, default=40.0, help="how long the browser may take")
    arguments = parser.parse_args()
    heard = recorded(arguments.chromium, arguments.seconds)
    azimuths = sorted(heard)
    if azimuths != list(range(0, 360, STEP_DEG)):
        raise SystemExit(f"the browser told {len(azimuths)} of {360 // STEP_DEG} directions")
    impulses = np.array([heard[azimuth] for azimuth in azimuths])
    with h5py.File(arguments.sofa, "w") as file:
        file.attrs["Conventions"], file.attrs["SOFAConventions"] = "SOFA", "SimpleFreeFieldHRIR"
        file.attrs["DataType"] = "FIR"
        rows = len(azimuths)
        file["SourcePosition"] = np.stack([azimuths, np.zeros(rows), np.ones(rows)], axis=1)
        file["SourcePosition"].attrs["Type"] = "spherical"
        file["Data.IR"] = impulses
        file["Data.SamplingRate"] = np.array([float(RATE_HZ)])
        file["Data.Delay"] = np.zeros((1, 2))


if __name__ == "__main__":
    main()
