"""Errors that only serving raises, beside those of `defectscope.errors`."""

from __future__ import annotations

from defectscope.errors import MediaError, MediaTooLargeError, ServingError


class BodyTooLargeError(MediaTooLargeError):
    """The request body is larger than the endpoint takes."""

    code = "body_too_large"


class ObjectTooLargeError(MediaTooLargeError):
    """The object behind a URI is larger than the endpoint reads."""

    code = "object_too_large"


class TimeLimitError(MediaError):
    """Judging the media took longer than the endpoint allows; asking again will not help."""

    code = "time_limit_exceeded"


class OverloadedError(ServingError):
    """The worker judges as many streams as it may; ask again later."""

    code = "overloaded"


class SettingError(ServingError):
    """An environment variable of the container holds a value that makes no sense."""

    code = "bad_setting"
