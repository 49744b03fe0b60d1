-- Rows of a plain pg_dump 14.23 backup written by the product, October 2024, under a throw-away key.
-- Rows only, no statement that makes a table; values longer than 4 KB left out; nobody's secrets.

COPY public.internal_kms (id, "encryptedKey", "encryptionAlgorithm", version, "kmsKeyId") FROM stdin;
38dbe8f9-6b6b-4760-8f02-a51eb6663900	\\x737441762fb07b0738dad961c9177823b53bc14147ee612060d0a3d10a135296881fefaad4b87c405054b6e0b499360c0e2ebbad9ecf7b882a0eaba2	aes-256-gcm	1	0c75ef54-aab6-421e-a603-64f5d9e0cabe
\.

COPY public.kms_root_config (id, "encryptedRootKey") FROM stdin;
00000000-0000-0000-0000-000000000000	\\x39d8f9f772eea7a4de5109758722c63aedef350b96e47a1a0b9768794935d2e368837e1634abf4f61b557f279733c543a9590ed8e2efe1c7a1b9a6c2
\.

COPY public.project_environments (id, name, slug, "position", "projectId", "createdAt", "updatedAt") FROM stdin;
49b1d581-3e73-4ed7-88cb-5256e6fa2234	Development	dev	1	ef569532-a4bf-49a5-a12e-5521ca5357c6	2026-11-24 13:41:09.415375+00	2026-11-24 13:41:09.415375+00
c17ca8b0-21ac-4984-9211-489a32fbffeb	Staging	staging	2	ef569532-a4bf-49a5-a12e-5521ca5357c6	2026-11-24 13:41:09.415375+00	2026-11-24 13:41:09.415375+00
24b476bb-1b2a-4bc8-b7b7-bc463c00517d	Production	prod	3	ef569532-a4bf-49a5-a12e-5521ca5357c6	2026-11-24 13:41:09.415375+00	2026-11-24 13:41:09.415375+00
\.

COPY public.projects (id, name, slug, "autoCapitalization", "orgId", "createdAt", "updatedAt", version, "upgradeStatus", "pitVersionLimit", "kmsCertificateKeyId", "auditLogsRetentionDays", "kmsSecretManagerKeyId", "kmsSecretManagerEncryptedDataKey") FROM stdin;
ef569532-a4bf-49a5-a12e-5521ca5357c6	drill	drill-1-dv-1	t	86b2d270-9da5-455b-859e-04df318156b8	2026-11-24 13:41:09.415375+00	2026-11-24 13:41:09.793566+00	3	\N	10	\N	\N	0c75ef54-aab6-421e-a603-64f5d9e0cabe	\\x9fb9b0acc5de64f2d8c565b274942cb5f683cf5b19cd1c1dedc4055a33c4900f58fb90bc844abdc7dce909e2956e008809bdcd810f3f246f2fca9fef763031
\.

COPY public.secret_folders (id, name, version, "createdAt", "updatedAt", "envId", "parentId", "isReserved") FROM stdin;
90cfd95f-f792-48f0-a452-b1b4297d22cd	root	1	2026-11-24 13:41:09.415375+00	2026-11-24 13:41:09.415375+00	49b1d581-3e73-4ed7-88cb-5256e6fa2234	\N	f
52ace9b6-8b54-4396-b0dd-9b7561e6142d	root	1	2026-11-24 13:41:09.415375+00	2026-11-24 13:41:09.415375+00	c17ca8b0-21ac-4984-9211-489a32fbffeb	\N	f
2b96b5bb-5a9b-4f93-a6b8-7f1d3c5b2db9	root	1	2026-11-24 13:41:09.415375+00	2026-11-24 13:41:09.415375+00	24b476bb-1b2a-4bc8-b7b7-bc463c00517d	\N	f
\.

COPY public.secrets (id, version, type, "secretBlindIndex", "secretKeyCiphertext", "secretKeyIV", "secretKeyTag", "secretValueCiphertext", "secretValueIV", "secretValueTag", "secretCommentCiphertext", "secretCommentIV", "secretCommentTag", "secretReminderNote", "secretReminderRepeatDays", "skipMultilineEncoding", algorithm, "keyEncoding", metadata, "userId", "folderId", "createdAt", "updatedAt") FROM stdin;
\.

