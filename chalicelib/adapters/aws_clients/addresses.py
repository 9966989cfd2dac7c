"""Where requests go whose endpoint needs no rules: that of the region, or the one that is set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

_COMMERCIAL: Final = re.compile(r"(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+")
"""The regions of the partition `aws`, as botocore's `partitions.json` has it. Others have other domains."""

DECIDING: Final = frozenset(
    {
        "AWS_ACCOUNT_ID",
        "AWS_AUTH_SCHEME_PREFERENCE",
        "AWS_DATA_PATH",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_DYNAMODB",
        "AWS_ENDPOINT_URL_SQS",
        "AWS_SIGV4A_SIGNING_REGION_SET",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "AWS_USE_FIPS_ENDPOINT",
        "ALL_PROXY",
        "HTTP_PROXY",
        "HTTPS_PROXY",
    }
)
"""Variables that change where or how botocore sends requests (botocore's documentation, "Configuration")."""

_HARMLESS: Final = frozenset(
    {"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "ca_bundle", "output", "region"}
)
"""What a profile may set that changes nothing of it."""


def url_of(service: str, region: str, endpoint: str | None, profile: Mapping[str, Any], env: Mapping[str, str]) -> str:
    """Return the URL of all requests to the service, or an empty string: botocore's rules decide.

    `endpoint` is one that is set, None: that of AWS. `profile` is the part of AWS's configuration file that applies.
    """
    if not profile.keys() <= _HARMLESS or any(name.upper() in DECIDING for name in env):
        return ""
    if endpoint is None:
        return f"https://{service}.{region}.amazonaws.com/" if _COMMERCIAL.fullmatch(region) else ""
    parts = urlsplit(endpoint)
    is_plain = parts.scheme in ("http", "https") and parts.path in ("", "/") and not parts.query
    return f"{parts.scheme}://{parts.netloc}/" if is_plain and parts.netloc else ""
