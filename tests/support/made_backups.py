"""Makes rows of backups with known keys: root, KMS, project and bot keys, and secrets."""

import base64

from nacl.public import Box, PrivateKey

from drillbook.infisical.crypto import cipher, material, seal_bytes, seal_columns

KEY = "0f1e2d3c4b5a69788796a5b4c3d2e1f9"
INSTANCE = cipher(material(KEY))
ROOT, KMS, EARLIER, DATA = (bytes([number]) * 32 for number in (1, 2, 3, 4))


def under(key, plain):
    return seal_bytes(cipher(key), plain)


def written(value):
    if value is None:
        return "\\N"
    return "\\\\x" + value.hex() if isinstance(value, bytes) else value


def block(table, *rows):
    """Rows of a table, each a mapping by column, in the form of pg_dump."""
    columns = ", ".join(f'"{name}"' for name in rows[0])
    lines = ["\t".join(map(written, row.values())) for row in rows]
    return f"COPY public.{table} ({columns}) FROM stdin;\n" + "\n".join([*lines, "\\.\n\n"])


def root(sealed=None, strategy="SOFTWARE"):
    sealed = sealed or seal_bytes(INSTANCE, ROOT)
    return {"id": "r", "encryptedRootKey": sealed, "encryptionStrategy": strategy}


def kms(name, row="k1"):
    return {"id": row, "kmsKeyId": name, "encryptedKey": under(ROOT, KMS)}


def project(name, key="kms-1", data=None):
    held = {"kmsSecretManagerKeyId": key, "kmsSecretManagerEncryptedDataKey": data}
    return {"id": name, "name": name.title(), **held}


NEW = project("new", data=under(KMS, DATA))
PLACES = [
    block("project_environments", *({"id": f"env-{p}", "projectId": p} for p in ("new", "old"))),
    block("secret_folders", *({"id": f"in-{p}", "envId": f"env-{p}"} for p in ("new", "old"))),
]


def secret(folder="in-new", key=DATA, value=b"ledger"):
    return {"encryptedValue": under(key, value), "folderId": folder}


def bot(publisher="ada", sealer=INSTANCE):
    """The tables of a bot with an old project's key, and of its sender's public key."""
    private, giver = PrivateKey.generate(), PrivateKey.generate()
    made = Box(giver, private.public_key).encrypt(DATA)
    box, nonce = (base64.b64encode(one).decode() for one in (made.ciphertext, made.nonce))
    sealed, iv, tag = seal_columns(sealer, base64.b64encode(bytes(private)), 16)
    row = {"projectId": "old", "senderId": "ada", "encryptedProjectKey": box}
    row |= {"encryptedProjectKeyNonce": nonce, "encryptedPrivateKey": sealed, "iv": iv, "tag": tag}
    public = base64.b64encode(bytes(giver.public_key)).decode()
    senders = {"userId": publisher, "publicKey": public}
    return [block("project_bots", row), block("user_encryption_keys", senders)]


def old_secret(folder="in-old", key=DATA, name_key=DATA):
    (value, iv, tag), named = (seal_columns(cipher(k), b"x", 16) for k in (key, name_key))
    row = {"secretValueCiphertext": value, "secretValueIV": iv, "secretValueTag": tag}
    names = ("secretKeyCiphertext", "secretKeyIV", "secretKeyTag")
    return row | dict(zip(names, named, strict=True)) | {"folderId": folder}
