"""Evaluates media through an endpoint; the profile's rules are decided here, on its report."""

from __future__ import annotations

import argparse
from typing import Any

from defectscope.errors import InvalidParameterError
from defectscope.findings import Report


def analyze_there(media: str, arguments: argparse.Namespace, options: dict[str, Any]) -> Report:
    """Returns the endpoint's report on one medium, held against the profile.

    Raises:
        InvalidParameterError: An option is of this machine alone.
        EndpointError: The call failed.
    """
    from defectscope.client import Client
    from defectscope.desk.analyzing import chosen_detectors
    from defectscope.desk.inputs import is_package
    from defectscope.desk.times import seconds_of
    from defectscope.profiles import apply_profile, load_profile, parameters_with

    if is_package(media):
        raise InvalidParameterError("an endpoint takes one file: a package is analyzed here alone")
    captions = arguments.captions
    if captions is not None and "://" not in captions:
        raise InvalidParameterError("an endpoint takes --captions as an s3:// address")
    detectors = chosen_detectors(options["detectors"])
    parameters = options["parameters"]
    held = None if arguments.profile is None else load_profile(arguments.profile)
    if held is not None:
        parameters = parameters_with(held, parameters, detectors)
    start, end = (
        None if text is None else seconds_of(text, None)
        for text in (arguments.start, arguments.end)
    )
    client = Client(endpoint_name=arguments.endpoint, region=arguments.region)
    report = client.analyze(
        media,
        detectors=detectors,
        captions_uri=captions,
        parameters=parameters or None,
        audio_layout=arguments.audio_layout,
        program=arguments.program,
        start_s=start,
        end_s=end,
    )
    return report if held is None else apply_profile(report, held)
