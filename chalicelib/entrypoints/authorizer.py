"""What API Gateway asks before it calls the API function: whether a token is somebody's (ECHOER_AUTH=token, on AWS).

Why there is one: a request without a good token costs no call of the API function, and API Gateway bills none that
fails here; what bears no `Bearer` and a text that could be a token is turned away without even this function
(`SHAPE`). An answer is kept for SECONDS per token, so a token in use costs one small call and one read in that time.
ECHOER_AUTHORIZER=off leaves it out: then a first request waits for one cold start, not for two.

What is kept is kept for all calls of the API, so a policy must not speak of the one call that was asked for, or the
next call would be refused by what was said of another. So it allows all of them, or denies all: a token may be good
for less than its role (another namespace), which no policy can say, so roles are judged at the door.

The door (`access`) looks at the token itself, and trusts nothing that comes from here: what API Gateway and this
function remember adds up to a minute, the door hears of a revocation within half of one; and on one machine, where no
API Gateway is, the same door guards alone.

It denies and does not raise: a function that fails rings an alarm, and is asked again for the same token.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from chalicelib import hosting
from chalicelib.service.security.roles import Unauthorized
from chalicelib.service.security.tokens import MIN_ADMIN_TOKEN_CHARACTERS, TOKEN_CACHE_MS

LOG = logging.getLogger("echoer.audit")

SECONDS: Final = TOKEN_CACHE_MS // 1000
"""How long API Gateway goes by an answer."""

SHAPE: Final = f"^[Bb][Ee][Aa][Rr][Ee][Rr] .{{{MIN_ADMIN_TOKEN_CHARACTERS},}}$"
"""What `Authorization` must look like to be asked about at all."""


def authorize(said: str, method_arn: str) -> dict[str, Any]:
    """The policy for whoever sent `Authorization: said`: all calls of the API, or none.

    `method_arn`: arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH (API Gateway Developer Guide, "Output from
    an API Gateway Lambda authorizer"). Raises what the store raises: API Gateway answers that nobody can tell.
    """
    api, stage, *call = method_arn.split("/")
    scheme, _, text = said.partition(" ")
    effect, who = "Deny", "nobody"
    try:
        if scheme.lower() == "bearer":
            effect, who = "Allow", hosting.tokens().caller(text.strip()).by
    except Unauthorized as error:
        LOG.info("'nobody': %r: %s", f"{call[0]} /{'/'.join(call[1:])}", error)
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": f"{api}/{stage}/*"}
    return {"principalId": who, "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
