"""How TorchServe's frontend is told to listen, what to let through and what to log."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from defectscope.errors import ServingError

_CHATTER = (
    "Backend received inference",
    "s_name_part",
    "Listening on port",
    "Successfully loaded",
    r"\[PID\]",
    "Torch worker started",
    "Python runtime",
    "Connection accepted",
    "model_name: ",
)
_QUIET_LOG_CONFIG = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="error">
  <Appenders>
    <Console name="stderr" target="SYSTEM_ERR">
      <RegexFilter regex="[{]&quot;_aws&quot;.*" onMatch="DENY" onMismatch="NEUTRAL"/>
      <PatternLayout pattern="%d{ISO8601} %-5p %c{1} %m%n"/>
    </Console>
    <!-- Metrics in the embedded metric format must stand alone on their line. -->
    <Console name="metrics" target="SYSTEM_OUT">
      <RegexFilter regex="[{]&quot;_aws&quot;.*" onMatch="ACCEPT" onMismatch="DENY"/>
      <PatternLayout pattern="%m%n"/>
    </Console>
  </Appenders>
  <Loggers>
    <!-- Netty warns about TCP options on each Unix socket it accepts. -->
    <Logger name="io.netty" level="error"/>
    <!-- What a worker prints, a traceback above all, without a line for each of its steps. -->
    <Logger name="MODEL_LOG" level="info">
      <RegexFilter
        regex=".*(@CHATTER@).*"
        onMatch="DENY" onMismatch="NEUTRAL"/>
      <AppenderRef ref="metrics"/>
    </Logger>
    <Root level="warn"><AppenderRef ref="stderr"/></Root>
  </Loggers>
</Configuration>
"""


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    """Everything that decides how a TorchServe frontend listens and what it lets through.

    Attributes:
        model_store: Folder that holds the archives.
        inference_address: `http://host:port` or `unix:/path`.
        management_address: Address of the management API; keep it off the network.
        metrics_address: Address of the metrics API.
        grpc_inference_port: TorchServe always opens its two gRPC ports, on loopback.
        grpc_management_port: See `grpc_inference_port`.
        max_body_bytes: Largest request and response; above it TorchServe answers 413, empty.
        response_timeout_s: How long one prediction may take unless the archive says otherwise.
        startup_timeout_s: How long a worker may take to load its model.
        job_queue_size: Requests that may wait per model; the next one gets 503.
        environment_overrides: Whether `TS_*` environment variables win over this file, as in
            SageMaker's containers.
    """

    model_store: Path
    inference_address: str
    management_address: str
    metrics_address: str
    grpc_inference_port: int
    grpc_management_port: int
    max_body_bytes: int = 100 * 1024 * 1024
    response_timeout_s: int = 3600
    startup_timeout_s: int = 300
    job_queue_size: int = 100
    environment_overrides: bool = True

    def properties(self) -> str:
        """Returns the text of TorchServe's config.properties.

        Raises:
            ServingError: A value holds a line break, which would inject further settings.
        """
        store = self.model_store.as_posix()
        values: dict[str, str | int] = {
            "inference_address": self.inference_address,
            "management_address": self.management_address,
            "metrics_address": self.metrics_address,
            "grpc_inference_address": "127.0.0.1",
            "grpc_management_address": "127.0.0.1",
            "grpc_inference_port": self.grpc_inference_port,
            "grpc_management_port": self.grpc_management_port,
            "model_store": store,
            # Only what already lies in the store can be registered at run time.
            "allowed_urls": f"file://{store}/.*",
            # SageMaker sends no bearer token; the management API stays private instead.
            "disable_token_authorization": "true",
            # Bodies are media: TorchServe must not try to read them as text.
            "decode_input_request": "false",
            "max_request_size": self.max_body_bytes,
            "max_response_size": self.max_body_bytes,
            "default_response_timeout": self.response_timeout_s,
            "default_startup_timeout": self.startup_timeout_s,
            "job_queue_size": self.job_queue_size,
            "enable_envvars_config": str(self.environment_overrides).lower(),
            "install_py_dep_per_model": "false",
            "disable_system_metrics": "true",
        }
        lines: list[str] = []
        for key, value in values.items():
            text = str(value)
            if "\n" in text or "\r" in text:
                raise ServingError(f"TorchServe setting {key} holds a line break")
            lines.append(f"{key}={text.replace(chr(92), chr(92) * 2)}")
        return "\n".join(lines) + "\n"


def quiet_log_config() -> str:
    """Returns a log4j2 configuration that keeps warnings and what workers print on stderr.

    TorchServe's own configuration wrote 136 MB in 25 s of load.
    """
    return _QUIET_LOG_CONFIG.replace("@CHATTER@", "|".join(_CHATTER))
