"""What the product calls its tables and columns, as far as backups and keys need them.

Read from the product's sources of October 2024 and July 2026, and seen in backups of July and
October 2024 and July 2026. The reference backend has names of its own: what is judged must not be
built by the judge's list.
"""

from __future__ import annotations

from dataclasses import dataclass

# The way from the instance key to the secrets; of each table the columns that are read.
ROOTS = ("encryptedRootKey", "encryptionStrategy")
KMS_KEYS = ("encryptedKey", "kmsKeyId", "id")
EARLIER_KMS_KEYS = ("encryptedKey", "internalKmsId")
EXTERNAL_KMS = ("encryptedProviderInputs", "kmsKeyId")
# A release from before mid-2024 has the first two alone.
PROJECTS = ("id", "name", "kmsSecretManagerKeyId", "kmsSecretManagerEncryptedDataKey")
BOTS = (
    "projectId",
    "senderId",
    "encryptedProjectKey",
    "encryptedProjectKeyNonce",
    "encryptedPrivateKey",
    "iv",
    "tag",
)
PUBLIC_KEYS = ("publicKey", "userId")
ENVIRONMENTS = ("projectId", "id", "slug")
FOLDERS = ("envId", "id", "parentId", "name")
# Of a secret what is sealed, and its folder: generation 3 and generation 2.
NEW = ("encryptedValue", "folderId")
OLD = (
    "secretValueCiphertext",
    "secretValueIV",
    "secretValueTag",
    "secretKeyCiphertext",
    "secretKeyIV",
    "secretKeyTag",
    "folderId",
)
WHOLE_NEW = (*NEW, "key", "version", "type", "encryptedComment", "id")
WHOLE_OLD = (
    *OLD,
    "version",
    "type",
    "secretCommentCiphertext",
    "secretCommentIV",
    "secretCommentTag",
    "id",
)
KEY_TABLES = frozenset(
    {
        "kms_root_config",
        "internal_kms",
        "internal_kms_key_version",
        "external_kms",
        "projects",
        "project_bots",
        "user_encryption_keys",
        "project_environments",
        "secret_folders",
        "secrets_v2",
        "secrets",
        "infisical_migrations",
    }
)
# Where one of these is, there was a root key; the migration of this name made its table.
OF_ROOT_KEYS = frozenset(
    {
        "kms_root_config",
        "internal_kms",
        "internal_kms_key_version",
        "external_kms",
        "kms_keys",
        "secrets_v2",
    }
)
MADE_ROOT_KEYS = rb"\d+_kms\b"

# The times in these rows move whenever somebody works with the instance.
TIMES = {
    "super_admin": ("updatedAt",),
    "secrets": ("updatedAt",),
    "secrets_v2": ("updatedAt",),
    "auth_token_sessions": ("lastUsed",),
    "identity_access_tokens": ("updatedAt", "accessTokenLastUsedAt"),
    "identity_ua_client_secrets": ("updatedAt",),
}
FACT_TABLES = frozenset({*TIMES, "infisical_migrations", "kms_root_config"})
# Every instance in use has rows of these.
ALWAYS_FILLED = ("kms_root_config", "super_admin")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value lies directly under ENCRYPTION_KEY: a bytea in layout A, or layout C."""

    table: str
    sealed: str
    iv: str = ""
    tag: str = ""

    def __str__(self) -> str:
        return f"{self.table}.{self.sealed}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the value takes."""
        return (self.sealed, self.iv, self.tag) if self.iv else (self.sealed,)


ROOT = Place("kms_root_config", "encryptedRootKey")
# Every use of the key in the product's sources. What lies under other keys, such as the root key, a
# project's or a bot's, is not here.
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
# Their values name an encoding as those above do, and lie under a project's or a member's key.
UNDER_OTHER_KEYS = frozenset(
    {
        "backup_private_key",
        "integration_auths",
        "secret_approval_requests_secrets",
        "secret_versions",
        "secrets",
    }
)
# A column of this name says under which of two instance keys a value lies.
KEY_ENCODING = "KeyEncoding"
# Where the product keeps a key's label it also rotates the key by itself.
OWN_ROTATION = frozenset({"kekLabel", "supersededAt"})
