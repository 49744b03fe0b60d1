-- Rows of a plain pg_dump 14.23 backup written by the product, July 2024, under a throw-away key.
-- Rows only, no statement that makes a table; values longer than 4 KB left out; nobody's secrets.

COPY public.internal_kms (id, "encryptedKey", "encryptionAlgorithm", version, "kmsKeyId") FROM stdin;
\.

COPY public.kms_root_config (id, "encryptedRootKey") FROM stdin;
00000000-0000-0000-0000-000000000000	\\x6bece8e57bcf894ffafe90bde869f5a919e6282864c7c22f8bd495c6428815c0d96adc05d94a06d67441cca388ac49e6cd40ef4efb15cef38f8c12ce
\.

COPY public.project_environments (id, name, slug, "position", "projectId", "createdAt", "updatedAt") FROM stdin;
f5c5a31f-6f3d-4807-ac22-1c46f1e972d2	Development	dev	1	77ce0a1c-6ee1-4751-85da-260520fb1fa6	2026-11-24 13:41:36.057254+00	2026-11-24 13:41:36.057254+00
8beb6032-4b7f-4d72-b4d6-fcd41abdeba6	Staging	staging	2	77ce0a1c-6ee1-4751-85da-260520fb1fa6	2026-11-24 13:41:36.057254+00	2026-11-24 13:41:36.057254+00
663d9a99-2e20-4f6e-9e21-40d1dfd42a91	Production	prod	3	77ce0a1c-6ee1-4751-85da-260520fb1fa6	2026-11-24 13:41:36.057254+00	2026-11-24 13:41:36.057254+00
\.

COPY public.projects (id, name, slug, "autoCapitalization", "orgId", "createdAt", "updatedAt", version, "upgradeStatus", "pitVersionLimit", "kmsCertificateKeyId", "auditLogsRetentionDays", "kmsSecretManagerKeyId") FROM stdin;
77ce0a1c-6ee1-4751-85da-260520fb1fa6	drill	drill-7ot-w	t	99957248-b215-4670-aa7b-80ef3aba8f4a	2026-11-24 13:41:36.057254+00	2026-11-24 13:41:36.057254+00	2	\N	10	\N	\N	\N
\.

COPY public.secret_folders (id, name, version, "createdAt", "updatedAt", "envId", "parentId", "isReserved") FROM stdin;
6f38123d-f65d-4d84-bb5a-af24cafad30a	root	1	2026-11-24 13:41:36.057254+00	2026-11-24 13:41:36.057254+00	f5c5a31f-6f3d-4807-ac22-1c46f1e972d2	\N	f
78c825a6-f2ca-4d82-af00-8bf2267d15fc	root	1	2026-11-24 13:41:36.057254+00	2026-11-24 13:41:36.057254+00	8beb6032-4b7f-4d72-b4d6-fcd41abdeba6	\N	f
ba05fa89-9799-4d56-8b60-6850bb929e51	root	1	2026-11-24 13:41:36.057254+00	2026-11-24 13:41:36.057254+00	663d9a99-2e20-4f6e-9e21-40d1dfd42a91	\N	f
\.

