"""Attacks that a hostile backup may contain; one that works creates the file {mark}."""

HEAD = "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n"
TABLE = "CREATE TABLE public.t (a text);\n"
FIRST = HEAD.count("\n") + TABLE.count("\n") + 1

# Commands of psql; each begins on line FIRST and writes the file {mark}.
COMMANDS = {
    "shell": r"\! touch {mark}",
    "shell after sql": r"SELECT 1; \! touch {mark}",
    "shell after a string": "SELECT 'it''s \\'; \\! touch {mark}",
    "shell after an escaped string": r"SELECT E'it\'s'; \! touch {mark}",
    "shell after a comment": r"SELECT /* ' /* $$ */ */ 1; \! touch {mark}",
    "shell after a body": r"SELECT $a$ ' $$ \! $a$; \! touch {mark}",
    "copy from a program": r"\copy public.t from program 'touch {mark}'",
    "output into a program": "\\o |touch {mark}\nSELECT 1;",
    "query into a program": r"SELECT 1 \g |touch {mark}",
    "write into a file": "SELECT 1\n\\g {mark}",
    "buffer into a file": r"SELECT 1 \w {mark}",
    "result as commands": "SELECT 'touch {mark}'\n\\g (tuples_only=on format=unaligned) |sh",
    "back-ticks": r"\set x `touch {mark}`",
    "after the data": "COPY public.t (a) FROM stdin;\nrow\n\\.\n\\! touch {mark}",
}
# Statements that make the server write the file; IN_DISGUISE uses only words of usual dumps.
STATEMENTS = {
    "copy from a program": "COPY public.t FROM PROGRAM 'touch {mark}';",
    "copy to a program": "COPY (SELECT 1) TO PROGRAM 'touch {mark}';",
    "copy to a file": "COPY (SELECT 1) TO '{mark}';",
    "copy in disguise": "copy/**/public.t\n from -- x\n Program 'touch {mark}';",
    "large object": "SELECT lo_create(4711);\nSELECT lo_export(4711, '{mark}');",
    "anonymous block": "DO $$ BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch {mark}'''; END $$;",
}
_BODY = "$$ BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch {mark}'''; RETURN NEW; END $$"
_FUNCTION = f"CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS {_BODY};\n"
_CALLED = _FUNCTION.replace("trigger", "text").replace("RETURN NEW", "RETURN ''")
IN_DISGUISE = {
    "trigger": _FUNCTION
    + "CREATE TRIGGER g BEFORE INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION public.f();\n"
    + "COPY public.t (a) FROM stdin;\nrow\n\\.\n",
    "default": _CALLED
    + "ALTER TABLE public.t ADD b text DEFAULT public.f();\n"
    + "COPY public.t (a) FROM stdin;\nrow\n\\.\n",
    "view": _CALLED + "CREATE MATERIALIZED VIEW public.v AS SELECT public.f();\n",
    "insert": _CALLED + "INSERT INTO public.t VALUES (public.f());\n",
}
# Forbidden statements that write no file.
OTHERS = {
    "role": "CREATE ROLE friend SUPERUSER LOGIN;",
    "power": "ALTER ROLE infisical SUPERUSER;",
    "password": "ALTER USER infisical PASSWORD 'mine';",
    "server settings": "ALTER SYSTEM SET archive_command = 'true';",
    "another database": "CREATE DATABASE other;",
    "foreign server": "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;",
    "subscription": "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1' PUBLICATION p;",
    "changed subscription": "ALTER SUBSCRIPTION s ENABLE;",
    "dblink": "CREATE EXTENSION dblink;",
    "file wrapper": "CREATE EXTENSION IF NOT EXISTS file_fdw WITH SCHEMA public;",
    "extension in a schema of a trusted name": "CREATE EXTENSION dblink SCHEMA citext;",
    "extension in a schema of a watching name": "CREATE EXTENSION dblink SCHEMA pgaudit;",
    "scheduler": "CREATE EXTENSION pg_cron;",
    "untrusted language": "CREATE EXTENSION plpython3u;",
    "function in C": "CREATE FUNCTION f(text) RETURNS int AS 'libc.so.6', 'system' LANGUAGE c;",
    "internal function": "CREATE FUNCTION f() RETURNS int AS 'pg_backend_pid' LANGUAGE internal;",
    "language in quotes": "CREATE FUNCTION f() RETURNS int AS '' LANGUAGE 'c';",
    "event trigger": "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f();",
    "library": "LOAD 'adminpack';",
    "meaning of quotes": "SET standard_conforming_strings = off;",
    "any setting": "SET session_preload_libraries = 'x';",
    "call": "SELECT pg_read_file('PG_VERSION');",
    "two at once": "SET client_encoding = 'UTF8'; CREATE ROLE friend;",
    "connect": "\\connect postgres",
    "environment": "\\setenv PATH here",
    "include": "\\i other.sql",
}
