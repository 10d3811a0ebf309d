"""What is wrong with key material: most of it stops the start, for the operator to act."""

from modules.shared.errors import Conflict, DomainError, Unavailable
from modules.shared.i18n import Text


class SigningKeyMissing(Unavailable):
    """503: no key signs for `purpose`, so nothing can be issued until one is activated."""

    code = "signing_key_missing"


class RotationUnderWay(Conflict):
    """409: new keys are published already and will sign in a moment."""

    code = "rotation_under_way"
    title = Text(en="The keys are being rotated already", de="Die Schlüssel werden schon gewechselt")


class KeyMaterialRefused(DomainError):
    """Base of what stops the start: the operator has to act, no request caused it."""

    code = "key_material_refused"
    title = Text(en="Key material cannot be used", de="Schlüsselmaterial ist nicht verwendbar")


class MasterKeyExposed(KeyMaterialRefused):
    """The master key file at `path` can be read or written by others than its owner."""

    code = "master_key_exposed"
    detail = Text(
        en="The master key file {path} must be accessible to its owner only (chmod 600).",
        de="Die Hauptschlüsseldatei {path} darf nur für ihren Besitzer zugänglich sein (chmod 600).",
    )


class MasterKeyMissing(KeyMaterialRefused):
    """There is no file at `path`, and the database holds keys that only the former one opens."""

    code = "master_key_missing"
    detail = Text(
        en="The master key file {path} is missing, and the database holds keys that only it opens. Restore the file "
        "from the backup that belongs to this database (mode 600), then start again.",
        de="Die Hauptschlüsseldatei {path} fehlt, und die Datenbank enthält Schlüssel, die nur sie öffnet. Die Datei "
        "aus der Sicherung wiederherstellen, die zu dieser Datenbank gehört (Modus 600), dann neu starten.",
    )


class MasterKeyMalformed(KeyMaterialRefused):
    """The file at `path` is not a regular file of exactly 32 bytes."""

    code = "master_key_malformed"
    detail = Text(
        en="The master key file {path} must be a regular file of exactly 32 random bytes.",
        de="Die Hauptschlüsseldatei {path} muss eine reguläre Datei mit genau 32 zufälligen Bytes sein.",
    )


class WeakKey(KeyMaterialRefused):
    """The key `kid` is too short or not of the kind its algorithm needs."""

    code = "weak_key"
    detail = Text(
        en="Key {kid} is not fit for its algorithm: HMAC and sealing need 32 random bytes, RSA 2048 bits, EC P-256.",
        de="Schlüssel {kid} taugt nicht für sein Verfahren: HMAC und Versiegeln brauchen 32 zufällige Bytes, "
        "RSA 2048 Bit, EC P-256.",
    )


class SealBroken(KeyMaterialRefused):
    """Something sealed cannot be opened: other key, other purpose, or it was changed."""

    code = "seal_broken"
    detail = Text(
        en="A sealed value cannot be opened: it was changed, or belongs to another master key.",
        de="Ein versiegelter Wert ist nicht zu öffnen: er wurde verändert oder gehört zu einem anderen Hauptschlüssel.",
    )
