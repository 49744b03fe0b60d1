"""Names of Infisical's tables and columns, as far as backups and keys need them.

They come from the product's sources of October 2024 and July 2026, and were checked against backups
of July and October 2024 and July 2026. The reference backend keeps its own copy, because an oracle
must not share its list with what it judges.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple


class Rows(NamedTuple):
    """Rows to read: their table, its columns, and how many of these columns must exist."""

    table: str
    columns: tuple[str, ...]
    needed: int = 1


# The tables between the instance key and the secrets. Since autumn 2026 the root key may have three
# rows: the active one, with a fixed id; a staged one, without activatedAt; and the previous one,
# with supersededAt.
_ROTATION = ("id", "activatedAt", "supersededAt", "kekLabel")
ROOTS = Rows("kms_root_config", ("encryptedRootKey", "encryptionStrategy", *_ROTATION))
ACTIVE_ROOT = b"00000000-0000-0000-0000-000000000000"
# Values encrypted directly with an instance key keep that key after a rotation; the instance stores
# such a key as JSON under the root key.
KEPT_KEYS = Rows("kms_legacy_encryption_keys", ("encryptedKeySnapshot",))
KEY_HISTORY = Rows("kms_kek_history", ("kekLabel", "activatedAt", "supersededAt", "retiredAt"))
KMS_KEYS = Rows("internal_kms", ("encryptedKey", "kmsKeyId", "id"), 2)
EARLIER_KMS_KEYS = Rows("internal_kms_key_version", ("encryptedKey", "internalKmsId"), 2)
EXTERNAL_KMS = Rows("external_kms", ("encryptedProviderInputs", "kmsKeyId"), 2)
# The product looks a key up here before it reads it from one of the tables above.
KMS_NAMES = Rows("kms_keys", ("id",))
ORGANIZATIONS = Rows("organizations", ("name", "kmsDefaultKeyId", "kmsEncryptedDataKey"), 3)
# The product seals the name of a secret of generation 2 with this before it writes the secret.
BLIND_INDEXES = Rows(
    "secret_blind_indexes", ("projectId", "encryptedSaltCipherText", "saltIV", "saltTag"), 4
)
# The time from which the product removes a deleted project or environment by itself; NULL for any
# other. Since mid-2026.
_DELETED = "deleteAfter"
_DATA_KEY = ("kmsSecretManagerKeyId", "kmsSecretManagerEncryptedDataKey")
# Releases before mid-2024 have only the first two columns, or the first three.
PROJECTS = Rows("projects", ("id", "name", "version", *_DATA_KEY, _DELETED), 2)
# An upgrade of a project to this version copies its rows of `secrets` into `secrets_v2`, under the
# same ids, and leaves the old rows as they were (secret-queue.ts, ProjectV3Migration).
WITHOUT_OLD_ROWS = 3
KMS_USED = Rows(PROJECTS.table, _DATA_KEY[:1])
PROJECT_SLUGS = Rows(PROJECTS.table, ("slug",))
_BOT_KEYS = ("projectId", "senderId", "encryptedProjectKey", "encryptedProjectKeyNonce")
BOTS = Rows("project_bots", (*_BOT_KEYS, "encryptedPrivateKey", "iv", "tag"), 3)
PUBLIC_KEYS = Rows("user_encryption_keys", ("publicKey", "userId"))
ENVIRONMENTS = Rows("project_environments", ("projectId", "id", "slug", _DELETED))
# A reserved folder holds the copies of replicated secrets; recursive lists leave it out.
FOLDERS = Rows("secret_folders", ("envId", "id", "parentId", "name", "isReserved"))
# The encrypted columns of a secret and its folder: generation 3, then generation 2.
NEW = Rows("secrets_v2", ("encryptedValue", "folderId"))
_OLD_VALUE = ("secretValueCiphertext", "secretValueIV", "secretValueTag")
_OLD_NAME = ("secretKeyCiphertext", "secretKeyIV", "secretKeyTag")
_OLD_COMMENT = ("secretCommentCiphertext", "secretCommentIV", "secretCommentTag")
OLD = Rows("secrets", (*_OLD_VALUE, *_OLD_NAME, "folderId"))
WHOLE_NEW = Rows(NEW.table, (*NEW.columns, "key", "version", "type", "encryptedComment", "id"))
# What decides which of several shared secrets with one name in a folder is the newest.
NAMESAKES = Rows(NEW.table, ("folderId", "key", "type", "updatedAt", "id"), 5)
WHOLE_OLD = Rows(OLD.table, (*OLD.columns, "version", "type", *_OLD_COMMENT, "id"))
SEALED_NEW = Rows(NEW.table, ("encryptedValue", "encryptedComment"))
SEALED_OLD = Rows(OLD.table, (*_OLD_VALUE[:2], *_OLD_COMMENT[:2]))
MIGRATIONS = Rows("infisical_migrations", ("name",))
# Its row is marked while a start migrates; a killed start leaves it marked.
MIGRATION_LOCK = f"{MIGRATIONS.table}_lock"
LOCKED = Rows(MIGRATION_LOCK, ("is_locked",))
FREE_MIGRATION_LOCK = f"UPDATE {MIGRATION_LOCK} SET is_locked = 0"
# Policies by which changes of secrets wait for an approval.
APPROVALS = "secret_approval_policies"
INSTANCES = Rows("super_admin", ("instanceId",))
# The settings that say who may sign up, and what they are where no stranger may. Since February
# 2024 a domain can be set; while sign-up is closed, it has no effect.
SIGN_UP = {"allowSignUp": False, "allowedSignUpDomain": None}
LABELS = Rows(ROOTS.table, ("kekLabel",))
# The times in these rows change when someone works with the instance. The product itself deletes
# only the rows of PASSING_TIMES: when a session ends, or a token or a credential expires.
LASTING_TIMES = (
    Rows(INSTANCES.table, ("updatedAt",)),
    Rows(OLD.table, ("updatedAt",)),
    Rows(NEW.table, ("updatedAt",)),
)
PASSING_TIMES = (
    Rows("auth_token_sessions", ("lastUsed",)),
    Rows("identity_access_tokens", ("updatedAt", "accessTokenLastUsedAt")),
    Rows("identity_ua_client_secrets", ("updatedAt",)),
)
# If one of these tables exists, there was a root key; a migration of this name created the root
# key's table.
OF_ROOT_KEYS = frozenset(
    rows.table for rows in (ROOTS, KMS_KEYS, EARLIER_KMS_KEYS, EXTERNAL_KMS, NEW)
) | {KMS_NAMES.table}
MADE_ROOT_KEYS = rb"\d+_kms\b"
# Users and machines that may log in, and their credentials.
MACHINES = "identities"
UNIVERSAL_AUTH = "identity_universal_auths"
PEOPLE = ("users", MACHINES, UNIVERSAL_AUTH)
# A user `t` who logs in. A ghost only holds the key of a project, and goes when that is deleted.
LOGS_IN = "NOT coalesce((to_jsonb(t) ->> 'isGhost')::boolean, false)"
CLIENT_SECRETS = "identity_ua_client_secrets"
# A client secret `t` that the product itself never removes: releases of 2026 delete those that are
# revoked, expired or used up. Read from the row's JSON, a column that a release lacks is null.
NEVER_ENDS = (
    "NOT coalesce((to_jsonb(t) ->> 'isClientSecretRevoked')::boolean, false)"
    " AND coalesce((to_jsonb(t) ->> 'clientSecretTTL')::bigint, 0) = 0"
    " AND coalesce((to_jsonb(t) ->> 'clientSecretNumUsesLimit')::bigint, 0) = 0"
)
# Releases with this table accept a token of no client secret, whatever methods its machine has;
# earlier ones fail if that has universal auth.
REVOCATIONS = "identity_access_token_revocations"
# Their columns of the row that they belong to, and are deleted with.
PARENTS = {UNIVERSAL_AUTH: "identityId", CLIENT_SECRETS: "identityUAId"}
# The machines of deleted projects, and those that belong to no organization: releases since October
# 2025 note the organization in the machine's row, and delete the others.
_DELETED_MACHINES = f"""
SELECT i.id::text FROM public.{MACHINES} i
JOIN public.{PROJECTS.table} p ON p.id::text = to_jsonb(i) ->> 'projectId'
WHERE to_jsonb(p) ->> '{_DELETED}' IS NOT NULL
"""
_LONE_MACHINES = f"""
SELECT i.id::text FROM public.{MACHINES} i
WHERE to_jsonb(i) ->> 'orgId' IS NULL AND NOT EXISTS (SELECT FROM public.{{}} m WHERE {{}} = i.id)
"""
# Machines are members of organizations in one of these tables.
_OF_EARLIER = ("identity_org_memberships", 'm."identityId"')
_OF_NEWER = ("memberships", "m.scope = 'organization' AND m.\"actorIdentityId\"")
# The secrets of deleted environments and projects, in a table of secrets.
_DELETED_SECRETS = f"""
SELECT s.id::text FROM public.{{}} s
JOIN public.{FOLDERS.table} f ON f.id = s."folderId"
JOIN public.{ENVIRONMENTS.table} e ON e.id = f."envId"
JOIN public.{PROJECTS.table} p ON p.id = e."projectId"
WHERE coalesce(to_jsonb(e) ->> '{_DELETED}', to_jsonb(p) ->> '{_DELETED}') IS NOT NULL
"""
# The shared secrets that have a newer one of their name in their folder. Releases of 2024 let two
# clients create such a pair; a migration of June 2026 deletes all but the newest.
_OLDER_NAMESAKES = f"""
SELECT id::text FROM (
  SELECT id, row_number() OVER (PARTITION BY "folderId", key ORDER BY "updatedAt" DESC, id DESC) nth
  FROM public.{NEW.table} WHERE type = 'shared') s WHERE nth > 1
