"""Which host this is."""

import base64
import json

from modelyard.foundation.errors import FailedPrecondition
from modelyard.foundation.ids import matches


class NotAHostsToken(FailedPrecondition):
    reason = "NOT_A_HOSTS_TOKEN"


def host_name(configured: str, token: str) -> str:
    """`hosts/{host}`: the token's subject, which `configured` must agree with if it is given.

    The token is only read here; whoever is called checks it.
    """
    subject = _subject(token)
    if not matches("hosts/{host}", subject):
        raise NotAHostsToken("the token is not a host's; make one with `modelyard token create --role host`")
    if configured and subject != f"hosts/{configured}":
        raise NotAHostsToken(
            f"the token is for {subject}, and this is set up as hosts/{configured}; change one of them"
        )
    return subject


def _subject(token: str) -> str:
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims["sub"])
    except (IndexError, ValueError, KeyError, TypeError):
        return ""
