"""`defectscope capture`: a device recorded with marks, and what its captures show."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from defectscope.cli.rasters import rate_of, size_of
from defectscope.errors import EXIT_OK, InvalidParameterError

if TYPE_CHECKING:
    from defectscope.capture.recording import Recording

_DESCRIPTION = """\
Records what a device shows, from a capture card (V4L2) or a screen (x11grab), with the grabber's
own times and with marks of what was done to it; and reads such sessions.
"""
_EXAMPLES = """\
examples:
  defectscope capture record v4l2:/dev/video0 tv-42.session.json --size 1280x720 --rate 50 \\
      --sound alsa:hw:1,0 --seconds 60 --device tv --model X900 --firmware 6.1 --app 8.4.0
  ./drive-the-app.sh | defectscope capture record x11grab::99.0 run.session.json --marks -
  defectscope capture read run.session.json
  defectscope capture read run.session.json --master title.mov --detectors none
"""
_RECORD = """\
Records until --seconds have passed, the script that writes marks has ended or written `stop`, or
Ctrl-C. A line of marks is a name (launch, play, seek, switch, background, ...) or JSON:
{"mark": "seek", "at": 1795947904.7} or, from the player itself, {"event": "waiting", "at": ...}.
`at` is Unix time in seconds; without it, it is now.
"""
_READ = """\
Prints the health of the capture, the time to the first frame and to the first sound, stalls, seeks,
black, overlays, silences, sound that is lost after a seek or a switch, the same as the player tells
it, and every finding with what made it: a wait, the capture, the device. With --master it also says
which rungs of the ladder were shown, about 20 % off, and whether the title had its own shape.
"""
_POLL_S = 0.1


def add_parser(commands: Any) -> None:
    """Adds the subcommand."""
    parser = commands.add_parser(
        "capture",
        help="record what a device shows, and read such recordings",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    record = verbs.add_parser(
        "record",
        help="record a device",
        description=_RECORD,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    record.add_argument("source", metavar="SOURCE", help="v4l2:/dev/videoN or x11grab:DISPLAY")
    record.add_argument(
        "--sound", metavar="alsa:PCM", help="alsa:hw:1,0, alsa:default or alsa:pulse; default: none"
    )
    record.add_argument(
        "--sound-rate", type=int, default=48_000, metavar="HZ", help="(default: %(default)s)"
    )
    record.add_argument(
        "--channels", type=int, default=2, metavar="N", help="1, 2, 6 or 8 (default: %(default)s)"
    )
    record.add_argument("session", metavar="NAME.session.json", type=Path, help="what is written")
    record.add_argument("--size", default="1280x720", metavar="WxH", help="(default: %(default)s)")
    record.add_argument("--rate", default="50", metavar="R", help="captures a second (default: 50)")
    record.add_argument("--seconds", type=float, metavar="S", help="how long; default: until ended")
    record.add_argument("--marks", choices=["-"], help="`-` takes marks from stdin")
    for option, meaning in (
        ("--device", "class or id of the device"),
        ("--model", "its model"),
        ("--firmware", "version of its own software"),
        ("--app", "build of the application under test"),
        ("--network", "name of the network profile"),
        ("--title", "what is played"),
    ):
        record.add_argument(option, default="", metavar="TEXT", help=meaning)
    record.add_argument(
        "--title-fps", type=float, metavar="R", help="frames a second of the title, where known"
    )
    record.set_defaults(run=_record)
    read = verbs.add_parser(
        "read",
        help="read a session; prints JSON",
        description=_READ,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    read.add_argument("session", metavar="NAME.session.json", type=Path)
    read.add_argument(
        "--detectors", metavar="A,B", help="to run over the capture; default: all; `none` for none"
    )
    read.add_argument("--master", metavar="FILE", help="the title, to hold the capture against")
    read.set_defaults(run=_read)


def _record(arguments: argparse.Namespace) -> int:
    from defectscope.capture.recording import Recording
    from defectscope.media.grabbing import GrabSpec
    from defectscope.media.sound_grabbing import SoundSpec

    if arguments.seconds is not None and not 0 < arguments.seconds <= 12 * 3600:
        raise InvalidParameterError(f"--seconds is 0 to 43200, not {arguments.seconds:g}")
    spec = GrabSpec.parse(arguments.source, size_of(arguments.size), rate_of(arguments.rate))
    sound = None
    if arguments.sound is not None:
        sound = SoundSpec.parse(arguments.sound, arguments.sound_rate, arguments.channels)
    with Recording(arguments.session, spec, _device(arguments), sound=sound) as recording:
        # Sources take a second or two to open; that is no part of what was asked for.
        began_s = time.monotonic()
        named = spec.source if sound is None else f"{spec.source} with {sound.source}"
        sys.stderr.write(f"defectscope: recording {named}\n")
        try:
            _wait(recording, arguments, began_s)
        except KeyboardInterrupt:
            sys.stderr.write("defectscope: ended by hand\n")
    assert recording.session is not None
    found = recording.session.health()
    sys.stdout.write(
        f"wrote {arguments.session}: {found.captures} captures, {found.missed} missing, "
        f"{found.lost} lost, health {found.verdict}\n"
    )
    return EXIT_OK


def _wait(recording: Recording, arguments: argparse.Namespace, began_s: float) -> None:
    from threading import Thread

    from defectscope.capture.dictation import take_marks

    failures: list[InvalidParameterError] = []

    def dictate() -> None:
        try:
            take_marks(sys.stdin, recording)
        except InvalidParameterError as error:
            failures.append(error)

    writer = Thread(target=dictate, daemon=True)
    if arguments.marks:
        writer.start()
    while recording.running:
        if arguments.seconds is not None and time.monotonic() - began_s >= arguments.seconds:
            break
        if arguments.marks and not writer.is_alive():
            break
        time.sleep(_POLL_S)
    if failures:
        raise failures[0]


def _device(arguments: argparse.Namespace) -> Any:
    import msgspec

    from defectscope.capture.session import DeviceFacts

    given = {
        "name": arguments.device,
        "model": arguments.model,
        "firmware": arguments.firmware,
        "app_build": arguments.app,
        "network_profile": arguments.network,
        "title": arguments.title,
        "title_fps": arguments.title_fps,
    }
    try:
        return msgspec.convert(given, DeviceFacts)
    except msgspec.ValidationError as error:
        raise InvalidParameterError(f"facts of the device: {error}") from None


def _read(arguments: argparse.Namespace) -> int:
    from defectscope.capture.reading import read_captured

    names = arguments.detectors
    if names is not None:
        names = [] if names == "none" else [n.strip() for n in names.split(",") if n.strip()]
    found = read_captured(arguments.session, detectors=names).to_dict()
    if arguments.master is not None:
        from defectscope.release.shown import shown_of

        found["shown"] = shown_of(arguments.session, arguments.master).to_dict()
    sys.stdout.write(json.dumps(found, indent=2, allow_nan=False) + "\n")
    return EXIT_OK
