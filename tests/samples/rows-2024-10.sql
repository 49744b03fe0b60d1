-- Rows of a plain pg_dump 14.23 backup written by the product, October 2024, under a throw-away key.
-- Rows only, no statement that makes a table; values longer than 4 KB left out; nobody's secrets.

COPY public.internal_kms (id, "encryptedKey", "encryptionAlgorithm", version, "kmsKeyId") FROM stdin;
38dbe8f9-6b6b-4760-8f02-a51eb6663900	\\x737441762fb07b0738dad961c9177823b53bc14147ee612060d0a3d10a135296881fefaad4b87c405054b6e0b499360c0e2ebbad9ecf7b882a0eaba2	aes-256-gcm	1	0c75ef54-aab6-421e-a603-64f5d9e0cabe
\.

COPY public.kms_root_config (id, "encryptedRootKey") FROM stdin;
00000000-0000-0000-0000-000000000000	\\x39d8f9f772eea7a4de5109758722c63aedef350b96e47a1a0b9768794935d2e368837e1634abf4f61b557f279733c543a9590ed8e2efe1c7a1b9a6c2
\.

COPY public.org_bots (id, name, "publicKey", "encryptedSymmetricKey", "symmetricKeyIV", "symmetricKeyTag", "symmetricKeyAlgorithm", "symmetricKeyKeyEncoding", "encryptedPrivateKey", "privateKeyIV", "privateKeyTag", "privateKeyAlgorithm", "privateKeyKeyEncoding", "orgId", "createdAt", "updatedAt") FROM stdin;
53d9a49b-bd9a-4498-8b5b-101f772557d1	Admin Org	ju0swWRB3mRL1ZNuMMc6qEmofRXW0zQOuG7FUW403x8=	UZziOz1S/TQVekvD9eLyLtmkwLMfF3G/AxDGuMK1++IzWA3sPNRJwEjBqXw=	DqtNFoXN5KVKC8pC9LJTBA==	qRC2gvU8jr/4B4FwA0mEyQ==	aes-256-gcm	utf8	jtIBeHpGtUlKPN+H5FXiw2B+jwtJ8cnju2Uu9rzXSvAoJuBwx8BQPSAP3lU=	sx9qugsDslBSg6SMgrmjZA==	D5gsYUtKuKYvAokwWxWJgg==	aes-256-gcm	utf8	86b2d270-9da5-455b-859e-04df318156b8	2026-11-24 13:41:09.371856+00	2026-11-24 13:41:09.371856+00
\.

COPY public.organizations (id, name, "customerId", slug, "createdAt", "updatedAt", "authEnforced", "scimEnabled", "kmsDefaultKeyId", "kmsEncryptedDataKey", "defaultMembershipRole") FROM stdin;
86b2d270-9da5-455b-859e-04df318156b8	Admin Org	\N	admin-org-yg-ns	2026-11-24 13:41:09.371856+00	2026-11-24 13:41:09.371856+00	f	f	\N	\N	member
\.

COPY public.project_bots (id, name, "isActive", "encryptedPrivateKey", "publicKey", iv, tag, algorithm, "keyEncoding", "encryptedProjectKey", "encryptedProjectKeyNonce", "projectId", "senderId", "createdAt", "updatedAt") FROM stdin;
c9f691bd-61e7-4189-95bc-3cc979e41b17	Infisical Bot (Ghost)	t	MtFsnXPhIrpNxfG7yZpht2/nsnLJWl7DqwtReZ0JJd4/gpD1sYEp6hJtvZ4=	ZagvaMo0VKDfElOWBCcSc1aa6N9PRpEhkdnQU/JWkwk=	CqjztAoEQinqboFFWQRvlA==	UBLWMSBWahTCraxot3m0hA==	aes-256-gcm	utf8	a88ORID8RFoR5LcMfBYZHRioeGMxjklK9DKnLLdPBQBfQ1y0DU/XciGGo+HSAw4R	9giF9GBTaJ4CdM1klLnG1CgeXeG6dyj8	ef569532-a4bf-49a5-a12e-5521ca5357c6	a24ffc2b-87eb-454f-8de1-7968c80191ba	2026-11-24 13:41:09.415375+00	2026-11-24 13:41:09.415375+00
\.