COPY public.secrets (id, version, type, "secretBlindIndex", "secretKeyCiphertext", "secretKeyIV", "secretKeyTag", "secretValueCiphertext", "secretValueIV", "secretValueTag", "secretCommentCiphertext", "secretCommentIV", "secretCommentTag", "secretReminderNote", "secretReminderRepeatDays", "skipMultilineEncoding", algorithm, "keyEncoding", metadata, "userId", "folderId", "createdAt", "updatedAt") FROM stdin;
cf829b7d-864a-4dc5-b6db-eaf5dcca61e4	1	shared	6vcdNDRHbFhqWjSOZV2XR7+tnA8yQone5+733zLzxZw=	LPZaZGrG	h4lN6Q7h/Y8ViRB1gXh61A==	3EjjIozwX5+/e/MF7/wUsA==	VXhr8H8iPC18tKkZoodmilax7U2X1knvJVoNww==	m6cm87UwBX2pLajogNOmCA==	mHlWn0q9YGr8B/IE5bEiFg==		5pxkwDbuHrpbeusG1OtKSQ==	T2sOS6kWtr3T87sQ/u3cjg==	\N	\N	f	aes-256-gcm	utf8	\N	\N	ba05fa89-9799-4d56-8b60-6850bb929e51	2026-11-24 13:41:36.525555+00	2026-11-24 13:41:36.525555+00
ac20bcee-f8bc-4224-883f-3bbc3b69eea8	1	shared	E67aAaqC9yvhXrKEJ59zhVDM1IvlRVOrZ0d/HJyEyXo=	ayOykjc=	1qjCCqHCYirdH1KCmtCnAw==	jshatmTx36Uuj9N4Cw96Hw==	83Z91t+bfktMZMQoTqFlnFc=	8/Dfa/F0iSGuv+EP2WocUQ==	/k7rSNeJK7pETvg1CoodKg==		8cbS6Z28QuJW847KZ+AQqQ==	uK7yWz70tP2MHSxg/A8RCg==	\N	\N	f	aes-256-gcm	utf8	\N	\N	ba05fa89-9799-4d56-8b60-6850bb929e51	2026-11-24 13:41:36.671458+00	2026-11-24 13:41:36.671458+00
05710b99-bb24-4bcc-a934-b1ff353c2aae	1	shared	JlvTj0x3wGBMvZUnAFsiWW3iOpOFYysdS7HaQHCm0Ew=	QSZdwUM=	OG495Z/IcegcnpjXYrrRWg==	tdbQ+m/6kq5tzlH9bBoARw==	d0vnZTxU	AbRMDD3oBd3Gny29wUrIbQ==	4KBeTEILhGfYegrlX660FA==		R5p5NWw67pvRPFJnsOHO5w==	WRWZ8TkztpUr1/ic2hBZdg==	\N	\N	f	aes-256-gcm	utf8	\N	\N	ba05fa89-9799-4d56-8b60-6850bb929e51	2026-11-24 13:41:36.8124+00	2026-11-24 13:41:36.8124+00
0b25942b-447d-4d65-a8bb-0abaebf88867	1	shared	WdcqY2Y1EnFZXnvcZfDUXzRoyOI3EE5glzmNjYHg00M=	SZIFJ7c=	MqlqscnQRGEoSRIBNmL5jA==	FrSQVU4HeZQYo5kLQG4wUg==		i13MPINdB7xgwQ6RrIVB0A==	k0eJiAlCEQoUb1k/bC05Bg==		7hLSwQnZAqQ/Fit0UPFHvg==	RCiq9zXySs6Vlr9ciUPPjA==	\N	\N	f	aes-256-gcm	utf8	\N	\N	ba05fa89-9799-4d56-8b60-6850bb929e51	2026-11-24 13:41:36.951068+00	2026-11-24 13:41:36.951068+00
52e3a928-37a3-41c0-ae89-dd520cc89dd7	1	shared	Umfh4jzssvfQelXoT5D9kRwDa3Vl3DUfE8ikYaFhvN0=	HilBC6g=	7UGCkQEDjVXmwB0rZUUBHw==	XvP2LurjZ7VZfKazEpTCow==	UOkYgG9RXUUswLW70oF+kcp7BfgCyLbl	VdJXpRwPYmTJ6SsKrqgljg==	RD11cCeh3YnEVvlP3S5N/w==		q18Vjwn2cFCVrzMdbXBU2Q==	2BNUu+pooDAaa9X7QKl9kQ==	\N	\N	f	aes-256-gcm	utf8	\N	\N	ba05fa89-9799-4d56-8b60-6850bb929e51	2026-11-24 13:41:37.087051+00	2026-11-24 13:41:37.087051+00
0737123c-db3a-416d-bac7-5a3f5f352f35	1	shared	6vcdNDRHbFhqWjSOZV2XR7+tnA8yQone5+733zLzxZw=	nV3nyAmA	X0YuPq941aPPFM6xFUvO8g==	0cIOP2N+5M0dES9G917kwg==	V13RBAVMt0d53g4NwY93yHxTJnM6Dc2paZJpCg==	O6RLHOsyN8B56OOfKBJNRw==	EF3Rh6dWazIhXZEWHYdC2w==		58ORosb+ALIB/mBk+SmYwQ==	TnFgDDFr8Decmj9J8TjfOw==	\N	\N	f	aes-256-gcm	utf8	\N	\N	6f38123d-f65d-4d84-bb5a-af24cafad30a	2026-11-24 13:41:37.380491+00	2026-11-24 13:41:37.380491+00
71b5549b-8b7a-4a65-864d-3ffc65159e96	1	shared	E67aAaqC9yvhXrKEJ59zhVDM1IvlRVOrZ0d/HJyEyXo=	v3RV1r0=	2Whq7P4qC0rYS53bitShHg==	Tfi+p0441l+zZA54tI0whw==	LRlrKOR0Pu5riw7KiyJfrxY=	ehcFAe0zCPMK0/5RqMsoww==	OfAIXt+oikx7yvhFCjaAZw==		IUeW6hLlncID7swuLjP81w==	G22L/V8syZmzM/vuYTPxMg==	\N	\N	f	aes-256-gcm	utf8	\N	\N	6f38123d-f65d-4d84-bb5a-af24cafad30a	2026-11-24 13:41:37.528372+00	2026-11-24 13:41:37.528372+00
a3e1cf70-ebe3-4f39-b1ea-76a9d4b36123	1	shared	JlvTj0x3wGBMvZUnAFsiWW3iOpOFYysdS7HaQHCm0Ew=	s/z+i+0=	n8oOwVLjKE5TsUZq2njEdA==	PiPuGqKwyOGs5YdZWnZwrw==	J48jjrFk	U1o/W4ZsiszeRi9xBio7kQ==	hxfGzDqI037Cf5G36Du8bA==		kdeg7jaDI9N2LhBIELhY9A==	iyygzTRvBdMOEw4Gld75zQ==	\N	\N	f	aes-256-gcm	utf8	\N	\N	6f38123d-f65d-4d84-bb5a-af24cafad30a	2026-11-24 13:41:37.680644+00	2026-11-24 13:41:37.680644+00
d828ced0-be75-419d-83be-ba009cb03c30	1	shared	WdcqY2Y1EnFZXnvcZfDUXzRoyOI3EE5glzmNjYHg00M=	tsuwfeg=	SyxCOYaOCF+XugnpM3CZCg==	z/cyzRAY1JBcTu0a162h9Q==		804+5N5Tco84SEcQDVtoeQ==	nXxxyDqSIW2gYMa+AWqq6w==		oSQ1U2gjBKp6RpKv2e0AYw==	KL3E9LFuvaNT4qVTlDT8oQ==	\N	\N	f	aes-256-gcm	utf8	\N	\N	6f38123d-f65d-4d84-bb5a-af24cafad30a	2026-11-24 13:41:37.83388+00	2026-11-24 13:41:37.83388+00
6796ce63-1b93-4a94-a528-7e440cb846e5	1	shared	Umfh4jzssvfQelXoT5D9kRwDa3Vl3DUfE8ikYaFhvN0=	tphruyI=	UT01WUUVRspveOKiuH1B6A==	xV+Mm08HfBDf1MA0nD0Ifg==	n34FTHPXSB2sK0zHku7nY/t0dxTiKUz3	DNuOjUhod3ixc7QDXwErHg==	aEUVZ8MAGSUZsNLgH7YPPw==		soePA+wik5iQ0oYv0BLotQ==	AlCBd4NUs44oiHiaXCtrkg==	\N	\N	f	aes-256-gcm	utf8	\N	\N	6f38123d-f65d-4d84-bb5a-af24cafad30a	2026-11-24 13:41:37.998317+00	2026-11-24 13:41:37.998317+00
\.

COPY public.super_admin (id, initialized, "allowSignUp", "createdAt", "updatedAt", "allowedSignUpDomain", "instanceId", "trustSamlEmails", "trustLdapEmails", "trustOidcEmails", "defaultAuthOrgId", "enabledLoginMethods") FROM stdin;
00000000-0000-0000-0000-000000000000	t	t	2026-11-24 13:41:35.059378+00	2026-11-24 13:41:36.028942+00	\N	1ebbd6ff-0c77-4bd9-a748-6e213fbf6262	f	f	f	\N	\N
\.

