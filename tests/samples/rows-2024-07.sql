-- Rows of a plain pg_dump 14.23 backup written by the product, July 2024, under a throw-away key.
-- Rows only, no statement that makes a table; values longer than 4 KB left out; nobody's secrets.

COPY public.internal_kms (id, "encryptedKey", "encryptionAlgorithm", version, "kmsKeyId") FROM stdin;
\.

COPY public.kms_root_config (id, "encryptedRootKey") FROM stdin;
00000000-0000-0000-0000-000000000000	\\x6bece8e57bcf894ffafe90bde869f5a919e6282864c7c22f8bd495c6428815c0d96adc05d94a06d67441cca388ac49e6cd40ef4efb15cef38f8c12ce
\.

COPY public.org_bots (id, name, "publicKey", "encryptedSymmetricKey", "symmetricKeyIV", "symmetricKeyTag", "symmetricKeyAlgorithm", "symmetricKeyKeyEncoding", "encryptedPrivateKey", "privateKeyIV", "privateKeyTag", "privateKeyAlgorithm", "privateKeyKeyEncoding", "orgId", "createdAt", "updatedAt") FROM stdin;
a1b8e601-20d0-4818-b3de-1cb99f7189ba	Admin Org	2BeGzI0WlytAVaVi/M4ddqdUwpkAHWIldsWFkVbZowI=	gq2eJatAC0J0mcR4a1o2XxJmwXbcHvG1cfNW1h6ddYdBEPzhaBoV0FA4L5U=	1DkTNTE1WFwV4NQv1cs1rA==	uM6RU7lkhsyPMFRiSeLiSw==	aes-256-gcm	utf8	uJUHzcuP+5PFajvjG9gqLLNAS8F4/VuOsIBIlRKNTanVh0tscqQJJJQ+p2U=	ZcHJbvmglAx6FGwOzGI3cQ==	mcJJ2y6dnsQhnCaIgJVeoA==	aes-256-gcm	utf8	99957248-b215-4670-aa7b-80ef3aba8f4a	2026-11-24 13:41:36.023235+00	2026-11-24 13:41:36.023235+00
\.

COPY public.organizations (id, name, "customerId", slug, "createdAt", "updatedAt", "authEnforced", "scimEnabled", "kmsDefaultKeyId") FROM stdin;
99957248-b215-4670-aa7b-80ef3aba8f4a	Admin Org	\N	admin-org-ubw1	2026-11-24 13:41:36.023235+00	2026-11-24 13:41:36.023235+00	f	f	\N
\.

COPY public.project_bots (id, name, "isActive", "encryptedPrivateKey", "publicKey", iv, tag, algorithm, "keyEncoding", "encryptedProjectKey", "encryptedProjectKeyNonce", "projectId", "senderId", "createdAt", "updatedAt") FROM stdin;
7684ee61-c92f-4ae3-890f-94d0f52463e1	Infisical Bot (Ghost)	t	ZRq46GIYD1nRAFW1/gGpud96jZTiN2LoVJmop5sAGyodwDqtZBi4DMqZdac=	gVRyJR9EOizsMDgwU2bSu6MRGrIRZOE9EOlxxiF5b2g=	WlUi2n8RcZenW3Ei2x4NHg==	SGhXNsa9De9UFLoGtKiKhA==	aes-256-gcm	utf8	1e0AvIa5295ViNG9MSA5Ff1sNqugyAZDS7jonFLYPAeQdK4WofiMb4/FoOgFUwNP	PXKOqAzcM31ALo2Lz/9c3PmYk/KbgngD	77ce0a1c-6ee1-4751-85da-260520fb1fa6	2fb95105-23a3-4ec4-a727-cf5aeb0a4291	2026-11-24 13:41:36.057254+00	2026-11-24 13:41:36.057254+00
\.

