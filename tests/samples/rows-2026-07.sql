-- Rows of a plain pg_dump 14.23 backup written by a derivative of the product, July 2026, under a throw-away key.
-- Rows only, no statement that makes a table; values longer than 4 KB left out; nobody's secrets.

COPY public.internal_kms (id, "encryptedKey", "encryptionAlgorithm", version, "kmsKeyId") FROM stdin;
09aa7483-d528-4dff-9782-b3d04c1557d1	\\x3ea8c98a5fc4e8a88a56ac2ff2973c4c36f395b3917cbdf9b5a83504a50e145a94131a8bc22105d4fd5c8da4d24e6aeda9de52a0a642862cf1346f69	aes-256-gcm	1	b8ef915f-4024-46fd-82bd-6b82f42b5260
\.

COPY public.kms_root_config (id, "encryptedRootKey", "encryptionStrategy", "createdAt", "updatedAt") FROM stdin;
00000000-0000-0000-0000-000000000000	\\x842ee1f9fa7ba1274788ff4d64089d023248f1522cad67b1b5a4c109e1c8de7e817e3c3dc1eb447740f48f1152a76f3534db8ffeb2d905cd714aec7d	SOFTWARE	2026-11-24 16:01:04.641247+00	2026-11-24 16:01:04.641247+00
\.

COPY public.org_bots (id, name, "publicKey", "encryptedSymmetricKey", "symmetricKeyIV", "symmetricKeyTag", "symmetricKeyAlgorithm", "symmetricKeyKeyEncoding", "encryptedPrivateKey", "privateKeyIV", "privateKeyTag", "privateKeyAlgorithm", "privateKeyKeyEncoding", "orgId", "createdAt", "updatedAt") FROM stdin;
\.

COPY public.organizations (id, name, "customerId", slug, "createdAt", "updatedAt", "authEnforced", "scimEnabled", "kmsDefaultKeyId", "kmsEncryptedDataKey", "defaultMembershipRole", "enforceMfa", "selectedMfaMethod", "allowSecretSharingOutsideOrganization", "shouldUseNewPrivilegeSystem", "privilegeUpgradeInitiatedByUsername", "privilegeUpgradeInitiatedAt", "bypassOrgAuthEnabled", "userTokenExpiration", "secretsProductEnabled", "pkiProductEnabled", "kmsProductEnabled", "sshProductEnabled", "scannerProductEnabled", "shareSecretsProductEnabled", "maxSharedSecretLifetime", "maxSharedSecretViewLimit", "googleSsoAuthEnforced", "googleSsoAuthLastUsed", "parentOrgId", "rootOrgId", "blockDuplicateSecretSyncDestinations", "secretShareBrandConfig", "defaultCertManagerProjectId", "allowCrossProjectSecretSharing") FROM stdin;
fbb748f3-918a-4ab7-9941-3843d1c644c4	Org	\N	org-a-t0-l	2026-11-24 16:01:15.537453+00	2026-11-24 16:01:15.537453+00	f	f	\N	\N	member	f	\N	t	t	\N	\N	f	\N	t	t	t	t	t	t	2592000	\N	f	\N	\N	\N	f	\N	\N	f
\.

COPY public.project_bots (id, name, "isActive", "encryptedPrivateKey", "publicKey", iv, tag, algorithm, "keyEncoding", "encryptedProjectKey", "encryptedProjectKeyNonce", "projectId", "senderId", "createdAt", "updatedAt") FROM stdin;
\.

COPY public.project_environments (id, name, slug, "position", "projectId", "createdAt", "updatedAt", "deleteAfter", "softDeletedAt", "deletedByUserId", "deletedByIdentityId") FROM stdin;
38569153-aaf3-40af-99cb-beda52420a0d	Development	dev	1	e8487867-9edd-4dfa-a893-0d19826fb69a	2026-11-24 16:01:15.579025+00	2026-11-24 16:01:15.579025+00	\N	\N	\N	\N
2fc644ce-97db-4e55-8ac8-f7675fb12996	Staging	staging	2	e8487867-9edd-4dfa-a893-0d19826fb69a	2026-11-24 16:01:15.579025+00	2026-11-24 16:01:15.579025+00	\N	\N	\N	\N
fca98a01-9c08-44b3-b96d-b0ded30e4d03	Production	prod	3	e8487867-9edd-4dfa-a893-0d19826fb69a	2026-11-24 16:01:15.579025+00	2026-11-24 16:01:15.579025+00	\N	\N	\N	\N
b7b368bc-8ecc-4651-ac74-e2c45bb38272	Development	dev	1	37021621-5279-4bf3-969f-80c9d26fa8cc	2026-11-24 16:01:15.596329+00	2026-11-24 16:01:15.596329+00	\N	\N	\N	\N
b5f8b5c7-f200-44c8-8ef5-8fb2a8ba2254	Staging	staging	2	37021621-5279-4bf3-969f-80c9d26fa8cc	2026-11-24 16:01:15.596329+00	2026-11-24 16:01:15.596329+00	\N	\N	\N	\N
2e7c740e-c3f6-49f2-811d-16f30def5c14	Production	prod	3	37021621-5279-4bf3-969f-80c9d26fa8cc	2026-11-24 16:01:15.596329+00	2026-11-24 16:01:15.596329+00	\N	\N	\N	\N
\.

