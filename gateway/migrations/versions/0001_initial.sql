-- The first schema: identity, mandates, roles and audit. Run as mandate_owner. Ids are UUIDv7 made by the application.
-- Tables are created and seeded first; row-level security is switched on at the end, so that the seed needs no exception to it.

-- ── identity (no mandate: a person is global to the installation) ─────────────────────────────────────────────────────────────────

CREATE TABLE users (
    id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    email text NOT NULL UNIQUE,
    display_name text NOT NULL DEFAULT '',
    avatar_url text,
    language text CHECK (language IN ('de', 'en')),
    time_zone text NOT NULL DEFAULT 'UTC',
    state text NOT NULL CHECK (state IN ('verified', 'active', 'disabled')),
    is_sysadmin boolean NOT NULL DEFAULT false,
    ver integer NOT NULL DEFAULT 1,
    home_mandate_id uuid,
    delete_after timestamptz,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE password_credentials (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    password_hash text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- A browser that has signed this user in before; exempt from the account's limit, never from the address's.
CREATE TABLE devices (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    secret_hash bytea NOT NULL UNIQUE,
    name text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
CREATE INDEX devices_user ON devices (user_id);

-- Who a person is at a provider. The key is what the provider calls permanent, never a mail address.
CREATE TABLE identities (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    authority text NOT NULL,
    issuer text NOT NULL,
    subject text NOT NULL,
    tenant text,
    email text,
    linked_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    UNIQUE (authority, issuer, subject)
);
CREATE INDEX identities_user ON identities (user_id);

-- Second factors. A passkey alone is two: the device, and the finger or code that unlocks it.
CREATE TABLE passkeys (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    credential_id bytea NOT NULL UNIQUE,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    transports text[] NOT NULL DEFAULT '{}',
    aaguid text NOT NULL DEFAULT '',
    backed_up boolean NOT NULL DEFAULT false,
    name text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    last_used_at timestamptz
);
CREATE INDEX passkeys_user ON passkeys (user_id);

-- `last_step` is the newest time step whose code was used: a code works once (RFC 6238, section 5.2).
CREATE TABLE totp_credentials (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    sealed_seed bytea NOT NULL,
    last_step bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    confirmed_at timestamptz
);

CREATE TABLE backup_codes (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    code_hash text NOT NULL,
    created_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX backup_codes_user ON backup_codes (user_id);

-- `tenant` and `proven_email` are what the sign-in itself proved: a directory of Microsoft's, a mail address. `proven_at` is when
-- the authority vouched for the person, if they have confirmed the sign-in since by something it knows nothing of.
CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    authority text NOT NULL,
    identity_id uuid REFERENCES identities ON DELETE SET NULL,
    tenant text,
    proven_email text,
    amr text[] NOT NULL,
    authenticated_at timestamptz NOT NULL,
    proven_at timestamptz,
    device_name text NOT NULL DEFAULT '',
    device_id text,
    user_agent text NOT NULL DEFAULT '',
    ip text NOT NULL DEFAULT '',
    location text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    idle_expires_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    generation integer NOT NULL DEFAULT 1,
    confirmed_generation integer NOT NULL DEFAULT 0,
    rotated_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_reason text
);
CREATE INDEX sessions_user ON sessions (user_id, created_at);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- One row per access token; its id is the token's jti. Partitioned by the time inside the UUIDv7, old partitions are dropped whole.
CREATE TABLE access_tokens (
    id uuid NOT NULL,
    session_id uuid NOT NULL,
    user_id uuid NOT NULL,
    authority text NOT NULL,
    generation integer NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE TABLE access_tokens_default PARTITION OF access_tokens DEFAULT;
CREATE INDEX access_tokens_session ON access_tokens (session_id);

-- Keeps a partition for this week and the four to come, and drops those whose tokens all expired before `keep` ago.
-- The lock is waited for briefly: whoever calls tries again, and no request waits behind it.
CREATE FUNCTION maintain_access_token_partitions(keep interval) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    first_week timestamp := date_trunc('week', now() AT TIME ZONE 'UTC');
    week timestamp;
    name text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('access_token_partitions'));
    FOR week IN SELECT generate_series(first_week, first_week + interval '4 weeks', interval '1 week') LOOP
        name := 'access_tokens_' || to_char(week, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        BEGIN
            EXECUTE format('CREATE TABLE %I PARTITION OF access_tokens FOR VALUES FROM (%L) TO (%L)',
                name, lowest_uuid7(week AT TIME ZONE 'UTC'), lowest_uuid7((week + interval '1 week') AT TIME ZONE 'UTC'));
        EXCEPTION WHEN check_violation THEN
            -- The default partition took tokens of this week while nobody made it: they stay there until they expire.
            NULL;
        END;
    END LOOP;
    FOR name IN SELECT inhrelid::regclass::text FROM pg_inherits
        WHERE inhparent = 'access_tokens'::regclass AND inhrelid <> 'access_tokens_default'::regclass
    LOOP
        CONTINUE WHEN to_date(right(name, 8), 'YYYYMMDD') + interval '1 week' > (now() - keep) AT TIME ZONE 'UTC';
        EXECUTE format('DROP TABLE %I', name);
    END LOOP;
    DELETE FROM access_tokens_default WHERE expires_at < now() - keep;
END $$;

-- The smallest UUIDv7 of a moment: its milliseconds, then zeros.
CREATE FUNCTION lowest_uuid7(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
    RETURN (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;

SELECT maintain_access_token_partitions(interval '1 day');

-- Everything else that proves something once or for a while. Secrets only as SHA-256.
CREATE TABLE tokens (
    id uuid PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose IN ('refresh', 'api_key', 'magic_link', 'password_reset', 'email_verification',
        'email_take_back', 'invitation', 'ticket', 'flow', 'connection_flow', 'pending_sign_in', 'passkey_ceremony', 'data_connection')),
    user_id uuid REFERENCES users ON DELETE CASCADE,
    session_id uuid REFERENCES sessions ON DELETE CASCADE,
    authority text NOT NULL,
    secret_hash bytea,
    parent_hash bytea,
    attempts integer NOT NULL DEFAULT 0,
    payload jsonb NOT NULL DEFAULT '{}',
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    revoked_at timestamptz
);
CREATE UNIQUE INDEX tokens_secret ON tokens (purpose, secret_hash);
CREATE INDEX tokens_parent ON tokens (parent_hash) WHERE purpose = 'refresh';
CREATE UNIQUE INDEX tokens_refresh_of_session ON tokens (session_id) WHERE purpose = 'refresh';
CREATE INDEX tokens_user ON tokens (user_id, purpose);
CREATE INDEX tokens_expiry ON tokens (expires_at);
CREATE INDEX tokens_flow ON tokens ((payload->>'flow')) WHERE purpose = 'magic_link';

-- A registration is no user yet: it becomes one when the address is proven.
CREATE TABLE registrations (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    password_hash text NOT NULL,
    display_name text NOT NULL DEFAULT '',
    language text NOT NULL,
    flow_hash bytea NOT NULL,
    invitation_hash bytea,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX registrations_email ON registrations (email);
CREATE INDEX registrations_expiry ON registrations (expires_at);

CREATE TABLE signing_keys (
    kid text PRIMARY KEY,
    purpose text NOT NULL,
    state text NOT NULL CHECK (state IN ('next', 'signing', 'verify', 'retired')),
    algorithm text NOT NULL,
    sealed_secret bytea NOT NULL,
    public_key text,
    created_at timestamptz NOT NULL,
    activated_at timestamptz,
    retired_at timestamptz
);
CREATE UNIQUE INDEX signing_keys_one_signing ON signing_keys (purpose) WHERE state = 'signing';

-- ── mandates ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE mandates (
    id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL,
    color text NOT NULL DEFAULT '#3b6ea5',
    language text NOT NULL DEFAULT 'en' CHECK (language IN ('de', 'en')),
    is_root boolean NOT NULL DEFAULT false,
    enabled boolean NOT NULL DEFAULT true,
    login_policy jsonb,
    caps text,
    disabled_at timestamptz,
    delete_after timestamptz,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX mandates_one_root ON mandates (is_root) WHERE is_root;

-- What a token of purpose api_key may do, and in which mandate alone if it names one. `amr`, `tenant` and `proven_email` are
-- those of the sign-in that made it. Without its row here a key opens nothing.
-- `identity_id`, `amr`, `tenant` and `proven_email` are those of the sign-in that made the key.
CREATE TABLE api_keys (
    id uuid PRIMARY KEY REFERENCES tokens ON DELETE CASCADE,
    name text NOT NULL,
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
    bound_mandate_id uuid REFERENCES mandates ON DELETE CASCADE,
    identity_id uuid REFERENCES identities ON DELETE SET NULL,
    amr text[] NOT NULL,
    tenant text,
    proven_email text,
    last_used_at timestamptz
);
CREATE INDEX api_keys_mandate ON api_keys (bound_mandate_id) WHERE bound_mandate_id IS NOT NULL;
CREATE INDEX api_keys_identity ON api_keys (identity_id) WHERE identity_id IS NOT NULL;

CREATE TABLE installation (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    installation_id uuid NOT NULL,
    epoch integer NOT NULL DEFAULT 1,
    key_set_number integer NOT NULL DEFAULT 0,
    root_mandate_id uuid NOT NULL REFERENCES mandates,
    caps text NOT NULL DEFAULT '',
    set_up_code_hash bytea,
    -- Single-user mode: whose everything is, and when it ended, after which it never begins again.
    local_user_id uuid REFERENCES users ON DELETE SET NULL,
    single_user_ended_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE memberships (
    id uuid PRIMARY KEY,
    mandate_id uuid NOT NULL REFERENCES mandates,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    enabled boolean NOT NULL DEFAULT true,
    valid_from timestamptz,
    valid_until timestamptz,
    group_ids uuid[] NOT NULL DEFAULT '{}',
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (mandate_id, user_id),
    UNIQUE (mandate_id, id),
    CHECK (valid_from < valid_until)
);
CREATE INDEX memberships_user ON memberships (user_id);

CREATE TABLE groups (
    id uuid PRIMARY KEY,
    mandate_id uuid NOT NULL REFERENCES mandates,
    name text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (mandate_id, name),
    UNIQUE (mandate_id, id)
);

CREATE TABLE group_members (
    mandate_id uuid NOT NULL,
    group_id uuid NOT NULL,
    user_id uuid NOT NULL,
    PRIMARY KEY (mandate_id, group_id, user_id),
    FOREIGN KEY (mandate_id, group_id) REFERENCES groups (mandate_id, id) ON DELETE CASCADE,
    FOREIGN KEY (mandate_id, user_id) REFERENCES memberships (mandate_id, user_id) ON DELETE CASCADE
);
CREATE INDEX group_members_user ON group_members (mandate_id, user_id);

-- A member's groups stand on the membership too, so that a request need not ask for them.
CREATE FUNCTION repeat_groups_on_membership() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE memberships ms SET group_ids = ARRAY(SELECT g.group_id FROM group_members g
        WHERE g.mandate_id = ms.mandate_id AND g.user_id = ms.user_id ORDER BY g.group_id)
    WHERE (ms.mandate_id, ms.user_id) IN (SELECT mandate_id, user_id FROM changed);
    RETURN NULL;
END $$;
CREATE TRIGGER group_member_added AFTER INSERT ON group_members REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION repeat_groups_on_membership();
CREATE TRIGGER group_member_removed AFTER DELETE ON group_members REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION repeat_groups_on_membership();

CREATE TABLE feature_instances (
    id uuid PRIMARY KEY,
    mandate_id uuid NOT NULL REFERENCES mandates,
    feature text NOT NULL,
    name text NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (mandate_id, id),
    UNIQUE (mandate_id, feature, name)
);

CREATE TABLE instance_access (
    id uuid PRIMARY KEY,
    mandate_id uuid NOT NULL,
    instance_id uuid NOT NULL,
    user_id uuid NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    valid_from timestamptz,
    valid_until timestamptz,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (mandate_id, instance_id, user_id),
    UNIQUE (mandate_id, id),
    FOREIGN KEY (mandate_id, instance_id) REFERENCES feature_instances (mandate_id, id) ON DELETE CASCADE,
    FOREIGN KEY (mandate_id, user_id) REFERENCES memberships (mandate_id, user_id) ON DELETE CASCADE,
    CHECK (valid_from < valid_until)
);

CREATE TABLE invitations (
    id uuid PRIMARY KEY,
    mandate_id uuid NOT NULL REFERENCES mandates,
    email text NOT NULL,
    language text NOT NULL DEFAULT 'en',
    role_ids uuid[] NOT NULL DEFAULT '{}',
    group_ids uuid[] NOT NULL DEFAULT '{}',
    first_administrator boolean NOT NULL DEFAULT false,
    invited_by uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    accepted_by uuid,
    revoked_at timestamptz,
    UNIQUE (mandate_id, id)
);
CREATE INDEX invitations_mandate ON invitations (mandate_id, created_at);

-- A mail domain whose people may join by themselves, with the role that `offered_by` may give. It is proven while `verified_at` is set,
-- by one mandate of the installation at most; whoever lost the proof can prove it again.
CREATE TABLE mandate_domains (
    id uuid PRIMARY KEY,
    mandate_id uuid NOT NULL REFERENCES mandates,
    domain text NOT NULL,
    challenge text NOT NULL,
    role_id uuid,
    enabled boolean NOT NULL DEFAULT true,
    offered_by uuid NOT NULL,
    verified_at timestamptz,
    checked_at timestamptz,
    check_after timestamptz,
    failures integer NOT NULL DEFAULT 0,
    suspended_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (mandate_id, domain)
);
CREATE UNIQUE INDEX mandate_domains_one_owner ON mandate_domains (domain) WHERE verified_at IS NOT NULL;
CREATE INDEX mandate_domains_due ON mandate_domains (check_after) WHERE verified_at IS NOT NULL;

-- Whose membership somebody else ended: no domain lets them in again, an invitation does.
CREATE TABLE removed_members (
    mandate_id uuid NOT NULL REFERENCES mandates,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    removed_at timestamptz NOT NULL,
    PRIMARY KEY (mandate_id, user_id)
);
CREATE INDEX removed_members_user ON removed_members (user_id);

-- ── roles ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

-- Global roles belong to the root mandate and carry scope = 'global'. `key` names the built-in ones.
-- `version` changes with every change of the role's rules: compiled rules are kept under (id, version).
CREATE TABLE roles (
    id uuid PRIMARY KEY,
    mandate_id uuid NOT NULL REFERENCES mandates,
    scope text NOT NULL CHECK (scope IN ('global', 'mandate', 'instance')),
    instance_id uuid,
    key text CHECK (key IN ('everyone', 'sysadmin', 'administrator', 'member', 'viewer', 'billing_manager')),
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    travels boolean NOT NULL DEFAULT false,
    version uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (mandate_id, id),
    UNIQUE (mandate_id, id, scope),
    FOREIGN KEY (mandate_id, instance_id) REFERENCES feature_instances (mandate_id, id) ON DELETE CASCADE,
    CHECK ((scope = 'instance') = (instance_id IS NOT NULL)),
    CHECK (NOT travels OR scope = 'mandate')
);
CREATE UNIQUE INDEX roles_name ON roles (mandate_id, scope, coalesce(instance_id, '00000000-0000-0000-0000-000000000000'), name);
CREATE UNIQUE INDEX roles_key ON roles (mandate_id, scope, key) WHERE key IS NOT NULL;
CREATE INDEX roles_instance ON roles (instance_id) WHERE instance_id IS NOT NULL;

CREATE TABLE access_rules (
    id uuid PRIMARY KEY,
    mandate_id uuid NOT NULL,
    role_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('DATA', 'UI', 'RESOURCE')),
    item text NOT NULL,
    may_view boolean,
    may_create smallint CHECK (may_create BETWEEN 0 AND 3),
    may_read smallint CHECK (may_read BETWEEN 0 AND 3),
    may_update smallint CHECK (may_update BETWEEN 0 AND 3),
    may_delete smallint CHECK (may_delete BETWEEN 0 AND 3),
    UNIQUE (role_id, kind, item),
    FOREIGN KEY (mandate_id, role_id) REFERENCES roles (mandate_id, id) ON DELETE CASCADE
);
CREATE INDEX access_rules_role ON access_rules (mandate_id, role_id);

-- Compiled rules are kept under (role, version): whatever changes a rule changes the version, in the same transaction.
CREATE FUNCTION renew_role_version() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE roles SET version = gen_random_uuid() WHERE id IN (SELECT role_id FROM changed);
    RETURN NULL;
END $$;
CREATE TRIGGER rule_inserted AFTER INSERT ON access_rules REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION renew_role_version();
CREATE TRIGGER rule_updated AFTER UPDATE ON access_rules REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION renew_role_version();
CREATE TRIGGER rule_deleted AFTER DELETE ON access_rules REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION renew_role_version();

-- The caps that bind a context stand on the installation and on the mandate, as the authorisation statement gives them on:
-- id|version|1r for the global `everyone`, id|version|2 for the mandate's own (2r for the root mandate's).
CREATE FUNCTION repeat_caps() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE mandates SET caps = ',' || NEW.id::text || '|' || NEW.version::text || CASE WHEN is_root THEN '|2r' ELSE '|2' END
    WHERE id = NEW.mandate_id;
    RETURN NULL;
END $$;
-- As the owner, since no request's login may touch the installation's caps in any other way.
CREATE FUNCTION repeat_global_caps() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE installation SET caps = NEW.id::text || '|' || NEW.version::text || '|1r';
    RETURN NULL;
END $$;
CREATE TRIGGER everyone_changed AFTER INSERT OR UPDATE OF version ON roles
    FOR EACH ROW WHEN (NEW.key = 'everyone' AND NEW.scope = 'mandate') EXECUTE FUNCTION repeat_caps();
CREATE TRIGGER global_everyone_changed AFTER INSERT OR UPDATE OF version ON roles
    FOR EACH ROW WHEN (NEW.key = 'everyone' AND NEW.scope = 'global') EXECUTE FUNCTION repeat_global_caps();

-- A role given to a member of the mandate, or to a member's access to one instance. A global role may be given in any mandate.
CREATE TABLE role_assignments (
    id uuid PRIMARY KEY,
    mandate_id uuid NOT NULL,
    membership_id uuid,
    instance_access_id uuid,
    role_id uuid NOT NULL,
    role_mandate_id uuid NOT NULL,
    role_scope text NOT NULL,
    valid_from timestamptz,
    valid_until timestamptz,
    granted_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (mandate_id, membership_id) REFERENCES memberships (mandate_id, id) ON DELETE CASCADE,
    FOREIGN KEY (mandate_id, instance_access_id) REFERENCES instance_access (mandate_id, id) ON DELETE CASCADE,
    FOREIGN KEY (role_mandate_id, role_id, role_scope) REFERENCES roles (mandate_id, id, scope) ON DELETE CASCADE,
    CHECK (num_nonnulls(membership_id, instance_access_id) = 1),
    CHECK (role_scope = 'global' OR role_mandate_id = mandate_id),
    CHECK ((role_scope = 'instance') = (instance_access_id IS NOT NULL)),
    CHECK (valid_from < valid_until)
);
CREATE UNIQUE INDEX role_assignments_member ON role_assignments (membership_id, role_id) WHERE membership_id IS NOT NULL;
CREATE UNIQUE INDEX role_assignments_access ON role_assignments (instance_access_id, role_id) WHERE instance_access_id IS NOT NULL;
CREATE INDEX role_assignments_role ON role_assignments (role_id);

-- A role to be given later: made an assignment by a job if the granter still may then.
CREATE TABLE scheduled_grants (
    id uuid PRIMARY KEY,
    mandate_id uuid NOT NULL,
    membership_id uuid NOT NULL,
    role_id uuid NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_until timestamptz,
    granted_by uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,
    outcome text CHECK (outcome IN ('granted', 'refused', 'expired', 'withdrawn')),
    FOREIGN KEY (mandate_id, membership_id) REFERENCES memberships (mandate_id, id) ON DELETE CASCADE,
    CHECK (valid_from < valid_until)
);
CREATE INDEX scheduled_grants_due ON scheduled_grants (valid_from) WHERE settled_at IS NULL;

-- A sysadmin working in a mandate without membership.
CREATE TABLE sysadmin_entries (
    id uuid PRIMARY KEY,
    mandate_id uuid NOT NULL REFERENCES mandates,
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    mode text NOT NULL CHECK (mode IN ('open', 'break_glass')),
    reason text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    valid_until timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE UNIQUE INDEX sysadmin_entries_one ON sysadmin_entries (session_id, mandate_id) WHERE ended_at IS NULL;

-- ── data connections ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

-- A person's account at a provider, lent to one mandate for host applications. It signs nobody in. `sealed_tokens` opens only for this
-- very id, mandate and user; `token_id` is the row of the access token inside it. `suspended_at` is when the owner was first found
-- without a standing membership.
CREATE TABLE connections (
    id uuid PRIMARY KEY,
    mandate_id uuid NOT NULL REFERENCES mandates,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    provider text NOT NULL,
    issuer text NOT NULL,
    subject text NOT NULL,
    account text,
    scopes text[] NOT NULL,
    offline boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('active', 'broken')),
    sealed_tokens bytea NOT NULL,
    token_id uuid REFERENCES tokens ON DELETE SET NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    refreshed_at timestamptz NOT NULL,
    suspended_at timestamptz,
    UNIQUE (mandate_id, user_id, provider)
);
CREATE INDEX connections_user ON connections (user_id);
CREATE INDEX connections_token ON connections (token_id);
CREATE INDEX connections_account ON connections (provider, issuer, subject);

-- What is still to be revoked at the provider. Nobody's any more: `associated` is what the tokens were sealed for.
CREATE TABLE connection_endings (
    id uuid PRIMARY KEY,
    provider text NOT NULL,
    issuer text NOT NULL,
    subject text NOT NULL,
    associated bytea NOT NULL,
    sealed_tokens bytea NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX connection_endings_due ON connection_endings (next_try_at);

-- However a connection goes (by its owner, with the user, with the mandate), its tokens are kept until they are revoked.
CREATE FUNCTION keep_connection_ending() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE tokens SET revoked_at = now() WHERE id = OLD.token_id AND revoked_at IS NULL;
    INSERT INTO connection_endings (id, provider, issuer, subject, associated, sealed_tokens) VALUES (gen_random_uuid(), OLD.provider,
        OLD.issuer, OLD.subject, uuid_send(OLD.id) || uuid_send(OLD.mandate_id) || uuid_send(OLD.user_id), OLD.sealed_tokens);
    RETURN NULL;
END $$;
CREATE TRIGGER connection_ended AFTER DELETE ON connections FOR EACH ROW EXECUTE FUNCTION keep_connection_ending();

-- ── audit ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

-- Append-only: no login may update or delete it, and events name people by id only.
CREATE TABLE audit_events (
    id uuid PRIMARY KEY,
    mandate_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    code text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('done', 'refused')),
    actor_id uuid,
    subject_type text,
    subject_id text,
    session_id uuid,
    request_id text,
    count integer NOT NULL DEFAULT 1,
    details jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_events_mandate ON audit_events (mandate_id, occurred_at, id);
CREATE INDEX audit_events_time ON audit_events (occurred_at, id);

-- What an event knows of a person (mail, address, device): erased with the account, the event stays.
CREATE TABLE audit_subjects (
    mandate_id uuid NOT NULL,
    event_id uuid NOT NULL,
    user_id uuid,
    email text,
    ip text,
    device text,
    PRIMARY KEY (mandate_id, event_id)
);
CREATE INDEX audit_subjects_user ON audit_subjects (user_id);

-- Answers already given to a request with an Idempotency-Key; another user's key never returns another's answer.
CREATE TABLE idempotency_keys (
    user_id uuid NOT NULL,
    operation text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status integer,
    location text,
    body bytea,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, operation, key)
);

-- ── seed: the root mandate, built-in roles and templates ──────────────────────────────────────────────────────────────────────────

INSERT INTO mandates (id, slug, name, is_root) VALUES (gen_random_uuid(), 'root', 'Operator', true);
INSERT INTO installation (installation_id, root_mandate_id) SELECT gen_random_uuid(), id FROM mandates WHERE is_root;

INSERT INTO roles (id, mandate_id, scope, key, name, description, travels, version)
SELECT gen_random_uuid(), m.id, seed.scope, seed.key, seed.name, seed.description, seed.travels, gen_random_uuid()
FROM mandates m, (VALUES
    ('global', 'everyone', 'everyone', 'Caps for every context of the installation', false),
    ('mandate', 'everyone', 'everyone', 'Caps for every context of this mandate', false),
    ('mandate', 'sysadmin', 'sysadmin', 'Administration of the installation', true),
    ('global', 'administrator', 'administrator', 'Everything inside one mandate', false),
    ('global', 'member', 'member', 'Works with the mandate''s data: sees all, changes their own', false),
    ('global', 'viewer', 'viewer', 'Sees, changes nothing', false),
    ('global', 'billing_manager', 'billing_manager', 'Sees and pays the bills', false)
) AS seed (scope, key, name, description, travels)
WHERE m.is_root;

INSERT INTO access_rules (id, mandate_id, role_id, kind, item, may_view, may_create, may_read, may_update, may_delete)
SELECT gen_random_uuid(), r.mandate_id, r.id, seed.kind, seed.item, seed.v, seed.c, seed.r, seed.u, seed.d
FROM roles r JOIN (VALUES
    ('sysadmin', 'DATA', '*', true, 3, 3, 3, 3),
    ('sysadmin', 'UI', '*', true, NULL, NULL, NULL, NULL),
    ('sysadmin', 'RESOURCE', '*', true, 3, 3, 3, 3),
    ('administrator', 'DATA', '*', true, 3, 3, 3, 3),
    ('administrator', 'UI', '*', true, NULL, NULL, NULL, NULL),
    ('administrator', 'RESOURCE', '*', true, 3, 3, 3, 3),
    ('member', 'DATA', '*', true, 1, 3, 1, 1),
    ('member', 'UI', '*', true, NULL, NULL, NULL, NULL),
    ('member', 'UI', 'administration', false, NULL, NULL, NULL, NULL),
    ('member', 'RESOURCE', 'mandate', true, 0, 3, 0, 0),
    ('member', 'RESOURCE', 'members', true, 0, 3, 0, 0),
    ('member', 'RESOURCE', 'groups', true, 0, 3, 0, 0),
    ('member', 'RESOURCE', 'instances', true, 0, 3, 0, 0),
    ('member', 'RESOURCE', 'connections', true, 1, 1, 0, 1),
    ('viewer', 'DATA', '*', true, 0, 3, 0, 0),
    ('viewer', 'UI', '*', true, NULL, NULL, NULL, NULL),
    ('viewer', 'UI', 'administration', false, NULL, NULL, NULL, NULL),
    ('viewer', 'RESOURCE', 'mandate', true, 0, 3, 0, 0),
    ('viewer', 'RESOURCE', 'instances', true, 0, 3, 0, 0),
    ('billing_manager', 'UI', '*', true, NULL, NULL, NULL, NULL),
    ('billing_manager', 'UI', 'administration', false, NULL, NULL, NULL, NULL),
    ('billing_manager', 'RESOURCE', 'mandate', true, 0, 3, 0, 0),
    ('billing_manager', 'RESOURCE', 'billing', true, 3, 3, 3, 3)
) AS seed (key, kind, item, v, c, r, u, d) ON seed.key = r.key AND r.key <> 'everyone';

-- ── rights ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

GRANT USAGE ON SCHEMA public TO mandate_auth, mandate_app, mandate_system;
GRANT SELECT ON alembic_version TO mandate_app, mandate_system;

GRANT SELECT (id, session_id, generation, expires_at, revoked_at) ON access_tokens TO mandate_auth;
GRANT SELECT (id, user_id, authority, tenant, proven_email, amr, authenticated_at, proven_at, last_seen_at, confirmed_generation, expires_at,
    revoked_at) ON sessions TO mandate_auth;
GRANT SELECT (id, slug, email, display_name, language, state, is_sysadmin, ver) ON users TO mandate_auth;
GRANT SELECT (id, purpose, user_id, authority, secret_hash, issued_at, expires_at, revoked_at) ON tokens TO mandate_auth;
GRANT SELECT (id, scopes, bound_mandate_id, identity_id, amr, tenant, proven_email, last_used_at) ON api_keys TO mandate_auth;
GRANT SELECT (id, key_set_number, epoch, root_mandate_id, caps) ON installation TO mandate_auth;
GRANT SELECT ON mandates, memberships, group_members, feature_instances, instance_access, roles, access_rules, role_assignments, sysadmin_entries
    TO mandate_auth;

-- Neither the flag nor a mandate is made by a request's login.
GRANT SELECT, INSERT, UPDATE ON sessions, access_tokens TO mandate_app;
GRANT SELECT ON mandates TO mandate_app;
GRANT UPDATE (name, color, language, login_policy, caps, version) ON mandates TO mandate_app;
GRANT SELECT ON users TO mandate_app;
GRANT INSERT (id, slug, email, display_name, avatar_url, language, time_zone, state, ver, home_mandate_id, delete_after, version, created_at) ON users
    TO mandate_app;
GRANT UPDATE (display_name, avatar_url, language, time_zone, state, email, ver, home_mandate_id, delete_after, version) ON users TO mandate_app;
GRANT SELECT ON installation TO mandate_app;
GRANT UPDATE (set_up_code_hash) ON installation TO mandate_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON password_credentials, devices, identities, passkeys, totp_credentials, backup_codes, tokens, api_keys, registrations,
    idempotency_keys TO mandate_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON memberships, groups, group_members, feature_instances, instance_access, invitations, roles, access_rules,
    role_assignments, scheduled_grants, connections TO mandate_app;
GRANT SELECT, INSERT, UPDATE ON sysadmin_entries TO mandate_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON mandate_domains, removed_members TO mandate_app, mandate_system;
GRANT SELECT, INSERT ON audit_events, audit_subjects TO mandate_app;

GRANT SELECT, INSERT, UPDATE, DELETE ON users, password_credentials, devices, identities, passkeys, totp_credentials, backup_codes, sessions, access_tokens, tokens, api_keys, registrations, signing_keys,
    mandates, memberships, groups, group_members, feature_instances, instance_access, invitations, roles, access_rules, role_assignments,
    scheduled_grants, sysadmin_entries, connections, idempotency_keys TO mandate_system;
GRANT SELECT, UPDATE, DELETE ON connection_endings TO mandate_system;
GRANT SELECT, UPDATE ON installation TO mandate_system;
REVOKE EXECUTE ON FUNCTION maintain_access_token_partitions, repeat_global_caps, keep_connection_ending FROM PUBLIC;
GRANT EXECUTE ON FUNCTION maintain_access_token_partitions TO mandate_system;
GRANT SELECT, INSERT ON audit_events TO mandate_system;
GRANT SELECT, INSERT, DELETE ON audit_subjects TO mandate_system;

-- ── row-level security: the second wall ───────────────────────────────────────────────────────────────────────────────────────────

-- Protects one table that carries mandate_id (and instance_id, when `by_instance`). Host applications call it from their own migrations.
CREATE FUNCTION mandate_protect(target regclass, by_instance boolean DEFAULT false) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    tenant text := 'mandate_id = (SELECT nullif(current_setting(''mandate.mandate_id'', true), '''')::uuid)';
BEGIN
    IF by_instance THEN
        tenant := tenant || ' AND instance_id = (SELECT nullif(current_setting(''mandate.instance_id'', true), '''')::uuid)';
    END IF;
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('CREATE POLICY tenant ON %s TO mandate_app USING (%s) WITH CHECK (%s)', target, tenant, tenant);
    EXECUTE format('CREATE POLICY system ON %s TO mandate_system USING (true) WITH CHECK (true)', target);
END $$;

SELECT mandate_protect(name::regclass) FROM unnest(ARRAY['memberships', 'groups', 'group_members', 'feature_instances', 'instance_access',
    'invitations', 'roles', 'access_rules', 'role_assignments', 'scheduled_grants', 'sysadmin_entries', 'connections', 'audit_events', 'audit_subjects']) AS name;

SELECT mandate_protect('mandate_domains'), mandate_protect('removed_members');

-- What the authorisation statement reads.
CREATE POLICY authorisation ON memberships FOR SELECT TO mandate_auth USING (true);
CREATE POLICY authorisation ON group_members FOR SELECT TO mandate_auth USING (true);
CREATE POLICY authorisation ON feature_instances FOR SELECT TO mandate_auth USING (true);
CREATE POLICY authorisation ON instance_access FOR SELECT TO mandate_auth USING (true);
CREATE POLICY authorisation ON roles FOR SELECT TO mandate_auth USING (true);
CREATE POLICY authorisation ON access_rules FOR SELECT TO mandate_auth USING (true);
CREATE POLICY authorisation ON role_assignments FOR SELECT TO mandate_auth USING (true);
CREATE POLICY authorisation ON sysadmin_entries FOR SELECT TO mandate_auth USING (true);

-- Global roles are readable from everywhere; the people of a mandate see the mandates they are members of.
CREATE POLICY global_roles ON roles FOR SELECT TO mandate_app USING (scope = 'global');
CREATE POLICY global_rules ON access_rules FOR SELECT TO mandate_app
    USING (role_id IN (SELECT id FROM roles WHERE scope = 'global'));
-- They bind and reach every mandate, so only the root mandate makes any.
CREATE POLICY global_roles_are_roots ON roles AS RESTRICTIVE FOR INSERT TO mandate_app
    WITH CHECK (scope <> 'global' OR mandate_id = (SELECT root_mandate_id FROM installation));
CREATE POLICY global_roles_stay_roots ON roles AS RESTRICTIVE FOR UPDATE TO mandate_app USING (true)
    WITH CHECK (scope <> 'global' OR mandate_id = (SELECT root_mandate_id FROM installation));
-- Outside any mandate only: inside one, not even the caller's own rows of another are in sight.
CREATE POLICY own_memberships ON memberships FOR SELECT TO mandate_app
    USING ((SELECT nullif(current_setting('mandate.mandate_id', true), '')) IS NULL
        AND user_id = (SELECT nullif(current_setting('mandate.user_id', true), '')::uuid));

ALTER TABLE mandates ENABLE ROW LEVEL SECURITY;
ALTER TABLE mandates FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON mandates TO mandate_app USING (id = (SELECT nullif(current_setting('mandate.mandate_id', true), '')::uuid));
CREATE POLICY own_mandates ON mandates FOR SELECT TO mandate_app USING (
    (SELECT nullif(current_setting('mandate.mandate_id', true), '')) IS NULL
    AND id IN (SELECT mandate_id FROM memberships WHERE user_id = (SELECT nullif(current_setting('mandate.user_id', true), '')::uuid)));
CREATE POLICY system ON mandates TO mandate_system USING (true) WITH CHECK (true);
CREATE POLICY authorisation ON mandates FOR SELECT TO mandate_auth USING (true);

-- Events of identity belong to the root mandate, whatever mandate the request works in.
CREATE POLICY installation_events ON audit_events FOR INSERT TO mandate_app
    WITH CHECK (mandate_id = (SELECT root_mandate_id FROM installation));
CREATE POLICY installation_events ON audit_subjects FOR INSERT TO mandate_app
    WITH CHECK (mandate_id = (SELECT root_mandate_id FROM installation));
