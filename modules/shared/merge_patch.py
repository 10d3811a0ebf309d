"""Bodies of PATCH: JSON merge patch (RFC 7396). Absent members stay; null takes a value away where that can be."""

from typing import Any, ClassVar

from pydantic import ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from modules.shared.wire import WireModel


class MergePatch(WireModel):
    """Every field is optional; `removable` names those whose null means "no value". Null elsewhere is refused."""

    removable: ClassVar[frozenset[str]] = frozenset()

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_null(cls, value: object, field: ValidationInfo) -> object:
        if value is None and field.field_name not in cls.removable:
            raise PydanticCustomError("null_not_allowed", "This cannot be without a value")
        return value

    def changes(self) -> dict[str, Any]:
        """The members given, by name; values stay as validated."""
        return {name: getattr(self, name) for name in self.model_fields_set}