"""
# The tables that join tags to secrets, and their column of the secret.
TAGGED = {"secret_tag_junction": "secretsId", "secret_v2_tag_junction": "secrets_v2Id"}
# Tables with an operator's data, which a backup must restore row for row.
SECRETS = (OLD.table, NEW.table)
# The ids of rows that the product or an upgrade removes by itself, with the tables that each needs.
REMOVED = (
    *(((table, FOLDERS.table), _DELETED_SECRETS.format(table)) for table in SECRETS),
    ((NEW.table,), _OLDER_NAMESAKES),
    ((MACHINES, PROJECTS.table), _DELETED_MACHINES),
    *(((MACHINES, own[0]), _LONE_MACHINES.format(*own)) for own in (_OF_EARLIER, _OF_NEWER)),
)
CONTENT = ("projects", ENVIRONMENTS.table, FOLDERS.table, *SECRETS, "identities")
# The product itself removes rows from these: logs, sessions, expired tokens, old history, jobs,
# expired certificates (releases of 2026, where a project asks for it) and what is deleted with
# them. Fewer rows than before are no sign of a bad backup. resource_metadata counts: it describes
# secrets, too.
CLEARED = re.compile(
    "(?!.*kms_)(audit_logs|audit_log_stream_outbox|auth_token|identity_access_token|"
    "identity_ua_client_secrets|.*version|.*snapshot|folder_commit|folder_.*checkpoint|.*lease|"
    "secret_sharing|key_value|queue_|rate_limit|.*approval|.*reminder|.*_lock$|user_actions|"
    ".*_read_status|.*notification|certificates$|certificate_(bodies|requests|secrets|syncs)|"
    "pki_(acme_order|alert_history_cert|certificate_installation_certs|collection_items|"
    "scep_(dynamic_challenge|transaction)))"
)
# What no release changes in a row that it keeps, by table. Of the migrations from July 2024 to July
# 2026 none writes these columns, or removes rows of these tables otherwise than REMOVED says. Some
# move environments and tags to other projects, or rewrite the permissions of roles.
UNCHANGED = {
    PROJECTS.table: (
        *("name", "slug", "autoCapitalization", "pitVersionLimit", "auditLogsRetentionDays"),
    ),
    ENVIRONMENTS.table: ("name", "slug"),
    FOLDERS.table: ("name", "envId", "parentId"),
    NEW.table: ("key", "type", "folderId"),
    "secret_imports": ("importPath", "importEnv", "position", "folderId"),
    "secret_tags": ("slug", "color"),
    "webhooks": ("isDisabled", "secretPath", "envId"),
    "organizations": ("name", "slug"),
    MACHINES: ("name",),
    UNIVERSAL_AUTH: (
        *("clientId", "accessTokenTTL", "accessTokenMaxTTL", "accessTokenNumUsesLimit"),
        *("clientSecretTrustedIps", "accessTokenTrustedIps", "identityId"),
    ),
    CLIENT_SECRETS: ("clientSecretTTL", "clientSecretNumUsesLimit"),
    "trusted_ips": ("ipAddress", "prefix", "isActive"),
    "service_tokens": ("name", "scopes", "permissions", "secretHash", "expiresAt"),
    # A migration of January 2025 renames the later of two groups of one name.
    "groups": ("slug",),
    INSTANCES.table: (
        "trustSamlEmails",
        "trustLdapEmails",
        "trustOidcEmails",
        "enabledLoginMethods",
    ),
}
# The product itself removes or rewrites rows with one of these columns set, such as the copies of
# replicated secrets, and all that belongs to them by one of the others.
PASSING = (_DELETED, "isReserved")
OWNERS = ("projectId", "envId", "folderId", "importEnv", "identityId", "identityUAId")
AUDIT_LOG = "audit_logs"
# Every instance in use has rows in these tables.
ALWAYS_FILLED = (ROOTS.table, INSTANCES.table)
# What an instance is like that is restored from a backup without a row of these tables.
_NO_KEYS = "has no key for the secrets of its projects"
WITHOUT_ROWS = {
    ROOTS.table: "makes itself a new root key, under whatever key it starts with",
    INSTANCES.table: "lets anyone become its administrator",
    "users": "lets no user log in",
    ORGANIZATIONS.table: "has no organization for its projects",
    # Releases since October 2025 keep all members here; earlier ones lack the table.
    "memberships": "has no member of any organization or project",
    MIGRATIONS.table: "migrates from the first migration on, over tables that have had them all",
}
WITHOUT_KEYS = {KMS_NAMES.table: _NO_KEYS, KMS_KEYS.table: _NO_KEYS}


@dataclass(frozen=True, slots=True)
class Place:
    """Columns of a value encrypted directly with ENCRYPTION_KEY: bytea (layout A) or layout C."""

    table: str
    sealed: str
    iv: str = ""
    tag: str = ""

    def __str__(self) -> str:
        return f"{self.table}.{self.sealed}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that hold the value."""
        return (self.sealed, self.iv, self.tag) if self.iv else (self.sealed,)


