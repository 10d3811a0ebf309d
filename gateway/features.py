"""What the features bring to the application: their routes, in the order of how often they are asked, their items and
their jobs.
"""

from fastapi import APIRouter

from gateway.system import endpoints as installation
from modules.audit import endpoints as audit_endpoints
from modules.audit import permissions as audit
from modules.auth import permissions as auth
from modules.auth.endpoints import (
    api_keys,
    devices,
    factors,
    introspection,
    magic_links,
    methods,
    passkeys,
    passwords,
    profile,
    providers,
    registration,
    sessions,
    sign_in,
    step_up,
    system,
    tokens,
    users,
)
from modules.auth.service.clean_up import clean_up_tasks
from modules.auth.service.mails import mail_tasks
from modules.auth.service.new_device import new_device_tasks
from modules.connections import endpoints as connections_endpoints
from modules.connections import permissions as connections
from modules.connections.service.endings import connection_tasks
from modules.connections.service.mails import connection_mail_tasks
from modules.mandates import permissions as mandates
from modules.mandates.endpoints import (
    administration,
    domains,
    groups,
    instance_access,
    instances,
    invitations,
    members,
)
from modules.mandates.endpoints import (
    mandates as own_mandates,
)
from modules.mandates.service.domain_checks import domain_tasks
from modules.mandates.service.domain_mails import domain_mail_tasks
from modules.mandates.service.erasure import erasure_tasks
from modules.mandates.service.invitation_mails import invitation_tasks
from modules.rbac import permissions as rbac
from modules.rbac.endpoints import context, decisions, entries, global_roles, role_holders, roles
from modules.rbac.service.entries import entry_tasks
from modules.rbac.service.entry_mails import entry_mail_tasks
from modules.rbac.service.scheduled_grants import rbac_tasks
from modules.shared.catalogue import Item
from modules.shared.idempotency import idempotency_tasks
from modules.shared.jobs import TaskRegistry

ROUTERS: tuple[APIRouter, ...] = (
    context.router,
    decisions.router,
    own_mandates.router,
    members.router,
    invitations.router,
    domains.router,
    domains.joining_router,
    groups.router,
    instances.router,
    instance_access.router,
    administration.router,
    roles.router,
    role_holders.router,
    global_roles.router,
    entries.router,
    methods.router,
    sign_in.router,
    sign_in.sign_out_router,
    step_up.router,
    tokens.router,
    sessions.router,
    devices.router,
    registration.router,
    magic_links.router,
    passwords.router,
    passkeys.router,
    factors.router,
    providers.router,
    providers.pages_router,
    connections_endpoints.router,
    connections_endpoints.pages_router,
    profile.router,
    api_keys.router,
    introspection.router,
    users.router,
    system.router,
    installation.router,
    audit_endpoints.router,
)
ITEMS: tuple[Item, ...] = (*auth.ITEMS, *audit.ITEMS, *mandates.ITEMS, *rbac.ITEMS, *connections.ITEMS)
TASKS: tuple[TaskRegistry, ...] = (
    mail_tasks,
    new_device_tasks,
    clean_up_tasks,
    rbac_tasks,
    entry_tasks,
    entry_mail_tasks,
    invitation_tasks,
    domain_tasks,
    domain_mail_tasks,
    erasure_tasks,
    connection_tasks,
    connection_mail_tasks,
    idempotency_tasks,
)
