"""Instance types: those that SageMaker takes, in place of the shorter lists that moto carries."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import botocore.session


@cache
def known_types(shape: str) -> tuple[str, ...]:
    """Returns the instance types of one of the shapes in SageMaker's own service model.

    Args:
        shape: `ProductionVariantInstanceType` or `TransformInstanceType`.
    """
    model = botocore.session.get_session().get_service_model("sagemaker")
    found: Any = model.shape_for(shape)
    return tuple(found.enum)


def accept_known_types() -> None:
    """Makes moto, in this process, take the instance types that botocore knows and no others."""
    from moto.sagemaker import models
    from moto.sagemaker.exceptions import ValidationError

    def check(instance_type: str, member: str, shape: str) -> None:
        if instance_type not in known_types(shape):
            raise ValidationError(
                f"Value '{instance_type}' at '{member}' failed to satisfy constraint: "
                f"Member must satisfy enum value set: [{', '.join(known_types(shape))}]"
            )

    def of_variant(_config: models.FakeEndpointConfig, instance_type: str) -> None:
        check(instance_type, "instanceType", "ProductionVariantInstanceType")

    def of_packages_in_service(instance_types: Sequence[str]) -> None:
        for instance_type in instance_types:
            member = "supportedRealtimeInferenceInstanceTypes"
            check(instance_type, member, "ProductionVariantInstanceType")

    def of_packages_in_batch(instance_types: Sequence[str]) -> None:
        for instance_type in instance_types:
            check(instance_type, "supportedTransformInstanceTypes", "TransformInstanceType")

    package = models.ModelPackage
    setattr(models.FakeEndpointConfig, "validate_instance_type", of_variant)  # noqa: B010
    for name, checked in (
        ("validate_supported_realtime_inference_instance_types", of_packages_in_service),
        ("validate_supported_transform_instance_types", of_packages_in_batch),
    ):
        setattr(package, name, staticmethod(checked))