COPY public.secrets_v2 (id, version, type, key, "encryptedValue", "encryptedComment", "reminderNote", "reminderRepeatDays", "skipMultilineEncoding", metadata, "userId", "folderId", "createdAt", "updatedAt") FROM stdin;
58ae5bd9-555e-4760-91c5-49dfc57e6d20	1	shared	DB_URL	\\xcad59773201098463f25f65b1adc0b7a62eab2ef1789d3df087a93affff765e82bba3771000792d821d5a8c8e73055b88aa7ccad013de827763031	\N	\N	\N	f	\N	\N	2b96b5bb-5a9b-4f93-a6b8-7f1d3c5b2db9	2026-11-24 13:41:09.797633+00	2026-11-24 13:41:09.797633+00
049e68cd-1c47-4978-92d9-689c0eddbdff	1	shared	PLAIN	\\xcf01fc090dbc00a9157ff4acefbd480a8c0ae232da895719e30d81f724619ad7aa0aa1abbeabaa4350e42a1016763031	\N	\N	\N	f	\N	\N	2b96b5bb-5a9b-4f93-a6b8-7f1d3c5b2db9	2026-11-24 13:41:09.823165+00	2026-11-24 13:41:09.823165+00
1256c6c5-c7aa-463f-9ee3-ea641c595f55	1	shared	MULTI	\\x2a353b1f5f6b2e59c25ab692291cf3d63870c0abbbce2ae600e524805cbe4f67ced2763031	\N	\N	\N	f	\N	\N	2b96b5bb-5a9b-4f93-a6b8-7f1d3c5b2db9	2026-11-24 13:41:09.841322+00	2026-11-24 13:41:09.841322+00
10a6101d-43eb-43dc-bc17-331f725af3e7	1	shared	EMPTY	\N	\N	\N	\N	f	\N	\N	2b96b5bb-5a9b-4f93-a6b8-7f1d3c5b2db9	2026-11-24 13:41:09.860165+00	2026-11-24 13:41:09.860165+00
68e2f12e-8a24-401c-be83-d23feeac5c3c	1	shared	JSONV	\\x2d3bb3b88789cbc7380cd3a14826e92000472749cbcccf6a6e51b7481c172673e9a9f9e52facc0dd3dadad42ba7f5bc3b25c84a1763031	\N	\N	\N	f	\N	\N	2b96b5bb-5a9b-4f93-a6b8-7f1d3c5b2db9	2026-11-24 13:41:09.875535+00	2026-11-24 13:41:09.875535+00
036cc4a5-5cec-4bd6-82ad-6c80d564cb87	1	shared	DB_URL	\\x84d6a4d8c1820d02f3d3e050d1e66dd2ef836a8ed4dab614bed71d99d7f31742239db15b75a2bf08072920a7fc32c76516ba4e3f38d5548d763031	\N	\N	\N	f	\N	\N	90cfd95f-f792-48f0-a452-b1b4297d22cd	2026-11-24 13:41:09.919165+00	2026-11-24 13:41:09.919165+00
36c99f9b-755d-4951-aa84-3b9195070188	1	shared	PLAIN	\\x76b89ac92bac1e16ea2d8a4ac7143e6103815f25fffdce4adb9c7c710ef3f3b98cd9d2d1245058ab719d6884d0763031	\N	\N	\N	f	\N	\N	90cfd95f-f792-48f0-a452-b1b4297d22cd	2026-11-24 13:41:09.934977+00	2026-11-24 13:41:09.934977+00
979ac297-8a24-4cf8-90b7-4cb282e09754	1	shared	MULTI	\\x606223d0c6010b678da060d53fc6df42ba71700d8e070e9ee6c396c6073345e1b508763031	\N	\N	\N	f	\N	\N	90cfd95f-f792-48f0-a452-b1b4297d22cd	2026-11-24 13:41:09.950924+00	2026-11-24 13:41:09.950924+00
24c6b363-2eb2-4911-8be2-e7ccb65d9b2c	1	shared	EMPTY	\N	\N	\N	\N	f	\N	\N	90cfd95f-f792-48f0-a452-b1b4297d22cd	2026-11-24 13:41:09.966936+00	2026-11-24 13:41:09.966936+00
1d4a01d5-3169-4e37-b026-050170d8c094	1	shared	JSONV	\\x83d1bd4be3088d97ea07720e352aa3429b5c594a1119ac6cf0babbef8d9401e47fc18624d1e83cb69939e672cb679810c5e8ca4d763031	\N	\N	\N	f	\N	\N	90cfd95f-f792-48f0-a452-b1b4297d22cd	2026-11-24 13:41:09.985777+00	2026-11-24 13:41:09.985777+00
\.

COPY public.super_admin (id, initialized, "allowSignUp", "createdAt", "updatedAt", "allowedSignUpDomain", "instanceId", "trustSamlEmails", "trustLdapEmails", "trustOidcEmails", "defaultAuthOrgId", "enabledLoginMethods", "encryptedSlackClientId", "encryptedSlackClientSecret") FROM stdin;
00000000-0000-0000-0000-000000000000	t	t	2026-11-24 13:41:08.119494+00	2026-11-24 13:41:09.378851+00	\N	5a68c59e-2ed7-4287-86ca-c8e3c308c483	f	f	f	\N	\N	\N	\N
\.

