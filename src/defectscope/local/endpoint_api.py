"""The endpoint operations of the control plane."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from defectscope.local.endpoints import (
    Endpoint,
    Variant,
    failure_reason,
    new_variants,
    start_all,
    start_variant,
    stop_all,
)
from defectscope.local.faults import runtime_validation, validation
from defectscope.local.listing import page_of
from defectscope.local.model_server import ModelServer
from defectscope.local.settings import ACCOUNT_ID, arn
from defectscope.local.workplace import Workplace


class Endpoints:
    """Every endpoint of this machine, by region and name."""

    def __init__(self, workplace: Workplace) -> None:
        self._workplace = workplace
        self._lock = threading.Lock()
        self._endpoints: dict[tuple[str, str], Endpoint] = {}

    def operations(self) -> dict[str, Any]:
        """Returns the operations by the name that AWS gives them."""
        return {
            "CreateEndpoint": self.create,
            "DescribeEndpoint": self.describe,
            "ListEndpoints": self.list,
            "UpdateEndpoint": self.update,
            "UpdateEndpointWeightsAndCapacities": self.update_weights,
            "DeleteEndpoint": self.delete,
        }

    def all(self) -> list[Endpoint]:
        """Returns every endpoint that exists."""
        with self._lock:
            return list(self._endpoints.values())

    def serving(self, region: str, name: str) -> Endpoint:
        """Returns an endpoint that takes invocations.

        Raises:
            FaultError: There is none of that name, or it is not in service.
        """
        with self._lock:
            endpoint = self._endpoints.get((region, name))
        if endpoint is None or endpoint.status not in ("InService", "Updating", "SystemUpdating"):
            raise runtime_validation(f"Endpoint {name} of account {ACCOUNT_ID} not found.")
        return endpoint

    def _existing(self, region: str, request: Mapping[str, Any]) -> Endpoint:
        name = str(request["EndpointName"])
        with self._lock:
            endpoint = self._endpoints.get((region, name))
        if endpoint is None:
            raise validation(f'Could not find endpoint "{arn(region, "endpoint", name)}".')
        return endpoint

    def _config(self, region: str, name: str) -> dict[str, Any]:
        try:
            return self._workplace.moto.client("sagemaker", region).describe_endpoint_config(
                EndpointConfigName=name
            )
        except ClientError:
            where = arn(region, "endpoint-config", name)
            raise validation(f'Could not find endpoint configuration "{where}".') from None

    def create(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """CreateEndpoint: the endpoint is Creating until its servers can predict."""
        name = str(request["EndpointName"])
        config_name = str(request["EndpointConfigName"])
        config = self._config(region, config_name)
        endpoint = Endpoint(name, region, config_name, config)
        with self._lock:
            if (region, name) in self._endpoints:
                raise validation(f'Cannot create already existing endpoint "{endpoint.arn}".')
            self._endpoints[region, name] = endpoint
        try:
            self._mirror_tags(region, name, config_name, list(request.get("Tags") or []))
        except Exception:
            with self._lock:
                del self._endpoints[region, name]
            raise
        threading.Thread(target=self._bring_up, args=(endpoint,), daemon=True).start()
        return {"EndpointArn": endpoint.arn}

    def _mirror_tags(self, region: str, name: str, config_name: str, tags: list[Any]) -> None:
        """Makes the endpoint in moto, which keeps its tags and serves application-autoscaling."""
        moto = self._workplace.moto.client("sagemaker", region)
        names = {"EndpointName": name, "EndpointConfigName": config_name}
        try:
            moto.create_endpoint(**names, Tags=tags)
        except ClientError as error:
            if "already existing" not in str(error):
                raise
            # What an earlier process left in a moto that outlived it.
            moto.delete_endpoint(EndpointName=name)
            moto.create_endpoint(**names, Tags=tags)

    def _bring_up(self, endpoint: Endpoint) -> None:
        variants = new_variants(endpoint.config)
        with endpoint.lock:
            endpoint.variants = variants
        try:
            start_all(self._workplace, endpoint, variants)
        except Exception as error:
            endpoint.set_status("Failed", failure_reason(error))
            return
        with endpoint.lock:
            if endpoint.status == "Creating":
                endpoint.set_status("InService")
                return
        stop_all(variants)

    def describe(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """DescribeEndpoint."""
        return self._existing(region, request).describe()

    def list(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """ListEndpoints, with filters, order and pages."""
        summaries = [e.summary() for e in self.all() if e.region == region]
        return page_of(summaries, request, prefix="Endpoint", result="Endpoints")

    def update(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """UpdateEndpoint: new servers take over when they can predict, and then the old ones end.

        Traffic shifts at once, whatever the deployment configuration asks for. When the new
        configuration cannot be brought up, the old one stays in service and FailureReason says why.
        """
        endpoint = self._existing(region, request)
        config_name = str(request["EndpointConfigName"])
        config = self._config(region, config_name)
        with endpoint.lock:
            self._refuse_in_progress(endpoint)
            kept: dict[str, Variant] = {}
            if request.get("RetainAllVariantProperties"):
                kept = endpoint.variants
            variants = new_variants(config, kept)
            for excluded in request.get("ExcludeRetainedVariantProperties") or []:
                _reset_property(variants, str(excluded.get("VariantPropertyType")))
            endpoint.set_status("Updating")
        arguments = (endpoint, config_name, config, variants, request.get("DeploymentConfig"))
        threading.Thread(target=self._replace, args=arguments, daemon=True).start()
        return {"EndpointArn": endpoint.arn}

    def _replace(
        self,
        endpoint: Endpoint,
        config_name: str,
        config: Mapping[str, Any],
        variants: dict[str, Variant],
        deployment: Mapping[str, Any] | None,
    ) -> None:
        successor = Endpoint(endpoint.name, endpoint.region, config_name, config)
        try:
            start_all(self._workplace, successor, variants)
        except Exception as error:
            endpoint.set_status("InService", failure_reason(error))
            return
        with endpoint.lock:
            replaced, endpoint.variants = endpoint.variants, variants
            endpoint.config_name, endpoint.config = config_name, config
            endpoint.last_deployment = deployment
            endpoint.set_status("InService")
        stop_all(replaced, drain_s=self._workplace.settings.drain_s)

    def update_weights(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """UpdateEndpointWeightsAndCapacities; a count of zero stops the variant's server."""
        endpoint = self._existing(region, request)
        changes: list[Mapping[str, Any]] = request.get("DesiredWeightsAndCapacities") or []
        names = [str(change.get("VariantName")) for change in changes]
        with endpoint.lock:
            self._refuse_in_progress(endpoint)
            for name in names:
                if name not in endpoint.variants:
                    raise validation(
                        f'The variant name(s) "{name}" is/are not present within endpoint '
                        f'configuration "{endpoint.config_name}".'
                    )
                if names.count(name) > 1:
                    raise validation(f'The variant name "{name}" was non-unique in the request.')
            for change in changes:
                variant = endpoint.variants[str(change["VariantName"])]
                variant.weight = float(change.get("DesiredWeight", variant.weight))
                count = change.get("DesiredInstanceCount", variant.desired_count)
                variant.desired_count = int(count)
            endpoint.set_status("Updating")
        threading.Thread(target=self._rescale, args=(endpoint,), daemon=True).start()
        return {"EndpointArn": endpoint.arn}

    def _rescale(self, endpoint: Endpoint) -> None:
        reason = None
        for variant in list(endpoint.variants.values()):
            try:
                if variant.desired_count > 0 and variant.server is None:
                    start_variant(self._workplace, endpoint, variant)
            except Exception as error:
                reason = failure_reason(error)
            if variant.desired_count == 0 and variant.server is not None:
                stop_all({variant.name: variant}, drain_s=self._workplace.settings.drain_s)
        endpoint.set_status("InService", reason)

    def delete(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """DeleteEndpoint: Deleting until its servers have ended, and then gone."""
        endpoint = self._existing(region, request)
        with endpoint.lock:
            self._refuse_in_progress(endpoint)
            endpoint.set_status("Deleting")
        threading.Thread(target=self._take_down, args=(endpoint,), daemon=True).start()
        return {}

    def _take_down(self, endpoint: Endpoint) -> None:
        stop_all(endpoint.variants, drain_s=self._workplace.settings.drain_s)
        with self._lock:
            self._endpoints.pop((endpoint.region, endpoint.name), None)
        try:
            self._workplace.moto.client("sagemaker", endpoint.region).delete_endpoint(
                EndpointName=endpoint.name
            )
        except ClientError:
            return

    @staticmethod
    def _refuse_in_progress(endpoint: Endpoint) -> None:
        if endpoint.status in ("Creating", "Updating", "Deleting"):
            raise validation(f'Cannot update in-progress endpoint "{endpoint.arn}".')

    def wait_for_server(
        self, endpoint: Endpoint, name: str | None, deadline: float
    ) -> tuple[Variant, ModelServer] | None:
        """Waits until a variant has a server, as an asynchronous queue waits for scaling out.

        Returns:
            The variant and its server, or None when the time is over or the endpoint gone.
        """
        while time.monotonic() < deadline and endpoint.status != "Deleting":
            with endpoint.lock:
                for variant in endpoint.variants.values():
                    if variant.server is not None and name in (None, variant.name):
                        return variant, variant.server
            time.sleep(0.1)
        return None

    def stop(self) -> None:
        """Ends every server at once."""
        for endpoint in self.all():
            endpoint.set_status("Deleting")
            stop_all(endpoint.variants)


def _reset_property(variants: Mapping[str, Variant], kind: str) -> None:
    for variant in variants.values():
        if kind == "DesiredWeight":
            variant.weight = float(variant.config.get("InitialVariantWeight", 1.0))
        elif kind == "DesiredInstanceCount":
            variant.desired_count = int(variant.config.get("InitialInstanceCount") or 1)