COPY public.project_environments (id, name, slug, "position", "projectId", "createdAt", "updatedAt") FROM stdin;
f5c5a31f-6f3d-4807-ac22-1c46f1e972d2	Development	dev	1	77ce0a1c-6ee1-4751-85da-260520fb1fa6	2026-11-24 13:41:36.057254+00	2026-11-24 13:41:36.057254+00
8beb6032-4b7f-4d72-b4d6-fcd41abdeba6	Staging	staging	2	77ce0a1c-6ee1-4751-85da-260520fb1fa6	2026-11-24 13:41:36.057254+00	2026-11-24 13:41:36.057254+00
663d9a99-2e20-4f6e-9e21-40d1dfd42a91	Production	prod	3	77ce0a1c-6ee1-4751-85da-260520fb1fa6	2026-11-24 13:41:36.057254+00	2026-11-24 13:41:36.057254+00
\.

COPY public.projects (id, name, slug, "autoCapitalization", "orgId", "createdAt", "updatedAt", version, "upgradeStatus", "pitVersionLimit", "kmsCertificateKeyId", "auditLogsRetentionDays", "kmsSecretManagerKeyId") FROM stdin;
77ce0a1c-6ee1-4751-85da-260520fb1fa6	drill	drill-7ot-w	t	99957248-b215-4670-aa7b-80ef3aba8f4a	2026-11-24 13:41:36.057254+00	2026-11-24 13:41:36.057254+00	2	\N	10	\N	\N	\N
\.

COPY public.secret_blind_indexes (id, "encryptedSaltCipherText", "saltIV", "saltTag", algorithm, "keyEncoding", "projectId", "createdAt", "updatedAt") FROM stdin;
2c006f03-bd53-4373-9c89-4ed40c41e98b	UDpVCcpmxD2eJPE9RvK8l4J/9jcz1EBH	/pTukHzEzn6JzqVCAagOSA==	xwWffiBAIUPCjvGBrS1VIg==	aes-256-gcm	utf8	77ce0a1c-6ee1-4751-85da-260520fb1fa6	2026-11-24 13:41:36.057254+00	2026-11-24 13:41:36.057254+00
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

