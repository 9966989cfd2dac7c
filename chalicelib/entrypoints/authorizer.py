"""The Lambda authorizer: API Gateway asks it to check tokens (ECHOER_AUTH=token, on AWS).

It keeps requests without a valid token away from the API function, and API Gateway does not bill requests that fail
here. API Gateway refuses an `Authorization` that cannot be a token (`TOKEN_PATTERN`) without a call of this function.
API Gateway caches the result for `CACHE_S` seconds per token, so a token in use costs one small call and one read in
that time. ECHOER_AUTHORIZER=off omits the authorizer: then a first request waits for one cold start, not for two.

The cached policy applies to all calls of the API, so it must not depend on the requested call: it allows all calls or
none. Roles and namespaces are checked in `http.auth`, which checks the token itself and does not rely on this result.
The caches here add up to a minute, and `http.auth` sees a revocation within half a minute. On one machine there is no
API Gateway, and `http.auth` is the only check.

An invalid token is denied, not raised: a failing function triggers an alarm, and API Gateway does not cache failures.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from chalicelib import hosting
from chalicelib.service.security.roles import Unauthorized
from chalicelib.service.security.tokens import MIN_ADMIN_TOKEN_CHARACTERS, TOKEN_CACHE_MS

LOG = logging.getLogger("echoer.audit")

CACHE_S: Final = TOKEN_CACHE_MS // 1000
"""How long API Gateway caches a policy."""

TOKEN_PATTERN: Final = f"^[Bb][Ee][Aa][Rr][Ee][Rr] .{{{MIN_ADMIN_TOKEN_CHARACTERS},}}$"
"""The pattern that `Authorization` must match for API Gateway to call the authorizer."""


def authorize(authorization: str, method_arn: str) -> dict[str, Any]:
    """Return the policy for a request with this `Authorization` header: all calls of the API, or none.

    `method_arn`: arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH (API Gateway Developer Guide, "Output from
    an API Gateway Lambda authorizer"). Errors of the store are raised: API Gateway responds with a 500 and does not
    cache it.
    """
    api, stage, *call = method_arn.split("/")
    scheme, _, text = authorization.partition(" ")
    effect, caller = "Deny", "nobody"
    try:
        if scheme.lower() == "bearer":
            effect, caller = "Allow", hosting.tokens().caller(text.strip()).by
    except Unauthorized as error:
        LOG.info("'nobody': %r: %s", f"{call[0]} /{'/'.join(call[1:])}", error)
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": f"{api}/{stage}/*"}
    return {"principalId": caller, "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
