"""Turn what an S3 server or the network says into one of our causes; never quotes a response.

Retrying does not belong here (botocore does it).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)

from tasks.errors import ReleaseError
from tasks.publish.causes import Cause, refuse

_BY_CODE = {
    "InvalidAccessKeyId": Cause.STORE_CREDENTIALS,
    "SignatureDoesNotMatch": Cause.STORE_CREDENTIALS,
    "ExpiredToken": Cause.STORE_CREDENTIALS,
    "InvalidToken": Cause.STORE_CREDENTIALS,
    "TokenRefreshRequired": Cause.STORE_CREDENTIALS,
    "AccessDenied": Cause.STORE_DENIED,
    "AllAccessDisabled": Cause.STORE_DENIED,
    "MethodNotAllowed": Cause.STORE_DENIED,
    "403": Cause.STORE_DENIED,
    "NoSuchBucket": Cause.NO_SUCH_BUCKET,
    "InvalidBucketName": Cause.NO_SUCH_BUCKET,
    "RequestTimeTooSkewed": Cause.CLOCK_SKEW,
    "RequestExpired": Cause.CLOCK_SKEW,
    "PermanentRedirect": Cause.WRONG_REGION,
    "TemporaryRedirect": Cause.WRONG_REGION,
    "AuthorizationHeaderMalformed": Cause.WRONG_REGION,
    "IllegalLocationConstraintException": Cause.WRONG_REGION,
    "301": Cause.WRONG_REGION,
    "307": Cause.WRONG_REGION,
    "BadDigest": Cause.UPLOAD_DAMAGED,
    "InvalidDigest": Cause.UPLOAD_DAMAGED,
    "XAmzContentSHA256Mismatch": Cause.UPLOAD_DAMAGED,
    "KMS.NotFoundException": Cause.NOT_ENCRYPTED,
    "KMS.DisabledException": Cause.NOT_ENCRYPTED,
    "KMS.KMSInvalidStateException": Cause.NOT_ENCRYPTED,
    "InvalidEncryptionAlgorithmError": Cause.NOT_ENCRYPTED,
    "QuotaExceeded": Cause.STORE_FULL,
    "InsufficientStorage": Cause.STORE_FULL,
    "507": Cause.STORE_FULL,
}
ABSENT = frozenset(("NoSuchKey", "NoSuchVersion", "NoSuchUpload", "404"))
PRECONDITION = frozenset(("PreconditionFailed", "412"))
CONFLICT = frozenset(("ConditionalRequestConflict", "OperationAborted", "409"))


def code_of(error: ClientError) -> str:
    """Return the error code that the server sent, or the HTTP status."""
    return str(error.response.get("Error", {}).get("Code") or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))


def explain(error: Exception) -> ReleaseError:
    """Return the ReleaseError for whatever botocore raised."""
    if isinstance(error, ClientError):
        code = code_of(error)
        cause = _BY_CODE.get(code)
        if cause is None:
            # PRIVACY: only the server's code is shown; its message quotes keys (tests/publish/test_s3_store.py).
            safe = code if code.isalnum() and len(code) < 60 else "unknown answer"
            return refuse(Cause.STORE_UNREACHABLE, "store", safe)
        return refuse(cause, "store")
    if isinstance(error, (NoCredentialsError, PartialCredentialsError, ProfileNotFound, TokenRetrievalError)):
        return refuse(Cause.STORE_CREDENTIALS, "store", "none found" if isinstance(error, NoCredentialsError) else type(error).__name__)
    return refuse(Cause.STORE_UNREACHABLE, "store", type(error).__name__)


@contextmanager
def explained() -> Iterator[None]:
    """Raise ReleaseErrors instead of botocore's own."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise explain(error) from None
