"""Reads channels.toml; errors name the line and the key.

[monitor]                     # for all channels
window_s = 20.0
step_s = 0.5

[alarms.default]              # enter_s and leave_s, by defect
leave_s = 2.0

[[channel]]
name = "news"
url = "udp://@239.0.0.1:5000"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, cast

from defectscope.detectors.registry import detector_class, names
from defectscope.errors import DefectscopeError, InvalidParameterError
from defectscope.monitor.alarms import Patience
from defectscope.monitor.channel_config import ChannelConfig
from defectscope.monitor.clips import ClipConfig
from defectscope.monitor.config_text import line_of
from defectscope.monitor.look_config import LookConfig
from defectscope.monitor.output_config import KEYS, OutputConfig
from defectscope.monitor.overload import LEARNED
from defectscope.monitor.plan import cores_of
from defectscope.monitor.session import Pace
from defectscope.monitor.urls import check_url

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_MAX_CHANNELS = 10_000
# Shortest and longest of each, seconds.
_RANGES_S = {
    "window_s": (5.0, 60.0),
    "step_s": (0.2, 5.0),
    "session_s": (60.0, 24 * 3600.0),
    "idle_s": (0.2, 60.0),
    "enter_s": (0.0, 3600.0),
    "leave_s": (0.5, 3600.0),
    "before_s": (0.0, 30.0),
    "after_s": (0.0, 60.0),
}
# Measured of the stream itself, beside the detectors' defects.
TRANSPORT_DEFECTS = (
    "signal_lost",
    "packet_loss",
    "transport_error",
    "clock_step",
    "format_change",
    "track_missing",
    "overload",
)


@dataclass(frozen=True, slots=True)
class MonitorConfig:
    """What channels.toml says.

    Attributes:
        channels: What is watched, by name.
        outputs: Where events go beside standard output.
    """

    channels: Mapping[str, ChannelConfig]
    outputs: tuple[OutputConfig, ...] = ()


def read_config(text: str, name: str = "channels.toml", endpoint: str = "") -> MonitorConfig:
    """Reads a configuration.

    Args:
        text: The document.
        name: What messages call it.
        endpoint: SageMaker endpoint that suspicious seconds of all channels are sent to, whatever
            the document says; empty for what it says.

    Raises:
        InvalidParameterError: It makes no sense; the message names line and key.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # The parser's message ends in `(at line 3, column 7)`.
        where = re.search(r"\(at line (\d+)", str(error))
        line = int(where[1]) if where else len(text.splitlines())
        reason = str(error).split(" (at ")[0]
        raise InvalidParameterError(f"{name}, line {line}: {reason}") from None
    config = _Reading(text, name).config(document)
    if not endpoint:
        return config
    sent = {
        name: replace(channel, looks=replace(channel.looks or LookConfig(), endpoint=endpoint))
        for name, channel in config.channels.items()
    }
    return replace(config, channels=sent)


