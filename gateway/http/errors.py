"""Refusals that only the HTTP edge can give."""

from modules.shared.errors import (
    DomainError,
    Forbidden,
    MalformedRequest,
    Unavailable,
    Unprocessable,
    UnsupportedMediaType,
)
from modules.shared.i18n import Text


class MalformedJson(MalformedRequest):
    """400: the body says it is JSON and is not."""

    code = "malformed_json"
    title = Text(en="The body is not valid JSON", de="Der Inhalt ist kein gültiges JSON")


class DuplicateHeader(MalformedRequest):
    """400: a header that may stand once stands twice, so two readers could understand different things."""

    code = "duplicate_header"
    title = Text(en="A header appears more than once", de="Eine Kopfzeile kommt mehrfach vor")
    detail = Text(en="{header} may appear only once.", de="{header} darf nur einmal vorkommen.")


class MalformedDeviceId(MalformedRequest):
    """400: `X-Device-Id` is longer than 64 characters, or has others than printable ASCII."""

    code = "malformed_device_id"
    title = Text(en="The device id is not acceptable", de="Die Gerätekennung ist nicht zulässig")
    detail = Text(
        en="X-Device-Id has at most 64 printable ASCII characters.",
        de="X-Device-Id hat höchstens 64 druckbare ASCII-Zeichen.",
    )


class CsrfRefused(Forbidden):
    """403: a request that changes something, carries our cookies, and cannot be shown to come from our own pages."""

    code = "csrf"
    title = Text(
        en="The request does not come from a page of this installation",
        de="Die Anfrage kommt nicht von einer Seite dieser Installation",
    )
    detail = Text(
        en="A request with cookies needs Sec-Fetch-Site: same-origin or an allowed Origin, "
        "and X-Mandate-Id or X-Requested-With.",
        de="Eine Anfrage mit Cookies braucht Sec-Fetch-Site: same-origin oder einen erlaubten Origin, "
        "dazu X-Mandate-Id oder X-Requested-With.",
    )


class LocalOnly(Forbidden):
    """403: in single-user mode the request comes from another machine, or through a proxy on this one."""

    code = "local_only"
    title = Text(
        en="In single-user mode this installation answers its own machine only",
        de="Im Einzelplatzbetrieb antwortet diese Installation nur dem eigenen Rechner",
    )


class OriginNotAllowed(Forbidden):
    """403: a preflight from an origin that `[http] allowed_origins` does not name."""

    code = "origin_not_allowed"
    title = Text(
        en="This origin may not use the API from a browser",
        de="Dieser Ursprung darf die API nicht aus einem Browser nutzen",
    )


class MetricsForbidden(Forbidden):
    """403: `/metrics` without its token, or without a token from anywhere but this machine."""

    code = "metrics_forbidden"
    title = Text(en="Metrics need the metrics token", de="Für Metriken wird das Metrik-Token gebraucht")


class MethodNotAllowed(DomainError):
    """405: the path exists, this method does not; `Allow` names those that do."""

    status = 405
    code = "method_not_allowed"
    title = Text(en="This method is not possible here", de="Diese Methode ist hier nicht möglich")


class OtherMediaTypeRequired(UnsupportedMediaType):
    """415: one of the few routes whose body is not JSON."""

    code = "other_media_type_required"
    title = Text(en="The body has the wrong type", de="Der Inhalt hat den falschen Typ")
    detail = Text(en="The body must be {media_type}.", de="Der Inhalt muss {media_type} sein.")


class UnacceptableValue(Unprocessable):
    """422: the database refused a value no rule above it had named (SQLSTATE class 22)."""

    code = "unacceptable_value"
    title = Text(
        en="A value is out of range or cannot be stored",
        de="Ein Wert ist außerhalb des Bereichs oder nicht speicherbar",
    )


class TimedOut(Unavailable):
    """503: the request took longer than `[http] request_timeout` and was ended. What was not committed is undone."""

    code = "timeout"
    title = Text(en="The request took too long", de="Die Anfrage hat zu lange gedauert")
    detail = Text(
        en="The request took too long and was ended. Look whether it had an effect before you send it again.",
        de="Die Anfrage hat zu lange gedauert und wurde beendet. "
        "Sehen Sie nach, ob sie gewirkt hat, bevor Sie sie erneut senden.",
    )