COPY public.projects (id, name, slug, "autoCapitalization", "orgId", "createdAt", "updatedAt", version, "upgradeStatus", "pitVersionLimit", "kmsCertificateKeyId", "auditLogsRetentionDays", "kmsSecretManagerKeyId", "kmsSecretManagerEncryptedDataKey", description, type, "enforceCapitalization", "hasDeleteProtection", "secretSharing", "showSnapshotsLegacy", "defaultProduct", "secretDetectionIgnoreValues", "enforceEncryptedSecretManagerSecretMetadata", "deleteAfter", "softDeletedAt", "deletedByActorType", "deletedByActorId", "secretBlindIndexEnabled") FROM stdin;
b308c346-63cb-44bf-ad8b-fe7bcb69cd1d	Certificate Manager	cert-manager-a-nm-z	f	fbb748f3-918a-4ab7-9941-3843d1c644c4	2026-11-24 16:01:15.537453+00	2026-11-24 16:01:15.537453+00	3	\N	10	\N	\N	\N	\N	\N	cert-manager	f	f	t	f	\N	\N	\N	\N	\N	\N	\N	t
37021621-5279-4bf3-969f-80c9d26fa8cc	drill2	drill2-y-hn-a	f	fbb748f3-918a-4ab7-9941-3843d1c644c4	2026-11-24 16:01:15.596329+00	2026-11-24 16:01:15.596329+00	3	\N	10	\N	\N	\N	\N	\N	secret-manager	f	f	t	f	\N	\N	\N	\N	\N	\N	\N	t
e8487867-9edd-4dfa-a893-0d19826fb69a	drill	drill-huq-v	f	fbb748f3-918a-4ab7-9941-3843d1c644c4	2026-11-24 16:01:15.579025+00	2026-11-24 16:01:15.787793+00	3	\N	10	\N	\N	b8ef915f-4024-46fd-82bd-6b82f42b5260	\\x4a936bb5f8f018546b56013ddc5a892c1fc88ded54ce7b83f4fc9ad4228103264adbe32225da325e4fd08b538fd7067f26bd5d4f1d4ca2b2535010c0763031	\N	secret-manager	f	f	t	f	\N	\N	\N	\N	\N	\N	\N	t
\.

COPY public.secret_blind_indexes (id, "encryptedSaltCipherText", "saltIV", "saltTag", algorithm, "keyEncoding", "projectId", "createdAt", "updatedAt") FROM stdin;
\.

COPY public.secret_folders (id, name, version, "createdAt", "updatedAt", "envId", "parentId", "isReserved", description, "lastSecretModified") FROM stdin;
64090cee-c55d-436e-b306-e21e9b07c537	root	1	2026-11-24 16:01:15.579025+00	2026-11-24 16:01:15.579025+00	38569153-aaf3-40af-99cb-beda52420a0d	\N	f	\N	\N
7d9b68dc-340e-434d-98d8-b23b55fcb6f5	root	1	2026-11-24 16:01:15.579025+00	2026-11-24 16:01:15.579025+00	2fc644ce-97db-4e55-8ac8-f7675fb12996	\N	f	\N	\N
04ce1dc0-dcd4-4b13-b9ce-4acd7f06443a	root	1	2026-11-24 16:01:15.596329+00	2026-11-24 16:01:15.596329+00	b7b368bc-8ecc-4651-ac74-e2c45bb38272	\N	f	\N	\N
068167ae-0006-438e-976b-47de8728aa87	root	1	2026-11-24 16:01:15.596329+00	2026-11-24 16:01:15.596329+00	b5f8b5c7-f200-44c8-8ef5-8fb2a8ba2254	\N	f	\N	\N
70e3fbeb-56e4-4df1-8392-5cdf4507288f	root	1	2026-11-24 16:01:15.596329+00	2026-11-24 16:01:15.596329+00	2e7c740e-c3f6-49f2-811d-16f30def5c14	\N	f	\N	\N
b0b8645f-e271-43a1-aa37-03cc600b394c	root	1	2026-11-24 16:01:15.579025+00	2026-11-24 16:01:18.883805+00	fca98a01-9c08-44b3-b96d-b0ded30e4d03	\N	f	\N	2026-11-24 16:01:18.883+00
\.

