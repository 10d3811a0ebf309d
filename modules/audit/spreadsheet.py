"""The trail as CSV (RFC 4180), for programs that show tables.

Some of them separate by `;` or a tab, whatever the file means, and take no notice of quotes within a line: every part
of a cell that may stand at the beginning of one of theirs is kept from being run as a formula.
"""

from collections.abc import Iterable
import csv
from io import StringIO
import json
import re
from typing import Final

from modules.audit.schemas import AuditEventRead

HEADER: Final = (
    "occurred_at", "code", "outcome", "actor_id", "subject_type", "subject_id", "request_id", "count",
    "person_id", "email", "ip", "device", "details",
)  # fmt: skip
_FORMULA: Final = re.compile(r'\A(?=[\t\r\n])|(?:\A|(?<=[;,\t\r\n]))(?=[ \v\f\xa0"]*[=+\-@])')
"""Where a cell begins for somebody, and what follows would be run as a formula. Spaces and quotes may stand between:
`""=1` is read as `=1`.
"""


def csv_of(events: Iterable[AuditEventRead], *, header: bool) -> str:
    """One line for each event, after the header if wanted."""
    text = StringIO()
    lines = csv.writer(text)
    if header:
        lines.writerow(HEADER)
    lines.writerows(_cells(event) for event in events)
    return text.getvalue()


def _cells(event: AuditEventRead) -> list[str]:
    person = event.person
    known = (person.user_id, person.email, person.ip, person.device) if person else (None,) * 4
    values = (
        event.occurred_at.isoformat(),
        event.code,
        event.outcome.value,
        event.actor_id,
        event.subject_type,
        event.subject_id,
        event.request_id,
        event.count,
        *known,
        json.dumps(event.details, ensure_ascii=False),
    )
    return [_harmless("" if value is None else str(value)) for value in values]


def _harmless(cell: str) -> str:
    return _FORMULA.sub("'", cell)