COPY public.user_encryption_keys (id, "clientPublicKey", "serverPrivateKey", "encryptionVersion", "protectedKey", "protectedKeyIV", "protectedKeyTag", "publicKey", "encryptedPrivateKey", iv, tag, salt, verifier, "userId", "hashedPassword", "serverEncryptedPrivateKey", "serverEncryptedPrivateKeyIV", "serverEncryptedPrivateKeyTag", "serverEncryptedPrivateKeyEncoding") FROM stdin;
98275856-7761-43a0-9fb5-b37ebe6cc81f	\N	\N	2	PLw4AqzKau6/HxYQaNXGUlXMbk2+VFob0/lfN3hzuZ8u6WhLEP4LW6COq8WidD6a769B8hTSs+7g9a41U3/uTw==	3WkDZssB8DPPFxOT	DOhOqFPnuHXOhWU2AF33vA==	zFVP62IzJ3OTCU5vj+cAvPEbbH/IElifv+EC0L4Nr1E=	Ieb8ki6VIpT5qGkghz5ZgZP/hMl9DgvBEKkzC6IzP4mYWPNOzLEFyyJnnVs=	jm2U6Ezqfv0Noava	CyMCyjYWuVJksA4MocPldQ==	f87aa39ebe62e56eca445374b1216ef7ecb88f9c49d78490678bf3539b263c51	753068b1e3f18f209a2b906da0689716ad728b3da3e18517e899191573d34dee68b881d7f504f85d6fbf4b70bb1cda6b080fae67c80c22b1863186ca2f08856ff683c3e2d19e05c162985c639c55c4f830df0a603d16a3aa73d5e26c154477c5f77a33c3c7939eac3e593d35a2957aab4d355fd6edc8dcc63cf3e0bc563d48af9ead14a4cb559da18f8cbfd5f040ac68447636f363347ee93e3ce1dbe4782771a514ae37fef6ac8fd18828003522dd337f2e7ca4b0239f57e788c8279a74e26809e84e2b09678ac48e9f1802d0c82988efec1862e560aa2257f80579ec59f04ecb23f4b10a1b3a0647a243bee2fb0e347d3d38e2f01bb05389cd8adba8289c570c32b95ae485d0f6da2677e2b81a3340553c3e896d0cf8241bd3d1c43a74df05912ba43480201d27c1e8d21b63856359019dff19ac8203d9ce2edae00cf94077038ae7da987e542a3a86db1b7a8a95e9f5a97419330b0d0b68dfc1d98404aae8dcb0986f643db41cf83f6a80dc42eef8eafbe783aab8af9259892b0b5eb8980627ea4eaf83d84b4931eccff42c22509d3db6bedf0b0c1ce749ee392cee7bb27b1e3dd842d08877e489dff6ebf888876ea0f0ffa1caba081de0656b9108c602cd14babd37f8067cfa5a3cee012fb0ccb25e07c30f16c8e6b83ccecd0c4341f9cff93a30ecef0901e587c401a99d69698a6e9159275d91102d4bad4380cc9fa227	19bac685-51e6-45ca-a113-220bec48a3eb	$2b$12$XC8u2KAtXEPr1Jrm.dMiSulLoDwG47H5CFKW.x3oVyE80Y9P6JvqK	7XM5UwZI23+NJalviMw5h+be4UrGMH0xqeiaA7CFj6+MdjFjIE9NXHGDQtU=	57ODz/W8JYTGNqycn4IxpQ==	hRiFxBaBEt+ZI75ptXzSFQ==	utf8
fddf1011-3c2e-49bb-9c27-540ec930b606	\N	\N	2	mHQmKMIYmO1Mx9m+8GzCkoxpHO8DCIhd1sKYurndMf06sP3fCc5xQZhgcWLmxWDUuq0RhzXjkt7B8cue2FY9OQ==	CiZJ1cmtaRSZ0/xi	MPWyH/+2dIcIa5ssJA3jcw==	gVRyJR9EOizsMDgwU2bSu6MRGrIRZOE9EOlxxiF5b2g=	R2+GkglxjXNpqjgyW2pKifz/PZfYg7rT7ctj4KhTfgqRYbloCb26d7fS11Q=	sspJYyww3l+NTiyk	HoWybvpeNUecyCbOObWdPg==	05459f97a29aa8a9a922ca702b798b06acd072238fdeab237bea37cd6ac7e25d	6514135f97841ef71a09ecf03544dfc06fcf295079f9d4958f231fbc955fe4fb3d8e46016f2067ca437267bd9a487cf76e86c3d8d6db39710f47d057e4f21b0ac63fbe57f9729d0a9e3e0e04ad04f1722acb6ff8708b89ebe07ea7d80536b727bf35fe177c96c5263a007362a2c509a1c74f1dc779cd4034d2df4fe99cc88117bb04e885459cc9ee5368269392c96c4600d81ce396030492218090139c9c0a7faf600f9ff96f34085e3a70798d19575c1fbf57e3dc5d6915efbde597fa0ae6f07accbfedae6dc3f209f0c2d57f51fbe3a5fda39c628497fd7fc62220f448c72e4a89803f41dd07a8edd7433b4f55b5356ac75dee812c24a8bcd562544a5e7bd73e6a1831bda731e22d7a5416992ecd6c2d80386f43ca2d65b07eacc3121b5d49e7c423531d4cda078ba8b0a413a2a8e4cdca665508f0179244b445f604cdb4dc6bb93ea1bcec243e7a90ad55cbc79970cdf54254e4a8175cc9fd719b30fb507fdda1402273f1d9c0d41ed122b1b6bf4d4d278b4c8beac2e2ea589a944f97709e62d9deade1998eda1ffa40b6df24472743e54fe3da280690c25f3098bad877863f4ab8b72c5b7abfdef1c30f5fa3858ab6095deedd23a1e23a980986fce2204ff7e7bed40feeb8d261285ee79ef1f22cb3bc42921449e5563af4e60f60d9d99c53437d05eb9aca9b0c985d5a9f12d3704909bdb8352417d429f5bdcf45e196b2	2fb95105-23a3-4ec4-a727-cf5aeb0a4291	\N	\N	\N	\N	\N
\.
