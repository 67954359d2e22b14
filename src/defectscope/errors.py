"""Every error defectscope raises; scripts test its `code`, which stays between releases.

DefectscopeError
    ├── UsageError                      what was asked for makes no sense          exit 2, HTTP 400
    │   ├── UnknownDetectorError, InvalidParameterError
    │   ├── ProfileError                a delivery profile or waiver file is broken
    │   ├── MalformedRequestError       a body, header or JSON record is broken
    │   └── UnsupportedContentTypeError                                            HTTP 415
    ├── MediaError                      the media cannot be analyzed                 exit 3, HTTP
    422 │   ├── MediaNotFoundError                                                     HTTP 404
    │   ├── MediaRefusedError           the address is not allowed                 HTTP 400
    │   ├── MediaUnavailableError       its place does not answer; ask again       HTTP 503
    │   ├── MediaTooLargeError          too many bytes                             HTTP 413
    │   │   ├── BodyTooLargeError, ObjectTooLargeError    in the request, behind an address
    │   │   └── TooManyPixelsError, MediaTooLongError, TooManyStreamsError
    │   ├── UnreadableMediaError        not media, empty or damaged beyond use
    │   ├── TimeLimitError              analyzing it takes longer than is allowed
    │   └── CaptionsError               side-car captions that cannot be read
    ├── PluginError                     a detector of another package is unfit     exit 2
    ├── ArtifactError                   weights or kernels that are not the released ones
    ├── EndpointError                   a call to an endpoint failed               exit 4
    │   ├── EndpointNotFoundError, AccessDeniedError, ThrottledError
    │   ├── TransientEndpointError      a repetition may cure it
    │   ├── PayloadTooLargeError, EndpointTimeoutError
    │   ├── ModelError                  the container answered with an error
    │   └── JobError                    an asynchronous or transform job failed
    ├── ServingError, SettingError      TorchServe, an archive or a variable of it is broken
    │   └── OverloadedError             the worker is busy; ask again              HTTP 503
    ├── DeployError                     a deployment step failed
    └── LocalError                      SageMaker on this machine failed
"""

from typing import Any, ClassVar

EXIT_OK, EXIT_FAIL_ON, EXIT_USAGE, EXIT_MEDIA, EXIT_ENDPOINT = range(5)
EXIT_NOT_JUDGED = 5  # A profile was asked for, and part of it could not be evaluated.
EXIT_INTERNAL = 70  # Source: sysexits.h, EX_SOFTWARE.


