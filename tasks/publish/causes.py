"""Every cause for which the store, the publisher or the verifier refuses, with its exit code: one table, printed into the documents.

How a cause is found does not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tasks.errors import ReleaseError, VerificationError


class Cause(StrEnum):
    """Public vocabulary: appears in messages, `--json` output and the table of exit codes."""

    # 1x: stores
    STORE_UNREACHABLE = "store_unreachable"
    STORE_CREDENTIALS = "store_credentials"
    STORE_DENIED = "store_denied"
    NO_SUCH_BUCKET = "no_such_bucket"
    CLOCK_SKEW = "clock_skew"
    WRONG_REGION = "wrong_region"
    NO_CONDITIONAL_PUT = "no_conditional_put"
    STORE_FULL = "store_full"
    UPLOAD_DAMAGED = "upload_damaged"
    NOT_ENCRYPTED = "not_encrypted"
    # 2x: publishing, keys, withdrawing
    CANDIDATE_CHANGED = "candidate_changed"
    APPROVAL_EXPIRED = "approval_expired"
    SUPPRESSED_CONTENT = "suppressed_content"
    OBJECT_CONFLICT = "object_conflict"
    KEY_PERMISSIONS = "key_permissions"
    KEY_UNREADABLE = "key_unreadable"
    KEY_NOT_TRUSTED = "key_not_trusted"
    WITHDRAWAL_UNPROVEN = "withdrawal_unproven"
    NOTHING_TO_WITHDRAW = "nothing_to_withdraw"
    CANARY_REACHED = "canary_reached"
    # 4x to 7x: verification
    NO_RELEASE = "no_release"
    KEYS_INVALID = "keys_invalid"
    KEY_MISMATCH = "key_mismatch"
    LOG_GAP = "log_gap"
    LOG_UNREADABLE = "log_unreadable"
    LOG_CHAIN_BROKEN = "log_chain_broken"
    LOG_SIGNATURE = "log_signature"
    LOG_TRUNCATED = "log_truncated"
    LATEST_INVALID = "latest_invalid"
    LATEST_ROLLED_BACK = "latest_rolled_back"
    REVOKED_KEY = "revoked_key"
    RELEASE_JSON_CHANGED = "release_json_changed"
    CHECKSUMS_CHANGED = "checksums_changed"
    SSH_SIGNATURE = "ssh_signature"
    MINISIGN_SIGNATURE = "minisign_signature"
    FILE_MISSING = "file_missing"
    FILE_CHANGED = "file_changed"
    FILE_UNLISTED = "file_unlisted"
    ATTESTATION_SIGNATURE = "attestation_signature"
    ATTESTATION_SUBJECT = "attestation_subject"
    GATE_NOT_PASSED = "gate_not_passed"
    SCHEMA_CHANGED = "schema_changed"
    DUPLICATE_KEY = "duplicate_key"
    DANGLING_REFERENCE = "dangling_reference"
    COUNTS_DISAGREE = "counts_disagree"
    DIGEST_MISMATCH = "digest_mismatch"
    TOMBSTONE_INVALID = "tombstone_invalid"
    TOMBSTONED_CONTENT = "tombstoned_content"
    OBJECT_MISSING = "object_missing"
    OBJECT_SIZE = "object_size"
    OBJECT_CHANGED = "object_changed"
    OBJECT_UNLISTED = "object_unlisted"
    OBJECT_PREAMBLE = "object_preamble"
    OBJECT_IDENTITY = "object_identity"
    OBJECT_DECLARATION = "object_declaration"
    CROISSANT_INVALID = "croissant_invalid"
    LATEST_EXPIRED = "latest_expired"
    APPROVAL_INVALID = "approval_invalid"


@dataclass(frozen=True, slots=True)
class CauseEntry:
    exit_code: int
    meaning: str
    remedy: str


CAUSES: dict[Cause, CauseEntry] = {
    Cause.STORE_UNREACHABLE: CauseEntry(10, "the store cannot be reached", "check the URL, the endpoint and the network"),
    Cause.STORE_CREDENTIALS: CauseEntry(11, "the store refuses the credentials", "check the access key and the secret key"),
    Cause.STORE_DENIED: CauseEntry(12, "the credentials may not do this here", "compare with infra/policies for this role"),
    Cause.NO_SUCH_BUCKET: CauseEntry(13, "there is no such bucket or folder", "create it (infra/terraform) or correct the URL"),
    Cause.CLOCK_SKEW: CauseEntry(14, "the clocks of the store and of this machine differ too much", "set this machine's clock"),
    Cause.WRONG_REGION: CauseEntry(15, "the bucket is in another region", "set AWS_REGION to the bucket's region"),
    Cause.NO_CONDITIONAL_PUT: CauseEntry(
        16, "the store ignores put-if-absent, so two publishers could overwrite each other", "use another store"
    ),
    Cause.STORE_FULL: CauseEntry(17, "the store has no room left", "make room and run again"),
    Cause.UPLOAD_DAMAGED: CauseEntry(18, "an object read back differs from what was written", "run again; suspect the store"),
    Cause.NOT_ENCRYPTED: CauseEntry(19, "the store does not encrypt as it was asked to", "correct sse= in the URL, or use another store"),
    Cause.CANDIDATE_CHANGED: CauseEntry(20, "the candidate's bytes are not those that were judged", "freeze and judge again"),
    Cause.APPROVAL_EXPIRED: CauseEntry(22, "the approval has expired", "ask the reviewer again"),
    Cause.SUPPRESSED_CONTENT: CauseEntry(
        23, "the candidate holds content that was withdrawn", "run the release again: the next candidate leaves it out"
    ),
    Cause.OBJECT_CONFLICT: CauseEntry(24, "an immutable key is taken by different bytes", "stop publishing and find out who wrote it"),
    Cause.KEY_PERMISSIONS: CauseEntry(25, "the key file can be read by others", "run: chmod 600 on it"),
    Cause.KEY_UNREADABLE: CauseEntry(26, "the key file cannot be read as an Ed25519 key", "make one with `sallyport keys signing FILE`"),
    Cause.KEY_NOT_TRUSTED: CauseEntry(
        27, "the log does not trust this signing key", "rotate to it with `sallyport keys rotate`, signed by the present key"
    ),
    Cause.WITHDRAWAL_UNPROVEN: CauseEntry(
        28, "withdrawn objects can still be read", "run the withdrawal again with a role that may delete versions"
    ),
    Cause.NOTHING_TO_WITHDRAW: CauseEntry(
        29, "no release and no quarantined object holds this", "check the identifier; it is suppressed from now on all the same"
    ),
    Cause.CANARY_REACHED: CauseEntry(
        30,
        "a canary that the gates must hold is in the staged release, so nothing was published",
        "a gate does not work: run `sallyport prove` before anything is released",
    ),
    Cause.NO_RELEASE: CauseEntry(40, "there is no such release", "check the URL and the release id"),
    Cause.KEYS_INVALID: CauseEntry(41, "keys.json is missing or not valid", "do not trust this copy"),
    Cause.KEY_MISMATCH: CauseEntry(
        42, "the publisher's key is not the one that you trust", "compare the fingerprint with the publisher by another way"
    ),
    Cause.LOG_GAP: CauseEntry(43, "an entry of the log is missing", "do not trust this copy"),
    Cause.LOG_UNREADABLE: CauseEntry(44, "an entry of the log is not valid", "do not trust this copy"),
    Cause.LOG_CHAIN_BROKEN: CauseEntry(45, "an entry of the log does not follow the one before it", "do not trust this copy"),
    Cause.LOG_SIGNATURE: CauseEntry(46, "an entry of the log has no valid signature", "do not trust this copy"),
    Cause.LOG_TRUNCATED: CauseEntry(47, "the log is shorter than it was", "do not trust this copy"),
    Cause.LATEST_INVALID: CauseEntry(48, "latest.json is missing, unsigned or names no entry of the log", "do not trust this copy"),
    Cause.LATEST_ROLLED_BACK: CauseEntry(49, "latest.json names an older release than it did", "do not trust this copy"),
    Cause.REVOKED_KEY: CauseEntry(50, "signed with a key that was revoked before", "do not trust this release"),
    Cause.RELEASE_JSON_CHANGED: CauseEntry(51, "release.json is not the one that the log committed", "download again; tell the publisher"),
    Cause.CHECKSUMS_CHANGED: CauseEntry(52, "SHA256SUMS is not the one that the log committed", "download again; tell the publisher"),
    Cause.SSH_SIGNATURE: CauseEntry(53, "SHA256SUMS.sshsig is not valid", "do not trust this release"),
    Cause.MINISIGN_SIGNATURE: CauseEntry(54, "SHA256SUMS.minisig is not valid", "do not trust this release"),
    Cause.FILE_MISSING: CauseEntry(55, "a file of the release is missing", "download again; tell the publisher"),
    Cause.FILE_CHANGED: CauseEntry(56, "a file of the release is not what SHA256SUMS says", "download again; tell the publisher"),
    Cause.FILE_UNLISTED: CauseEntry(57, "the release holds a file that SHA256SUMS does not list", "do not read it; tell the publisher"),
    Cause.ATTESTATION_SIGNATURE: CauseEntry(58, "an attestation is not validly signed", "do not trust this release"),
    Cause.ATTESTATION_SUBJECT: CauseEntry(59, "an attestation is about something else", "do not trust this release"),
    Cause.GATE_NOT_PASSED: CauseEntry(60, "a mandatory gate did not pass", "do not use this release; tell the publisher"),
    Cause.SCHEMA_CHANGED: CauseEntry(61, "a manifest has other columns than documented", "do not use it: an extra column may be a leak"),
    Cause.DUPLICATE_KEY: CauseEntry(62, "a manifest names the same thing twice", "tell the publisher"),
    Cause.DANGLING_REFERENCE: CauseEntry(63, "a manifest refers to something that is not there", "tell the publisher"),
    Cause.COUNTS_DISAGREE: CauseEntry(64, "counts in the manifests and release.json do not add up", "tell the publisher"),
    Cause.DIGEST_MISMATCH: CauseEntry(65, "the digests of series, studies or root cannot be recomputed", "do not trust this release"),
    Cause.TOMBSTONE_INVALID: CauseEntry(66, "a tombstone is missing or not the one that the log committed", "do not trust this copy"),
    Cause.TOMBSTONED_CONTENT: CauseEntry(67, "the release holds something that was withdrawn", "delete your copy; tell the publisher"),
    Cause.OBJECT_MISSING: CauseEntry(68, "an image object is missing", "download again; tell the publisher"),
    Cause.OBJECT_SIZE: CauseEntry(69, "an image object has another size than its manifest row", "download again; tell the publisher"),
    Cause.OBJECT_CHANGED: CauseEntry(70, "an image object has another sha256 than its manifest row", "download again; tell the publisher"),
    Cause.OBJECT_UNLISTED: CauseEntry(71, "a series folder holds an object that no manifest lists", "do not read it; tell the publisher"),
    Cause.OBJECT_PREAMBLE: CauseEntry(72, "an image object's 128-byte preamble is not zero", "do not open it; tell the publisher"),
    Cause.OBJECT_IDENTITY: CauseEntry(73, "an image object's UIDs are not those of its manifest row", "tell the publisher"),
    Cause.OBJECT_DECLARATION: CauseEntry(74, "an image object declares other de-identification than its manifest", "tell the publisher"),
    Cause.CROISSANT_INVALID: CauseEntry(75, "croissant.json is not valid", "tell the publisher"),
    Cause.LATEST_EXPIRED: CauseEntry(76, "latest.json has expired", "ask the publisher whether the dataset is still kept"),
    Cause.APPROVAL_INVALID: CauseEntry(
        77, "the approval had expired at the release's date, or approves something else", "do not use this release"
    ),
}


def refuse(cause: Cause, where: str, detail: str = "") -> ReleaseError:
    """Return the error to raise for a cause: its table text at `where`, with `detail` (never a value of a patient) in brackets."""
    entry = CAUSES[cause]
    kind = VerificationError if entry.exit_code >= 40 else ReleaseError
    error = kind(where, entry.meaning + (f" ({detail})" if detail else ""), entry.remedy)
    error.exit_code = entry.exit_code
    error.cause = cause  # type: ignore[attr-defined]  # ReleaseError is shared; only publishing names causes
    return error
