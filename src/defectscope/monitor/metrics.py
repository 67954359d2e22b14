"""Metrics of all channels for Prometheus, made from the board when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from defectscope.monitor.board import Board
from defectscope.monitor.overload import NAMES

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STATES = ("ok", "alarm", "lost", "closed")
# Name, what the board calls it, and what it means.
_COUNTERS = (
    ("frames", "frames", "Frames that were measured"),
    ("received_bytes", "bytes", "Bytes that came"),
    ("transport_packets", "packets", "Transport packets that came, without padding"),
    ("missing_packets", "missing_packets", "Transport packets that are missing"),
    ("overrun_bytes", "overrun_bytes", "Bytes let go because this machine was too slow"),
    ("reopened", "reopened", "Times that the source was opened again"),
    ("failures", "failures", "Times that watching failed"),
    ("looks", "looks", "Times that networks looked at some seconds"),
    ("looks_failed", "looks_failed", "Times that they could not"),
    ("decide_seconds", "decide_s", "Processor time of deciding, seconds"),
)
_GAUGES = (
    ("lag_seconds", "lag_s", "Age of the newest data when they were decided on, seconds"),
    ("waiting_bytes", "waiting_bytes", "Bytes that came and were not read"),
    ("bit_rate_bits_per_second", "bit_rate", "Bits that came in the last second"),
)


class BoardCollector(Collector):
    """Every metric of a board, read when it is asked for."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterable[Any]:
        """Yields every metric family."""
        snapshot = self._board.snapshot()
        channels: list[Mapping[str, Any]] = snapshot["channels"]
        for name, key, text in _COUNTERS:
            family = CounterMetricFamily(f"defectscope_channel_{name}", text, labels=["channel"])
            for channel in channels:
                family.add_metric([channel["channel"]], float(channel.get(key, 0)))
            yield family
        for name, key, text in _GAUGES:
            gauge = GaugeMetricFamily(f"defectscope_channel_{name}", text, labels=["channel"])
            for channel in channels:
                gauge.add_metric([channel["channel"]], float(channel.get(key, 0)))
            yield gauge
        yield from _of_states(channels)
        yield from _of_processes(snapshot)


def _of_states(channels: Iterable[Mapping[str, Any]]) -> Iterable[Any]:
    state = GaugeMetricFamily(
        "defectscope_channel_state",
        "1 for the state that a channel is in",
        labels=["channel", "state"],
    )
    level = GaugeMetricFamily(
        "defectscope_channel_overload_level", "What is left out, 0 for nothing", labels=["channel"]
    )
    alarm = GaugeMetricFamily(
        "defectscope_channel_alarm", "1 while an alarm is open", labels=["channel", "defect"]
    )
    loud = GaugeMetricFamily(
        "defectscope_channel_loudness_lufs", "Loudness, EBU Tech 3341", labels=["channel", "scale"]
    )
    errors = CounterMetricFamily(
        "defectscope_channel_tr101290_errors",
        "Broken measures of ETSI TR 101 290, by number",
        labels=["channel", "measure"],
    )
    for channel in channels:
        name = channel["channel"]
        for each in STATES:
            state.add_metric([name, each], float(channel.get("state") == each))
        level.add_metric([name], float(NAMES.index(channel.get("level", "all"))))
        for defect in channel.get("alarms", ()):
            alarm.add_metric([name, defect], 1.0)
        for key, value in channel.get("loudness", {}).items():
            loud.add_metric([name, key.removesuffix("_lufs")], value)
        for measure, count in channel.get("errors", {}).items():
            errors.add_metric([name, measure], float(count))
    yield from (state, level, alarm, loud, errors)


def _of_processes(snapshot: Mapping[str, Any]) -> Iterable[Any]:
    cpu = CounterMetricFamily(
        "defectscope_group_cpu_seconds", "Processor time of a group, seconds", labels=["group"]
    )
    memory = GaugeMetricFamily(
        "defectscope_group_resident_bytes", "Memory of a group", labels=["group"]
    )
    for number, process in enumerate(snapshot["processes"]):
        cpu.add_metric([str(number)], process.get("cpu_s", 0.0))
        memory.add_metric([str(number)], process.get("rss_bytes", 0.0))
    restarts = CounterMetricFamily("defectscope_group_restarts", "Groups started again")
    restarts.add_metric([], snapshot["restarts"])
    wrong = GaugeMetricFamily(
        "defectscope_configuration_error", "1 while the latest configuration is refused"
    )
    wrong.add_metric([], float(bool(snapshot["configuration_error"])))
    yield from (cpu, memory, restarts, wrong)


class Metrics:
    """All metrics of a board as text."""

    def __init__(self, board: Board) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(BoardCollector(board))

    def text(self) -> bytes:
        """Returns the metrics in Prometheus' text format."""
        return generate_latest(self._registry)