COPY public.secrets (id, version, type, "secretBlindIndex", "secretKeyCiphertext", "secretKeyIV", "secretKeyTag", "secretValueCiphertext", "secretValueIV", "secretValueTag", "secretCommentCiphertext", "secretCommentIV", "secretCommentTag", "secretReminderNote", "secretReminderRepeatDays", "skipMultilineEncoding", algorithm, "keyEncoding", metadata, "userId", "folderId", "createdAt", "updatedAt") FROM stdin;
\.

COPY public.secrets_v2 (id, version, type, key, "encryptedValue", "encryptedComment", "reminderNote", "reminderRepeatDays", "skipMultilineEncoding", metadata, "userId", "folderId", "createdAt", "updatedAt", "secretValueBlindIndex") FROM stdin;
ab8573ab-8a11-460a-aafd-5da0ceaa02ca	1	shared	DB_URL	\\xf1edcb7d1c974d3bf35715f7cef540bd713cc4f2a4d3befa9ea5dce9dae1106d6d42607215ff63519aea398390c75ff792fe7c772669501e763031	\N	\N	\N	f	\N	\N	b0b8645f-e271-43a1-aa37-03cc600b394c	2026-11-24 16:01:15.791398+00	2026-11-24 16:01:15.791398+00	ef8c9ab9e8e8cd59c348787cb525bd484bb84767024e44dc505af64f01a8bc8b
5de0c6ae-76d7-48b1-a81b-f4870a388a95	1	shared	DB_URL4	\\xfa08151ceeb60cf5d49e1e362c7cf58f799927911f42a565e4a29968fe4842851fb81736763031	\N	\N	\N	f	\N	\N	b0b8645f-e271-43a1-aa37-03cc600b394c	2026-11-24 16:01:15.838093+00	2026-11-24 16:01:15.838093+00	5dfad5868da1e249559be3bec0a16de49f9d1139979f66c564031d4703d861fe
\.

COPY public.super_admin (id, initialized, "allowSignUp", "createdAt", "updatedAt", "allowedSignUpDomain", "instanceId", "trustSamlEmails", "trustLdapEmails", "trustOidcEmails", "defaultAuthOrgId", "enabledLoginMethods", "encryptedSlackClientId", "encryptedSlackClientSecret", "authConsentContent", "pageFrameContent", "adminIdentityIds", "encryptedMicrosoftTeamsAppId", "encryptedMicrosoftTeamsClientSecret", "encryptedMicrosoftTeamsBotId", "encryptedGitHubAppConnectionClientId", "encryptedGitHubAppConnectionClientSecret", "encryptedGitHubAppConnectionSlug", "encryptedGitHubAppConnectionId", "encryptedGitHubAppConnectionPrivateKey", "encryptedEnvOverrides", "fipsEnabled") FROM stdin;
00000000-0000-0000-0000-000000000000	t	t	2026-11-24 16:01:12.493846+00	2026-11-24 16:01:15.554899+00	\N	a5413afc-d7f6-4a2b-be71-75fb45d664f4	f	f	f	\N	\N	\N	\N	\N	\N	{3bb22613-fec0-4534-a091-804fca5846d2}	\N	\N	\N	\N	\N	\N	\N	\N	\N	f
\.

COPY public.user_encryption_keys (id, "clientPublicKey", "serverPrivateKey", "encryptionVersion", "protectedKey", "protectedKeyIV", "protectedKeyTag", "publicKey", "encryptedPrivateKey", iv, tag, salt, verifier, "userId", "hashedPassword", "serverEncryptedPrivateKey", "serverEncryptedPrivateKeyIV", "serverEncryptedPrivateKeyTag", "serverEncryptedPrivateKeyEncoding") FROM stdin;
e6997491-9ad4-4fcc-9bde-5deb2967552c	\N	\N	2	\N	\N	\N	\N	\N	\N	\N	\N	\N	e87e0d98-c695-4c16-b697-2bc81519bbbf	$2b$10$2Ef5J8YrJ7mWdSyahjdXEu6x.YeXXH71Y.7zdDCIBmJPx/xXLb8mK	\N	\N	\N	\N
\.
