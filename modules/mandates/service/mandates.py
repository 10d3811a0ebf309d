"""The mandate one works in, and the choice among one's mandates."""

from typing import Any

from modules.audit.service import AuditLog, Subject
from modules.mandates.errors import LoginPolicyLocksAllOut, LoginPolicyLocksYouOut
from modules.mandates.login_policy import LoginPolicy
from modules.mandates.models import Mandate
from modules.mandates.repository import mandates as repository
from modules.mandates.repository import people
from modules.mandates.schemas.mandates import MandateChoice, MandatePatch, MandateRead
from modules.shared.context import Caller, RequestContext
from modules.shared.grants import Administrators, GrantGuard, need_of
from modules.shared.ids import MandateId
from modules.shared.pagination import Page, PageQuery
from modules.shared.versions import ExpectedVersions, require_version


class MandateService:
    """A mandate as its own people see and change it."""

    def __init__(self, guard: GrantGuard, administrators: Administrators, audit: AuditLog) -> None:
        self._guard = guard
        self._administrators = administrators
        self._audit = audit

    async def list_own(self, caller: Caller, paging: PageQuery) -> Page[MandateChoice]:
        """The mandates the caller is an active member of, by name."""
        found, cursor = await repository.list_enterable(caller, paging)
        return Page(items=[choice_of(mandate, caller) for mandate in found], next_cursor=cursor)

    async def includes(self, caller: Caller, mandate_id: MandateId) -> bool:
        """Whether the caller is an active member of the mandate; asked outside any mandate."""
        return await repository.is_enterable(caller, mandate_id)

    async def get(self, context: RequestContext) -> MandateRead:
        """The mandate of the context."""
        return MandateRead.model_validate(await repository.get_own(context))

    async def patch(
        self, context: RequestContext, patch: MandatePatch, expected: ExpectedVersions = None
    ) -> MandateRead:
        """Change what its own people may change. Raises PreconditionFailed, LoginPolicyLocksYouOut and
        LoginPolicyLocksAllOut.

        Under the guard, whose lock keeps the administrators who are counted from leaving meanwhile.
        """
        changes = patch.changes()
        async with self._guard.change(context.db, context.mandate.id, context.user.id, needs=need_of(context)):
            mandate = await repository.get_own(context)
            require_version(mandate.version, expected)
            policy: LoginPolicy | None = changes.pop("login_policy", None)
            if policy is not None:
                await self._require_a_way_in(context, policy)
            if "login_policy" in patch.model_fields_set:
                mandate.login_policy = policy.model_dump(mode="json", exclude_defaults=True) if policy else None
            for name, value in changes.items():
                setattr(mandate, name, value)
            mandate.version += 1
        self._record(context, mandate, patch.model_dump(mode="json", exclude_unset=True))
        return MandateRead.model_validate(mandate)

    async def _require_a_way_in(self, context: RequestContext, policy: LoginPolicy) -> None:
        """Whoever saves a policy meets it, and so does a sign-in of at least one administrator; an API key is none."""
        wanted = policy.unmet(context.login, context.user.email)
        if wanted is not None:
            raise LoginPolicyLocksYouOut(pointer="/login_policy", wanted=wanted.what, accepted=list(wanted.accepted))
        administrators = await self._administrators.of_mandate(context.db, context.mandate.id)
        if context.user.id in administrators and context.login.key is None:
            return
        sign_ins = await people.live_sign_ins(context.db, administrators)
        if not any(policy.unmet(login, email) is None for email, login in sign_ins):
            raise LoginPolicyLocksAllOut(pointer="/login_policy")

    def _record(self, context: RequestContext, mandate: Mandate, changes: dict[str, Any]) -> None:
        subject = Subject("mandate", mandate.id)
        if "login_policy" in changes:
            details = {"login_policy": changes.pop("login_policy")}
            self._audit.record(context.db, "login_policy_changed", by=context, subject=subject, details=details)
        if changes:
            self._audit.record(context.db, "mandate_changed", by=context, subject=subject, details=changes)


def choice_of(mandate: Mandate, caller: Caller) -> MandateChoice:
    """The mandate as somebody who may enter it chooses it."""
    choice = MandateChoice.model_validate(mandate)
    if mandate.login_policy is not None:
        wanted = LoginPolicy.model_validate(mandate.login_policy).unmet(caller.login, caller.user.email)
        if wanted is not None:
            choice.wants, choice.wants_one_of = wanted.what, list(wanted.accepted)
    return choice