class _Reading:
    """One reading of a document, which knows where its keys stand."""

    def __init__(self, text: str, name: str) -> None:
        self._lines, self._name = text.splitlines(), name

    def config(self, document: Mapping[str, Any]) -> MonitorConfig:
        self._only(document, ("monitor", "alarms", "clips", "looks", "output", "channel"), "")
        common = self._table(document, "monitor")
        self._only(common, (*_names(Pace), "idle_s"), "monitor")
        patience, clips = self._patience(document), self._clips(document)
        looks = self._looks(document)
        entries: Any = document.get("channel", [])
        if not isinstance(entries, list) or not entries:
            raise self._error("", "", 0, "there is no [[channel]]")
        given = cast("Sequence[Any]", entries)
        if len(given) > _MAX_CHANNELS:
            raise self._error("channel", "", 0, f"more than {_MAX_CHANNELS} channels")
        channels: dict[str, ChannelConfig] = {}
        for number, entry in enumerate(given):
            channel = self._channel(entry, number, common, patience, clips, looks)
            if channel.name in channels:
                raise self._error("channel", "name", number, f"{channel.name!r} is taken")
            channels[channel.name] = channel
        return MonitorConfig(channels, self._outputs(document))

    def _outputs(self, document: Mapping[str, Any]) -> tuple[OutputConfig, ...]:
        entries: Any = document.get("output", [])
        if not isinstance(entries, list):
            raise self._error("", "output", 0, "is written [[output]]")
        found: dict[str, OutputConfig] = {}
        for number, entry in enumerate(cast("Sequence[Any]", entries)):
            if not isinstance(entry, Mapping):
                raise self._error("output", "", number, "is no table")
            given = cast("Mapping[str, Any]", entry)
            kind: Any = given.get("type")
            if kind not in KEYS:
                raise self._error("output", "type", number, f"is one of {', '.join(KEYS)}")
            self._only(given, ("type", "name", *KEYS[kind]), "output", number)
            values = {key: self._text(given, key, number, "output") for key in KEYS[kind]}
            name: Any = given.get("name", kind)
            if not isinstance(name, str) or not _NAME.fullmatch(name) or name in found:
                raise self._error("output", "name", number, "is a name of its own")
            found[name] = OutputConfig(kind, name, values)
        return tuple(found.values())

    def _channel(
        self,
        entry: Any,
        number: int,
        common: Mapping[str, Any],
        patience: Mapping[str, Patience],
        clips: ClipConfig | None,
        looks: LookConfig | None,
    ) -> ChannelConfig:
        if not isinstance(entry, Mapping):
            raise self._error("channel", "", number, "is no table")
        given = cast("Mapping[str, Any]", entry)
        known = ("name", "url", "detectors", "parameters", "idle_s", "format", *_names(Pace))
        self._only(given, known, "channel", number)
        name = self._text(given, "name", number)
        if not _NAME.fullmatch(name):
            rule = "begins with a letter or digit and has no more than 63 of A-Z a-z 0-9 _ . -"
            raise self._error("channel", "name", number, rule)
        url = self._text(given, "url", number)
        try:
            check_url(url)
        except DefectscopeError as error:
            raise self._error("channel", "url", number, error.message) from None
        detectors = self._detectors(given, number)
        learned = tuple(name for name in detectors if name in LEARNED)
        if learned:
            # Those that a channel names look at its suspects.
            looks = replace(looks or LookConfig(), detectors=learned)
        chosen = {**common, **given}
        pace = Pace(
            **{
                key: self._seconds(chosen, key, "channel" if key in given else "monitor", number)
                for key in _names(Pace)
                if key in chosen
            }
        )
        idle_s = ChannelConfig("", "").idle_s
        if "idle_s" in chosen:
            table = "channel" if "idle_s" in given else "monitor"
            idle_s = self._seconds(chosen, "idle_s", table, number)
        parameters: Any = given.get("parameters", {})
        if not isinstance(parameters, Mapping):
            raise self._error("channel", "parameters", number, "is a table by detector")
        raster = given.get("format", ChannelConfig("", "").format)
        try:
            cores_of(str(raster))
        except DefectscopeError as error:
            raise self._error("channel", "format", number, error.message) from None
        return ChannelConfig(
            name, url, detectors, parameters, patience, pace, idle_s, str(raster), clips, looks
        )

    def _detectors(self, given: Mapping[str, Any], number: int) -> tuple[str, ...]:
        wanted: Any = given.get("detectors", [])
        if not isinstance(wanted, list) or not all(isinstance(n, str) for n in wanted):
            raise self._error("channel", "detectors", number, "is a list of names")
        chosen = tuple(cast("list[str]", wanted))
        for each in chosen:
            try:
                detector_class(each)
            except DefectscopeError as error:
                raise self._error("channel", "detectors", number, error.message) from None
        return chosen

    def _patience(self, document: Mapping[str, Any]) -> dict[str, Patience]:
        table = self._table(document, "alarms")
        known = {"default", *TRANSPORT_DEFECTS}
        known |= {defect for name in names() for defect in detector_class(name).defects}
        found: dict[str, Patience] = {}
        for defect, entry in table.items():
            where = f"alarms.{defect}"
            if defect not in known:
                raise self._error(where, "", 0, f"there is no defect {defect!r}")
            if not isinstance(entry, Mapping):
                raise self._error("alarms", defect, 0, "is a table")
            given = cast("Mapping[str, Any]", entry)
            self._only(given, _names(Patience), where)
            found[defect] = Patience(**{k: self._seconds(given, k, where, 0) for k in given})
        return found

    def _clips(self, document: Mapping[str, Any]) -> ClipConfig | None:
        table = self._table(document, "clips")
        if not table:
            return None
        self._only(table, _names(ClipConfig), "clips")
        place = self._text(table, "place", 0, "clips")
        if not place.startswith("s3://") and "://" in place:
            raise self._error("clips", "place", 0, "is a folder or s3://BUCKET/PREFIX")
        kept: Any = table.get("kept", ClipConfig("").kept)
        if isinstance(kept, bool) or not isinstance(kept, int) or not 1 <= kept <= 100_000:
            raise self._error("clips", "kept", 0, "is a number of clips, 1 to 100000")
        spans = [k for k in ("before_s", "after_s") if k in table]
        seconds = {key: self._seconds(table, key, "clips", 0) for key in spans}
        return ClipConfig(place, kept=kept, **seconds)

    def _looks(self, document: Mapping[str, Any]) -> LookConfig | None:
        if "looks" not in document:
            return None
        table = self._table(document, "looks")
        self._only(table, ("share", "endpoint", "detectors"), "looks")
        share: Any = table.get("share", LookConfig().share)
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            raise self._error("looks", "share", 0, "is a share of the programme, up to 1")
        wanted: Any = table.get("detectors", list(LookConfig().detectors))
        if not isinstance(wanted, list) or not wanted or not set(cast("Any", wanted)) <= LEARNED:
            choice = ", ".join(sorted(LEARNED))
            raise self._error("looks", "detectors", 0, f"is a list of {choice}")
        endpoint = self._text(table, "endpoint", 0, "looks") if "endpoint" in table else ""
        detectors = tuple(cast("list[str]", wanted))
        return LookConfig(float(share), detectors=detectors, endpoint=endpoint)

    def _table(self, document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        table: Any = document.get(key, {})
        if not isinstance(table, Mapping):
            raise self._error("", key, 0, "is a table")
        return cast("Mapping[str, Any]", table)

    def _text(self, given: Mapping[str, Any], key: str, number: int, table: str = "channel") -> str:
        value: Any = given.get(key)
        if not isinstance(value, str) or not value:
            raise self._error(table, key, number, "is missing" if value is None else "is text")
        return value

    def _seconds(self, given: Mapping[str, Any], key: str, table: str, number: int) -> float:
        value: Any = given[key]
        low, high = _RANGES_S[key]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._error(table, key, number, "is a number of seconds")
        if not low <= value <= high:
            raise self._error(table, key, number, f"lies between {low:g} and {high:g} seconds")
        return float(value)

    def _only(
        self, given: Mapping[str, Any], known: Sequence[str], table: str, number: int = 0
    ) -> None:
        for key in given:
            if key not in known:
                choice = ", ".join(known)
                raise self._error(table, key, number, f"is not known here; there are: {choice}")

    def _error(self, table: str, key: str, number: int, reason: str) -> InvalidParameterError:
        line = line_of(self._lines, table, key, number)
        what = ".".join(part for part in (table, key) if part)
        return InvalidParameterError(f"{self._name}, line {line}: {what} {reason}".rstrip())


def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
