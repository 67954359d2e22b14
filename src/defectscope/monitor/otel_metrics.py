"""The metrics of all channels to a collector of OpenTelemetry, over OTLP and HTTP.

They are those that Prometheus reads, under the same names. Where they go is said as OpenTelemetry
has it: by `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS` and the like.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from defectscope.errors import InvalidParameterError
from defectscope.monitor.board import Board
from defectscope.monitor.metrics import BoardCollector

SERVICE = "defectscope-monitor"
# As often as metric lines.
_EVERY_S = 60.0
_STOPPING_MS = 5_000


class OtelMetrics:
    """Sends the metrics of all channels once a minute, in a thread of the library's.

    Args:
        board: What is told.
        every_s: How often, seconds.

    Raises:
        InvalidParameterError: The libraries are not installed.
    """

    def __init__(self, board: Board, every_s: float = _EVERY_S) -> None:
        self._collector, self._every_s = BoardCollector(board), every_s
        self._provider: Any = None
        # What was collected and has not been read: each metric is asked for by itself.
        self._unread: dict[str, Any] = {}
        try:
            import_module("opentelemetry.exporter.otlp.proto.http.metric_exporter")
        except ImportError:
            hint = "pip install 'defectscope[live-otel]'"
            raise InvalidParameterError(f"--otel needs OpenTelemetry: {hint}") from None

    def start(self) -> None:
        """Begins to send."""
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource

        reader = PeriodicExportingMetricReader(
            OTLPMetricExporter(), export_interval_millis=self._every_s * 1000
        )
        resource = Resource.create({"service.name": SERVICE})
        self._provider = MeterProvider(metric_readers=[reader], resource=resource)
        meter = self._provider.get_meter("defectscope.monitor")
        for family in self._collector.collect():
            made = (
                meter.create_observable_counter
                if family.type == "counter"
                else meter.create_observable_gauge
            )
            made(family.name, [self._reading(family.name)], description=family.documentation)

    def wake(self) -> None:
        """Takes no notice of events: metrics have a pace of their own."""

    def stop(self) -> None:
        """Sends the last values and ends it; a collector that is gone holds nothing up for long."""
        if self._provider is not None:
            self._provider.shutdown(timeout_millis=_STOPPING_MS)
            self._provider = None

    def _reading(self, name: str) -> Callable[[Any], Iterable[Any]]:
        """Returns what reads the present values of one metric."""
        from opentelemetry.metrics import Observation

        def read(_options: Any) -> Iterable[Any]:
            if name not in self._unread:
                # It has been read already: this is the next export, and all of it is new.
                self._unread = {family.name: family for family in self._collector.collect()}
            for sample in self._unread.pop(name).samples:
                yield Observation(sample.value, dict(sample.labels))

        return read