ROOT = Place("kms_root_config", "encryptedRootKey")
# Every use of the key in the product's sources. Values under other keys, such as the root key, a
# project's or a bot's, are not listed.
PLACES = (
    ROOT,
    Place("project_bots", "encryptedPrivateKey", "iv", "tag"),
    Place("org_bots", "encryptedPrivateKey", "privateKeyIV", "privateKeyTag"),
    Place("org_bots", "encryptedSymmetricKey", "symmetricKeyIV", "symmetricKeyTag"),
    Place("secret_blind_indexes", "encryptedSaltCipherText", "saltIV", "saltTag"),
    Place(
        "user_encryption_keys",
        "serverEncryptedPrivateKey",
        "serverEncryptedPrivateKeyIV",
        "serverEncryptedPrivateKeyTag",
    ),
    Place("webhooks", "encryptedSecretKey", "iv", "tag"),
    Place("webhooks", "urlCipherText", "urlIV", "urlTag"),
    Place("dynamic_secrets", "inputCiphertext", "inputIV", "inputTag"),
    Place("secret_rotations", "encryptedData", "encryptedDataIV", "encryptedDataTag"),
    Place(
        "audit_log_streams",
        "encryptedHeadersCiphertext",
        "encryptedHeadersIV",
        "encryptedHeadersTag",
    ),
)
# The first generation: values that stay under the instance key, without the root key.
FIRST_GENERATION = PLACES[1:]
_KEYS = (ROOTS, KMS_KEYS, EARLIER_KMS_KEYS, EXTERNAL_KMS, PROJECTS, BOTS, PUBLIC_KEYS)
_ROTATED = (KEPT_KEYS, KEY_HISTORY)
_WRITING = (KMS_NAMES, ORGANIZATIONS, BLIND_INDEXES)
# The tables whose rows are read from a backup by default.
TABLES = frozenset(
    rows.table
    for rows in (
        *(*_KEYS, *_ROTATED, *_WRITING, ENVIRONMENTS, FOLDERS, NEW, OLD, MIGRATIONS, LOCKED),
        *(*LASTING_TIMES, *PASSING_TIMES),
        *FIRST_GENERATION,
    )
)
# Tables with values under ENCRYPTION_KEY itself that not every release has.
LEGACY_TABLES = ("org_bots", "project_bots", "secret_blind_indexes", "user_encryption_keys")
# What an export through the API contains, what it omits, and what belongs to one instance.
VERSIONS_OF = {"secret_versions_v2": "secrets_v2", "secret_versions": "secrets"}
# Tables of all releases of the product; each instance has some of them.
NOT_EXPORTED = {
    "machine identities": "identities",
    "metadata of machine identities": "identity_metadata",
    "machine credentials": "identity_ua_client_secrets service_tokens",
    "users": "users",
    "memberships": "project_memberships identity_project_memberships memberships "
    "group_project_memberships org_memberships identity_org_memberships",
    "roles and privileges": "project_roles org_roles roles additional_privileges "
    "project_user_additional_privilege identity_project_additional_privilege",
    "approvals and their policies": "secret_approval_requests secret_approval_policies "
    "access_approval_requests access_approval_policies approval_requests approval_policies",
    "imports of folders": "secret_imports",
    "snapshots": "secret_snapshots",
    "reminders": "reminders secret_reminder_recipients",
    "integrations, syncs and webhooks": "integrations secret_syncs app_connections webhooks "
    "slack_integrations microsoft_teams_integrations",
    "rotations and dynamic secrets": "secret_rotations secret_rotations_v2 dynamic_secrets",
    "certificates and their authorities": "certificate_authorities certificates "
    "ssh_certificate_authorities ssh_certificates ssh_hosts pki_subscribers",
    "secrets shared by a link": "secret_sharing",
    "audit log entries": "audit_logs",
}
# resource_metadata belongs to secrets, which are exported with it, and to things listed above.
EXPORTED = (
    "project_environments secret_folders secrets secrets_v2 secret_tags secret_tag_junction "
    "resource_metadata"
)
# Tables that belong to one instance: keys, sessions, migrations, queues, and rows about others.
OF_ONE_INSTANCE = """
organizations org_bots super_admin user_encryption_keys auth_tokens auth_token_sessions
kms_root_config kms_keys internal_kms internal_kms_key_version kms_key_versions
kms_root_config_history identity_universal_auths identity_token_auths identity_access_tokens
identity_project_membership_role project_user_membership_roles membership_roles
secret_folder_versions secret_snapshot_secrets_v2 secret_snapshot_secrets secret_snapshot_folders
secret_v2_tag_junction secret_version_v2_tag_junction secret_version_tag_junction
secret_references secret_references_v2 secret_blind_indexes project_bots project_keys
folder_commits folder_commit_changes folder_checkpoints folder_checkpoint_resources
folder_tree_checkpoints folder_tree_checkpoint_resources infisical_migrations
infisical_migrations_lock infisical_migrations_startup_lock queue_jobs key_value_store
rate_limit user_actions user_aliases
"""