class DefectscopeError(Exception):
    """Root of everything defectscope raises on purpose.

    Attributes:
        code, http_status, exit_code: What scripts, the endpoint and the command line tell it by.
        request_id: The request that failed, where one was made.
    """

    code: ClassVar[str] = "internal_error"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = EXIT_ENDPOINT

    def __init__(self, message: str, *, request_id: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.request_id = request_id

    def as_dict(self) -> dict[str, Any]:
        """Returns the error as the endpoint's JSON: `{"code", "message", "request_id"}`."""
        return {"code": self.code, "message": self.message, "request_id": self.request_id}


class UsageError(DefectscopeError):
    """The caller asked for something that makes no sense."""

    code = "usage"
    http_status = 400
    exit_code = EXIT_USAGE


class UnknownDetectorError(UsageError):
    """No detector, defect or simulator has that name."""

    code = "unknown_detector"


class InvalidParameterError(UsageError):
    """A parameter is unknown, of the wrong type or out of its range."""

    code = "invalid_parameter"


class ProfileError(UsageError):
    """A delivery profile or a file of waivers cannot be read; the message names the place."""

    code = "bad_profile"


class MalformedRequestError(UsageError):
    """A request body, header or record cannot be understood."""

    code = "malformed_request"


class UnsupportedContentTypeError(UsageError):
    """The endpoint does not accept bodies of this content type."""

    code = "unsupported_content_type"
    http_status = 415


class MediaError(DefectscopeError):
    """The media cannot be analyzed."""

    code = "media_error"
    http_status = 422
    exit_code = EXIT_MEDIA


class MediaNotFoundError(MediaError):
    """There is no such file or object, or it may not be read."""

    code = "media_not_found"
    http_status = 404


class MediaRefusedError(MediaError):
    """The address is of a kind or in a place that may not be fetched."""

    code = "media_refused"
    http_status = 400


class MediaUnavailableError(MediaError):
    """The place that holds the media does not answer; asking again later may help."""

    code = "media_unavailable"
    http_status = 503


class MediaTooLargeError(MediaError):
    """The media exceeds a limit on bytes, pixels, duration or number of streams."""

    code = "media_too_large"
    http_status = 413


class BodyTooLargeError(MediaTooLargeError):
    """The request body is larger than the endpoint takes."""

    code = "body_too_large"


class ObjectTooLargeError(MediaTooLargeError):
    """The object behind an address is larger than the endpoint reads."""

    code = "object_too_large"


class TooManyPixelsError(MediaTooLargeError):
    """The frame is larger than the limit."""

    code = "too_many_pixels"


class MediaTooLongError(MediaTooLargeError):
    """The programme is longer than the limit."""

    code = "media_too_long"


class TooManyStreamsError(MediaTooLargeError):
    """The container holds more streams than the limit."""

    code = "too_many_streams"


class UnreadableMediaError(MediaError):
    """The bytes are not media, are empty, or are damaged beyond use."""

    code = "unreadable_media"


class TimeLimitError(MediaError):
    """Judging the media took longer than the endpoint allows; asking again will not help."""

    code = "time_limit_exceeded"


class CaptionsError(MediaError):
    """Side-car captions cannot be read at all."""

    code = "unreadable_captions"


class PluginError(DefectscopeError):
    """A detector that another package offers cannot be used; the message names the package."""

    code = "bad_plugin"
    exit_code = EXIT_USAGE


class ArtifactError(DefectscopeError):
    """A file that ships with defectscope is missing or not the released one."""

    code = "bad_artifact"


class EndpointError(DefectscopeError):
    """A call to an endpoint failed."""

    code = "endpoint_error"
    http_status = 502
    exit_code = EXIT_ENDPOINT


class EndpointNotFoundError(EndpointError):
    """The endpoint does not exist or is not in service."""

    code = "endpoint_not_found"


class AccessDeniedError(EndpointError):
    """Credentials are missing, expired or lack a permission."""

    code = "access_denied"


class ThrottledError(EndpointError):
    """The service asked to slow down and retries did not help."""

    code = "throttled"
    http_status = 503


class TransientEndpointError(EndpointError):
    """The service or the way to it failed in a manner that a repetition may cure."""


class PayloadTooLargeError(EndpointError):
    """The body exceeds what the endpoint takes in one call."""

    code = "payload_too_large"
    http_status = 413


class ModelError(EndpointError):
    """The container answered with an error.

    Attributes:
        original_code: The endpoint's own error code, for example `unreadable_media`.
        original_status: The HTTP status that the container gave.
    """

    code = "model_error"

    def __init__(
        self,
        message: str,
        *,
        request_id: str | None = None,
        original_code: str | None = None,
        original_status: int | None = None,
    ) -> None:
        super().__init__(message, request_id=request_id)
        self.original_code = original_code
        self.original_status = original_status


class EndpointTimeoutError(EndpointError):
    """No answer came within the deadline."""

    code = "endpoint_timeout"
    http_status = 504


class JobError(EndpointError):
    """An asynchronous invocation or a transform job ended in failure."""

    code = "job_failed"


class ServingError(DefectscopeError):
    """TorchServe cannot be started or an archive is broken."""

    code = "serving_error"
    http_status = 503


class OverloadedError(ServingError):
    """The worker evaluates as many streams as it may; ask again later."""

    code = "overloaded"


class SettingError(ServingError):
    """An environment variable of the container holds a value that makes no sense."""

    code = "bad_setting"


class DeployError(DefectscopeError):
    """A deployment step failed; the message says what was undone."""

    code = "deploy_error"


class LocalError(DefectscopeError):
    """SageMaker on this machine cannot be started, reached or stopped."""

    code = "local_error"
