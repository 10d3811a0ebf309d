"""The gates: what a caller passes before any rule is asked, and the decision behind them.

In this order: the mandate, the membership, the mandate's login policy, the instance; then the item. What cannot be told
apart from outside (an unknown, a foreign and a disabled mandate) is refused alike.
"""

from uuid import UUID

from modules.auth.api_key_errors import InsufficientScope, KeyOfAnotherMandate
from modules.mandates.login_policy import parse_login_policy
from modules.rbac import errors
from modules.rbac.evaluator import EffectiveTable
from modules.rbac.repository.authorisation import AuthorisationRow
from modules.rbac.service.refusals import NotedRefusals
from modules.shared.catalogue import AccessLevel, Action, Item, Reach
from modules.shared.context import Caller, CurrentInstance, CurrentMandate
from modules.shared.ids import InstanceId, MandateId
from modules.shared.key_scopes import includes


class Gates:
    """Each takes what the statement said of the caller and answers what lies behind the gate, or refuses."""

    def __init__(self, refusals: NotedRefusals) -> None:
        self._refusals = refusals

    def enter_mandate(self, row: AuthorisationRow, caller: Caller, mandate_id: UUID) -> CurrentMandate:
        """Mandate, membership and login policy. A sysadmin without membership passes: their entry is opened after."""
        # Compared although it was asked for: rows of several requests arrive together.
        if row.mandate_id != mandate_id or not row.mandate_enabled or not (row.membership_id or row.is_sysadmin):
            raise self._refusals.noted(errors.NotAMember(), caller, mandate_id if row.mandate_id else None)
        if (key := caller.login.key) is not None and key.mandate_id not in {None, mandate_id}:
            raise self._refusals.noted(KeyOfAnotherMandate(), caller, mandate_id)
        if row.membership_id is not None and not row.membership_active:
            raise self._refusals.noted(errors.MembershipDisabled(), caller, mandate_id)
        if row.login_policy is not None:
            wanted = parse_login_policy(row.login_policy).unmet(caller.login, caller.user.email)
            if wanted is not None:
                refusal = errors.LoginMethodNotAllowed(wanted=wanted.what, accepted=list(wanted.accepted))
                raise self._refusals.noted(refusal, caller, mandate_id)
        return CurrentMandate(
            MandateId(row.mandate_id), row.mandate_slug, row.mandate_name, row.mandate_language, row.is_root
        )

    def enter_instance(
        self, row: AuthorisationRow, caller: Caller, mandate: CurrentMandate, instance_id: UUID
    ) -> CurrentInstance:
        """The instance, if it is the mandate's, and the caller's access to it; a visitor needs none."""
        if row.instance_id != instance_id:
            raise errors.InstanceNotFound
        visiting = row.membership_id is None
        if not row.instance_enabled or not (row.access_active or visiting):
            raise self._refusals.noted(errors.InstanceAccessDisabled(), caller, mandate.id)
        return CurrentInstance(InstanceId(row.instance_id), row.feature, row.instance_name)

    def demand(
        self,
        table: EffectiveTable,
        item: Item,
        action: Action,
        instance: CurrentInstance | None,
        caller: Caller,
        mandate: CurrentMandate,
    ) -> None:
        """Refuse unless the caller's rules reach anything at all; a key whose scopes do not speak of it hears that."""
        if item.reach is Reach.INSTANCE and instance is None:
            raise errors.InstanceRequired
        if table.level(item, action) is AccessLevel.NONE:
            if (key := caller.login.key) is not None and not includes(key.scopes, item, action):
                refusal = InsufficientScope(scope=f"{item.path}:{action}")
                raise self._refusals.noted(refusal, caller, mandate.id)
            raise self._refusals.noted(
                errors.PermissionDenied(context=item.kind, item=item.path, action=action), caller, mandate.id
            )