COPY public.project_environments (id, name, slug, "position", "projectId", "createdAt", "updatedAt") FROM stdin;
49b1d581-3e73-4ed7-88cb-5256e6fa2234	Development	dev	1	ef569532-a4bf-49a5-a12e-5521ca5357c6	2026-11-24 13:41:09.415375+00	2026-11-24 13:41:09.415375+00
c17ca8b0-21ac-4984-9211-489a32fbffeb	Staging	staging	2	ef569532-a4bf-49a5-a12e-5521ca5357c6	2026-11-24 13:41:09.415375+00	2026-11-24 13:41:09.415375+00
24b476bb-1b2a-4bc8-b7b7-bc463c00517d	Production	prod	3	ef569532-a4bf-49a5-a12e-5521ca5357c6	2026-11-24 13:41:09.415375+00	2026-11-24 13:41:09.415375+00
\.

COPY public.projects (id, name, slug, "autoCapitalization", "orgId", "createdAt", "updatedAt", version, "upgradeStatus", "pitVersionLimit", "kmsCertificateKeyId", "auditLogsRetentionDays", "kmsSecretManagerKeyId", "kmsSecretManagerEncryptedDataKey") FROM stdin;
ef569532-a4bf-49a5-a12e-5521ca5357c6	drill	drill-1-dv-1	t	86b2d270-9da5-455b-859e-04df318156b8	2026-11-24 13:41:09.415375+00	2026-11-24 13:41:09.793566+00	3	\N	10	\N	\N	0c75ef54-aab6-421e-a603-64f5d9e0cabe	\\x9fb9b0acc5de64f2d8c565b274942cb5f683cf5b19cd1c1dedc4055a33c4900f58fb90bc844abdc7dce909e2956e008809bdcd810f3f246f2fca9fef763031
\.

COPY public.secret_blind_indexes (id, "encryptedSaltCipherText", "saltIV", "saltTag", algorithm, "keyEncoding", "projectId", "createdAt", "updatedAt") FROM stdin;
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

