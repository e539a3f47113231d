"""Rows of the audit table."""

from datetime import datetime

from modelyard.catalog.service.ports import AuditRow
from modelyard.foundation.auth.identity import Identity


def audit_row(caller: Identity, action: str, resource: object, now: datetime, request_id: str = "") -> AuditRow:
    return AuditRow(now, caller.subject, caller.token_id, action, str(resource), request_id)
