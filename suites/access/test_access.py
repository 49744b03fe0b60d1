"""Every route refuses callers without a right to it, and tokens and credentials expire."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pytest

from drillbook.infisical.client import DAY_S, Place
from drillbook.infisical.http import Answered
from fixtures.faults import temporary_faults
from fixtures.oracle import credentials
from fixtures.oracle.access import SECRET_NAMES, Caller
from fixtures.probes import observations

pytestmark = pytest.mark.control("SEC-8")


def test_no_route_accepts_an_invalid_token(deployment, stranger, asked, record, observe, step):
    golden, public = deployment.golden, deployment.public
    own = deployment.owner.create_project("Project of both")
    with step("use the tokens of two machines; revoke one token, delete the other machine"):
        revoked, deleted = stranger("revoked", own), stranger("deleted", own)
        tokens = {machine: public.login(machine) for machine in (revoked, deleted)}
        for token in tokens.values():
            public.as_bearer(token).secrets(Place(own, "dev"))
        ended = [Caller("the token of a deleted machine", tokens[deleted])]
        if credentials.revoke_token(public, tokens[revoked]):
            ended.append(Caller("a revoked token", tokens[revoked]))
        credentials.delete_identity(deployment.owner, deleted.identity)

    forged = credentials.forge_tokens(golden.token, deployment.golden_settings["AUTH_SECRET"])
    for caller in (Caller("nobody", None), *forged, *ended):
        with step(f"request the routes with {caller.name}; each refuses"):
            assert asked.find_open_routes(caller) == []
    record.note(str(asked))
    if asked.source.startswith("a list"):
        observe("routes_undescribed")

    with step("the instance still serves those who have access"):
        assert deployment.accepts(golden.token)
        assert deployment.inventory().values
    asked.check_unlisted_routes()


def test_nothing_else_lets_in(deployment, stranger, step):
    with step("no other form of alg none is accepted, and no other key of the settings signs"):
        odd = credentials.forge_oddly(deployment.golden.token, deployment.golden_settings)
        assert [caller.name for caller in odd if deployment.accepts(str(caller.token))] == []

    with step(
        "create two machines; the client id of one with the secret of the other is refused, and so "
        "is a secret with another end, and an empty one"
    ):
        altered = credentials.altered_credentials(stranger("first"), stranger("second"))
        assert not any(credentials.can_log_in(deployment.public, machine) for machine in altered)

    with step("the instance cannot be set up a second time"):
        again = credentials.can_set_up_again(deployment.public)
        assert not again


def test_no_route_serves_a_project_to_outsiders(deployment, stranger, asked, record, step):
    golden, owner = deployment.golden, deployment.owner
    own = owner.create_project("Project of elsewhere")
    with step("create a machine of another project, and one without and one with read access"):
        machines = {
            "a machine of another project": stranger("elsewhere", own),
            "a member without access": stranger("no access", golden.project, "no-access"),
            "a member who may read": stranger("reader", golden.project, "viewer"),
        }
        for machine in list(machines.values())[1:]:
            owner.add_member(own, machine.identity, "admin")
        outsider, member, reader = (
            Caller(name, owner.login(machine)) for name, machine in machines.items()
        )
        # The first request about a project creates its keys, whoever sends it.
        owner.write(Place(own, "prod"), {"OWN": "value"})

    with step(
        "no route shows the first anything of the golden project, or lets it change anything, also "
        "when it names its own project as well"
    ):
        assert asked.find_disclosures(outsider, (*SECRET_NAMES, "payroll"), own) == []

    # The product lets members of any role list the folders of a project.
    with step("no route shows the second a secret, or lets it change anything"):
        assert asked.find_disclosures(member, SECRET_NAMES) == []

    with step("no route lets the third change anything, and it reads"):
        assert asked.find_disclosures(reader, ()) == []
        assert deployment.public.as_bearer(reader.token).secrets(golden.place("prod"))
    record.note(str(asked))


def test_no_member_makes_itself_an_administrator(deployment, stranger, step):
    project = deployment.golden.project
    with step("create a member who may write; it does not make itself an administrator"):
        writer = stranger("writer", project, "member")
        client = deployment.public.as_bearer(deployment.owner.login(writer))
        promoted = False
        # The release of July 2024 refuses it with a server error.
        with suppress(Answered):
            client.change_roles(project, writer.identity, "admin")
            promoted = True
        assert not promoted


def test_no_ended_token_is_renewed(deployment, observe, step):
    owner, public = deployment.owner, deployment.public
    organization = deployment.golden.admin.organization
    with step("log a machine in whose tokens may be renewed, and forge tokens from its token"):
        token = credentials.renewable_token(owner, public, organization)
        forged = credentials.forge_tokens(token, deployment.golden_settings["AUTH_SECRET"])

    with step("renew each; that is refused"):
        renewed = [
            caller.name for caller in forged if credentials.renew_token(public, str(caller.token))
        ]
        assert renewed == []

    with step("renew the token itself, revoke it, and renew it again; that is refused"):
        latest = credentials.renew_token(public, token) or token
        ended = credentials.revoke_token(public, latest)
        assert not (ended and credentials.renew_token(public, latest))

    with step("revoke a token that was renewed before; the renewed one is not renewed again"):
        first = credentials.renewable_token(owner, public, organization)
        latest = credentials.renew_token(public, first) or first
        ended = credentials.revoke_token(public, first)
        assert not (ended and credentials.renew_token(public, latest))

    with step(
        "delete a machine; it cannot log in, and within a minute its token opens nothing, even if "
        "it can be renewed"
    ):
        place = Place(owner.create_project("Project of a deleted machine"), "dev")
        machine = owner.create_identity(organization, "deleted", accessTokenTTL=3600)
        owner.add_member(place.project, machine.identity, "viewer")
        token = public.login(machine)
        public.as_bearer(token).secrets(place)
        credentials.delete_identity(owner, machine.identity)
        assert not credentials.can_log_in(public, machine)
        if renewed := credentials.renew_token(public, token):
            observe("deleted_machine_renews")
        api = public.as_bearer(renewed or token)
        assert credentials.time_to_refusal(lambda: api.secrets(place)) is not None


def test_lost_rights_end(deployment, stranger, record, observe, step):
    owner = deployment.owner
    place = Place(owner.create_project("Project of a leaver"), "prod")
    with step("create a machine that administers a project; it writes there, and reads"):
        leaver = stranger("leaver", place.project)
        member = deployment.public.as_bearer(owner.login(leaver))
        member.write(place, {"KEPT": "first"})
        assert member.secrets(place)

    with step("let it only read; within a minute it no longer writes, and reads"):
        owner.change_roles(place.project, leaver.identity, "viewer")
        writing_s = credentials.time_to_refusal(lambda: member.update(place, "KEPT", "second"))
        assert writing_s is not None
        assert member.secrets(place)

    with step("remove it; within a minute it no longer reads"):
        owner.remove_member(place.project, leaver.identity)
        reading_s = credentials.time_to_refusal(lambda: member.secrets(place))
        assert reading_s is not None
    if max(writing_s, reading_s) > credentials.LINGERING_S:
        observe("lost_rights_linger")
    record.note(f"lost rights ended after {writing_s:.1f} s (writing), {reading_s:.1f} s (reading)")


def test_expired_access_is_refused(deployment, step):
    golden, owner, public = deployment.golden, deployment.owner, deployment.public
    log_in_briefly = partial(credentials.log_in_briefly, owner, public, golden)
    with step("create a machine whose tokens last for seconds; its token is accepted"):
        (machine, token), good, lives_s = credentials.make_brief(
            log_in_briefly, lambda made: deployment.accepts(made[1])
        )
        assert good

    with step("give it a client secret that lasts a few seconds; it is accepted"):
        brief, good, secret_lives_s = credentials.make_brief(
            lambda seconds: owner.create_client_secret(machine, ttl=seconds)[0],
            lambda made: credentials.can_log_in(public, made),
        )
        assert good

    with step(
        "give it one for a single log-in, and revoke another that was used: they are accepted "
        "once, and never; one for two log-ins is accepted twice"
    ):
        once, twice = (owner.create_client_secret(machine, numUsesLimit=n)[0] for n in (1, 2))
        revoked, number = owner.create_client_secret(machine)
        assert credentials.can_log_in(public, revoked)
        owner.revoke_client_secret(revoked, number)
        tried = (once, revoked, once, twice, twice, twice)
        let = [credentials.can_log_in(public, one) for one in tried]
        assert let == [True, False, False, True, True, False]

    with step("when the time is over, token and secret are refused"):
        lives = {
            "the token": (lambda: deployment.accepts(token), lives_s),
            "the client secret": (lambda: credentials.can_log_in(public, brief), secret_lives_s),
        }
        # At once, so that neither is idle while the other is waited for.
        with ThreadPoolExecutor(len(lives)) as clients:
            still = clients.map(lambda one: observations.outlives(*one), lives.values())
            assert [name for name, one in zip(lives, still, strict=True) if one] == []


def test_used_up_token_is_refused(deployment, step):
    golden, owner, public = deployment.golden, deployment.owner, deployment.public

    def is_served(token):
        return credentials.is_allowed(lambda: public.as_bearer(token).secrets(golden.place("prod")))

    with step("create a machine whose tokens are for three requests; the first is served"):
        identity = owner.create_identity(
            golden.admin.organization, "asks little", accessTokenTTL=3600, accessTokenNumUsesLimit=3
        )
        owner.add_member(golden.project, identity.identity, "viewer")
        token = public.login(identity)
        assert is_served(token)

    # A release may take one request for several uses, but not several for one.
    with step("renew the token, and use it: the fourth is refused, and so is another renewal"):
        token = credentials.renew_token(public, token) or token
        assert not [is_served(token) for _ in range(3)][-1]
        assert credentials.renew_token(public, token) is None

    with step("date a client secret for sixty days back, by 59 days and then 2: only then refused"):
        aged, number = owner.create_client_secret(golden.machine, ttl=60 * DAY_S)
        deployment.date_back(number, days=59)
        assert credentials.can_log_in(public, aged)
        deployment.date_back(number, days=2)
        assert not credentials.can_log_in(public, aged)


def test_renewed_token_expires(deployment, step):
    golden, owner, public = deployment.golden, deployment.owner, deployment.public

    def log_in_and_renew(seconds):
        _, token = credentials.log_in_briefly(owner, public, golden, seconds)
        return token, credentials.renew_token(public, token)

    with step("renew a token that lasts for seconds, if this release does; it is accepted"):
        (token, renewed), good, lives_s = credentials.make_brief(
            log_in_and_renew, lambda made: deployment.accepts(made[1] or made[0])
        )
        assert good

    with step("when its new time is over, it is refused, and cannot be renewed"):
        assert not observations.outlives(lambda: deployment.accepts(renewed or token), lives_s)
        assert credentials.renew_token(public, renewed or token) is None

    with step("log the administrator out, or revoke its token if it is a machine: it is refused"):
        assert not credentials.outlives_its_end(owner)


def test_restart_keeps_tokens_and_revocations(deployment, step):
    # New tokens, because those of the golden state were not issued by this backend process.
    with step("log a machine in twice, and revoke one of its tokens"):
        token, revoked = (deployment.public.login(deployment.golden.machine) for _ in range(2))
        assert deployment.accepts(token)
        ended = credentials.revoke_token(deployment.public, revoked)

    with step(
        "restart: the other is still accepted, and the revoked one is not, nor is it renewed"
    ):
        assert deployment.restart().serves
        assert deployment.accepts(token)
        assert not (ended and deployment.accepts(revoked))
        assert not (ended and credentials.renew_token(deployment.public, revoked))

    with step("empty the cache: that is still so"):
        temporary_faults.command(deployment.stack, "FLUSHALL")
        assert deployment.accepts(token)
        assert not (ended and deployment.accepts(revoked))
        assert not (ended and credentials.renew_token(deployment.public, revoked))


def test_restart_keeps_credentials(deployment, step):
    with step("make other client secrets for a machine, which no one uses; use a token up"):
        create = partial(deployment.owner.create_client_secret, deployment.golden.machine)
        unused, limited = create()[0], create(ttl=DAY_S, numUsesLimit=2)[0]
        used_up = credentials.used_up_token(deployment.owner, deployment.public, deployment.golden)

    with step("restart; the client secret that no one had used lets in, also one with limits"):
        assert deployment.restart().serves
        assert credentials.can_log_in(deployment.public, unused)
        assert credentials.can_log_in(deployment.public, limited)

    with step("every credential that was revoked, has expired or is used up is refused"):
        assert not deployment.accepts(used_up)
        taken = [
            f"a credential that is {name}"
            for name, machine in deployment.dead_credentials.items()
            if credentials.can_log_in(deployment.public, machine)
        ]
        assert taken == []