COPY public.user_encryption_keys (id, "clientPublicKey", "serverPrivateKey", "encryptionVersion", "protectedKey", "protectedKeyIV", "protectedKeyTag", "publicKey", "encryptedPrivateKey", iv, tag, salt, verifier, "userId", "hashedPassword", "serverEncryptedPrivateKey", "serverEncryptedPrivateKeyIV", "serverEncryptedPrivateKeyTag", "serverEncryptedPrivateKeyEncoding") FROM stdin;
3a84f579-737b-4dcc-80d5-1977fa188e4e	\N	\N	2	D+VoOGLjUTgvaojNTrNZt88SYsWG8zlncEFq0ZJbZ4hrwY/nikvzgK1l5Dw0GTsns0Dd25GAAyUbH+tY2ZVL9w==	lwI6vijhywBS4mjG	Ea0aLPZKRGP1g29EyM0n8g==	3yuTNfz5/iouC29FEL1DSshTzoigGlxbdqx2wqMIVVs=	6wrpq0HfLIJu7N8h5Rgq5iKJhm6nSzjmawgIXXUPKOAQpVp2i75LSSu0msY=	f3LmnaWjYQTAyt3R	+Vo1EVQQsHJBeY2yUMbdWQ==	9f954a6da63b89a36d0d5f5449d8e81bb01339f871965cd862234a21765b073e	172fe794e5844174e6b65914736017fba21cbaee4b0a87026f2129fa6d6f12d39aa36cde517b7132ccb2b5d5190c0e6954050d18c245d21b89c79156f6982581eb23bd96d67226961b440ed3bc2b5ed126a4ab7b368894d22c092107fc44083bdefe455ef7bf0401dc5713509bb976a24da50d80a0163a7b4619d90bcec05d7e0f4242716648dcdde58a7f821b1e3c10ffbe927f4b6e356f841a9d8d50c15c583789b26bfa2a9706ebb6d9098a288769d8033d80d66a44d8be3861643b3dfad487f5d46c0c94888328d045ed2d91965e95e451cf5b94bbfc475af7c4f6fe0c32944ec93e6e77da133ce6de76f3fb75d7b47dff7bb1738cd58af49d38c561ef75e55db1785b305c5812867f36a992f3246f078cdc839631c6ec2a270cd5911f49f4e3185646263117a9d1962f23a839456faa7b7d72085b08c00a5838dcdf4db57c39359e0850b1567d1933aa67f7aaac4868239ce6fa3dc72170f4362d11df81cd74f6beaf938d9f005541f959186a974848d2032b09a6890b4362d6932d3f2315b5c8f507d7c31acf42f6a5caca2afb63212d2e528db350ecfa998b7ea7af8cb23a9b7724c8a453e7ca99414226b6c21ce15a04eb9a4681fecb2fcaeff32ab7269ad897f0747fafaaf3768e1095f30bfb03715b4878f64e4b7c2fca60700eeb690b5b42336e375887246eaf46649c1346db3d6e3568403b822c469e6af8a978	1be826e1-2441-484a-ae53-787cc0dfcda9	$2b$12$W/Vf1/hCA58M/jRDD9MAbO6pWE4caNvvtZiSLdA5tmNvQh3xdHJR.	fMa9+JIF2YfXlNDPHco25g/sHkTS2+04uFCC+vRc+yTpTrDwexF3J7ncfHU=	oog76OSUOE8QYH9EbgxFiQ==	RsHCVuFstl3Sic4iHEsk9A==	utf8
f4d35d97-5de3-493b-b73a-0ba8c36e9e34	\N	\N	2	Xqv8R88IsXQ5EmOxr1RpxdYTuKqCVcpRTp1mbcyyG+jxAGcPnqDiWTYstJwp5Z8a+piOgMVQ+yFqHiHAe+xzwg==	4mcKQPGocN1/cSDS	fetRqR/CRieve0lJfGSN2g==	ZagvaMo0VKDfElOWBCcSc1aa6N9PRpEhkdnQU/JWkwk=	cW6ZHtkAz66nAqnbP6jWLjaa6DvN0gDdPECs9c/ne2mXPS5Jzot0J/ziFmQ=	8acea1HL6+iO982f	H3LwW49CenVNcis/lClbMQ==	0dfd7ad107c8fbfc881faa5ed846dda80fd69d84dc75fd13d32a556a4671b905	5e016d5305c3bb4c4d08037ef69b0640fd545b4beacb3686df60925caf996d14382803c545605551599a4d7f85de70118e15a2a1de1254104fa8490fd01de8539aa2ec55abe7956f5b0788edb16dfaad9474f5253ed20a2008fe036d82772c6fa88edc38285add3cf4fc781c04c4756b4764019286e5163842119d5e10d85123713c1f4c8bc7c0c54efdb6fddf05f7226c7d40052d167e01450ab87d9938e573e632213c389cefa057013807997a4f850de148d951ef04c299f4772fa3015aab675e14c485b78f5895d694af4b935b647d3af7b86907a79dffa989fb129f4a8045a1a60c647c4e893726c227f847e27493f5dca7c9256284a34dc8a05a98b950e4ee6f2dee4562e0d9b3e0e788713663293f8b57bef49576e5207db6c04727e9b04e9f893548c74c0f9e8cdc89e29af28e10a3f7597d5bacf8ac6dd11e2ceac950c93807b23cffb223073d60ffdb3b22a890743391ec5df1c408842a28790469047f56e2f41b31cbd143489818e43bd84e049fb61e3a66820ba208ff0d4d79e4a1646d426f581ec508bb3e4a55289b762dff242de218d42de4981f44dc13fd83d2885ad103c540e5e16a5bae9497333b4bed7828376d4a8b6836b4757ce370347dfb4188f0bc7d7ebcfc13ac2e22a58b347ab2311662f724b03651eafdf1767368f6178d1e1311688c297da11219d4fedd8df0521052282c0ea4159e6b2a235f	a24ffc2b-87eb-454f-8de1-7968c80191ba	\N	\N	\N	\N	\N
\.
