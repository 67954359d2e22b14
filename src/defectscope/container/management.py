"""TorchServe's management API: which workers a model has, and how many it shall have."""

from __future__ import annotations

import contextlib
import json
from typing import Any, cast

from defectscope.container.addresses import connection_to
from defectscope.errors import ServingError

_TIMEOUT_S = 5.0
_LONGEST_ANSWER_BYTES = 1 << 20


class Management:
    """Asks about one model and scales it.

    Args:
        address: Of the management API, `http://host:port` or `unix:/path`.
        model_name: The model.
    """

    def __init__(self, address: str, model_name: str) -> None:
        self._address = address
        self._model_name = model_name

    def describe(self) -> dict[str, Any]:
        """Returns what TorchServe says of the model: minWorkers, maxWorkers, workers and more.

        Raises:
            OSError: The server does not answer yet, or no more.
            ServingError: The server knows no such model.
        """
        status, body = self._ask("GET", "")
        if status != 200:
            raise ServingError(f"TorchServe does not list model {self._model_name}")
        return cast("list[dict[str, Any]]", json.loads(body))[0]

    def scale(self, workers: int) -> None:
        """Asks for a number of workers.

        Raises:
            OSError: The server answers no more.
            ServingError: TorchServe refused.
        """
        status, _ = self._ask("PUT", f"?min_worker={workers}&max_worker={workers}")
        if status >= 300:
            raise ServingError(f"TorchServe refused to run {workers} workers")

    def _ask(self, method: str, query: str) -> tuple[int, bytes]:
        with contextlib.closing(connection_to(self._address, _TIMEOUT_S)) as connection:
            connection.request(method, f"/models/{self._model_name}{query}")
            response = connection.getresponse()
            return response.status, response.read(_LONGEST_ANSWER_BYTES)
