"""Every route refuses callers without a right to it, and tokens and credentials expire."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest

from drillbook.infisical import mails
from drillbook.infisical.client import DAY_S, Place
from drillbook.stack.waiting import wait_until
from fixtures.data.golden import MARKER, TAG
from fixtures.faults import temporary_faults
from fixtures.oracle import access, credentials, scope
from fixtures.oracle.access import Caller
from fixtures.probes import observations

pytestmark = pytest.mark.control("SEC-8")

# Names of secrets of the golden project.
NAMES = ("YEAR_2019", "IBAN")
REQUESTED = {"the name of the secret": MARKER}


def test_no_route_accepts_an_invalid_token(deployment, stranger, asked, record, observe, step):
    golden = deployment.golden
    own = deployment.owner.create_project("Project of both")
    with step(
        "create two machines; the client id of one with the secret of the other is refused, and so "
        "is a secret with another end, and an empty one"
    ):
        revoked, deleted = stranger("revoked", own), stranger("deleted", own)
        altered = credentials.altered_credentials(revoked, deleted)
        assert not any(credentials.can_log_in(deployment.public, one) for one in altered)

    with step("use the token of each; revoke one token, delete the other machine"):
        tokens = {one: deployment.public.login(one) for one in (revoked, deleted)}
        for token in tokens.values():
            deployment.public.as_bearer(token).secrets(Place(own, "dev"))
        ended = [Caller("the token of a deleted machine", tokens[deleted])]
        if credentials.revoke_token(deployment.public, tokens[revoked]):
            ended.append(Caller("a revoked token", tokens[revoked]))
        credentials.delete_identity(deployment.owner, deleted.identity)

    signed = golden.token, deployment.golden_settings["AUTH_SECRET"]
    forged = credentials.forge_tokens(*signed)
    for caller in (*forged, *ended):
        with step(f"request the routes with {caller.name}; each refuses"):
            assert [str(one) for one in asked.find_open_routes(caller)] == []
    record.note(str(asked))
    if asked.source.startswith("a list"):
        observe("routes_undescribed")

    with step("the instance still serves those who have access"):
        assert deployment.accepts(golden.token)
        assert deployment.inventory().values

    asked.check_unlisted_routes()
    # Noted only: a release may look at the date.
    with step("it accepts a token from before its clock was put back"):
        if not deployment.accepts(credentials.dated_ahead(*signed)):
            observe("token_dated_ahead_refused")


def test_no_ended_token_is_renewed(deployment, observe, step):
    owner, public = deployment.owner, deployment.public
    organization = deployment.golden.admin.organization
    with step("log a machine in whose tokens may be renewed, and forge tokens from its token"):
        token = credentials.renewable_token(owner, public, organization)
        forged = credentials.forge_tokens(token, deployment.golden_settings["AUTH_SECRET"])

    with step("renew each; that is refused"):
        sent = {one.name: one.token for one in forged if one.token}
        assert [name for name, one in sent.items() if credentials.renew_token(public, one)] == []

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


def test_no_other_way_leads_in(deployment, stranger, asked, step):
    with step("request secrets by undescribed methods and paths, without a token; each is refused"):
        assert [str(one) for one in asked.find_guard_bypasses(NAMES)] == []

    with step("read as a machine that may only read; headers name a method that writes, in vain"):
        reader = stranger("reader by another name", deployment.golden.project, "viewer")
        caller = Caller("a member who may read", deployment.owner.login(reader))
        assert asked.change_by_reading(caller) == ""

    with step("no answer may be read by a page of another site with the cookies of its visitor"):
        assert [str(one) for one in asked.find_foreign_sites()] == []

    with step("no other key of the settings signs a token, nor does an empty one"):
        settings = deployment.golden_settings
        signed = credentials.signed_otherwise(deployment.golden.token, settings)
        assert [name for name, token in signed.items() if deployment.accepts(token)] == []

    with step("the instance cannot be set up a second time"):
        again = credentials.can_set_up_again(deployment.public)
        assert not again


def test_no_route_serves_a_project_to_outsiders(deployment, stranger, asked, record, step):
    golden, owner = deployment.golden, deployment.owner
    with step(
        "create three machines that administer another project; in the golden one the first has no "
        "role, the second no access, the third read access only"
    ):
        own = owner.create_project("Project of elsewhere")
        machines = {
            "a machine of another project": stranger("elsewhere", own),
            "a member without access": stranger("no access", golden.project, "no-access"),
            "a member who may read": stranger("reader", golden.project, "viewer"),
        }
        for machine in list(machines.values())[1:]:
            owner.add_member(own, machine.identity, "admin")
        tokens = {name: owner.login(one) for name, one in machines.items()}
    names = {f"the name {one}": one for one in NAMES}
    folders = {"the name payroll": "payroll"}
    ids = {"the project's id": golden.project, "a machine's id": golden.machine.identity}
    ids["the id of a client secret"] = asked.ids["clientSecretId"]

    with step(
        "no route shows the first anything of the golden project, or lets it change anything"
    ):
        outsider, member, reader = (Caller(name, token) for name, token in tokens.items())
        found = asked.find_disclosures(outsider, {**names, **folders}, {**ids, **REQUESTED})
        assert [str(one) for one in found] == []

    with step("nor does one when it also names its own project"):
        found = asked.find_cross_project(outsider, own, [*NAMES, "payroll"], MARKER)
        assert [str(one) for one in found] == []

    # The product lets members of any role list the folders of a project.
    with step("no route shows the second a secret, or lets it change anything"):
        assert [str(one) for one in asked.find_disclosures(member, names, REQUESTED)] == []

    with step("no route lets the third change anything"):
        newcomer = machines["a machine of another project"]
        assert "\n".join(map(str, asked.find_disclosures(reader, {}, {}, newcomer))) == ""
        assert deployment.public.as_bearer(reader.token).secrets(golden.place("prod"))
    record.note(str(asked))


def test_no_answer_is_anothers(deployment, stranger, asked, observe, step):
    golden, owner = deployment.golden, deployment.owner
    with step("create a machine of another project; no route about that shows the golden one"):
        # Names like those of the golden ones, which need not be unique.
        own = owner.create_project("Ledger")
        machine = stranger("ledger-service", own)
        outsider = Caller("a machine of another project", owner.login(machine))
        found = asked.find_foreign_data(outsider, own, [*NAMES, "payroll", TAG, golden.project])
        assert [str(one) for one in found] == []

    with step("nor does one that is asked about both in one parameter"):
        assert [
            str(one) for one in asked.find_named_twice(outsider, own, [*NAMES, "payroll"])
        ] == []

    with step("nor does one, asked about its own project, change a member of the golden one"):
        assert [str(one) for one in asked.find_changed_members(outsider, own)] == []

    with step("none of its requests is answered as one that the golden machine makes meanwhile"):
        insider = Caller("the golden machine", golden.token)
        assert [str(one) for one in asked.find_mixed_answers(outsider, insider)] == []

    with step(
        "nor is the next request on a connection of the golden machine, by it or without a token"
    ):
        others = outsider, Caller("nobody", None)
        assert [str(one) for one in asked.find_inherited_access(insider, others)] == []

    with step("log it and the golden machine in at the same time; each gets its own token"):
        both = machine, golden.machine
        assert credentials.find_swapped_tokens(deployment.public, both) == []

    # Noted only: releases up to July 2026 check the number and count the use afterwards.
    with step("use a client secret for a single log-in several times at the same moment"):
        once, _ = owner.create_client_secret(machine, numUsesLimit=1)
        if credentials.log_ins_at_once(deployment.public, once) > 1:
            observe("used_beyond_its_limit")


def test_no_reference_leads_to_another_project(deployment, stranger, step):
    with step(
        "in another project, refer to secrets of the golden one and import folders; none is shown"
    ):
        own = deployment.owner.create_project("Project of a borrower")
        borrower = deployment.owner.login(stranger("borrower", own))
        api = deployment.public.as_bearer(borrower)
        assert access.find_borrowed_secrets(api, Place(own, "dev"), deployment.golden) == []


def test_a_right_for_one_folder_ends_there(deployment, stranger, record, step):
    owner = deployment.owner
    with step("let a machine without access read and change the secrets of one folder of several"):
        folder, around = scope.make_folders(owner, owner.create_project("Project of rooms"))
        machine = stranger("of one room", folder.project, "no-access")
        granted = scope.grant(owner, machine, folder)
        api = deployment.public.as_bearer(deployment.public.login(machine))
        granted = granted and scope.is_read(api, folder)

    if not granted:
        record.note("this release lets no machine read one folder alone")
        return
    with step("it reads and changes nothing elsewhere, nor what others bring from there"):
        assert scope.find_beyond(owner, api, folder, around) == []


def test_no_member_makes_administrators(deployment, stranger, step):
    project = deployment.owner.create_project("Project of ambition")
    with step("create a machine that may read a project, one that may write, and one elsewhere"):
        reader, writer = (stranger(role, project, role) for role in ("viewer", "member"))
        newcomer = stranger("of another project")

    with step("the first gives itself, and the last, each higher role; that is refused"):
        api = deployment.public.as_bearer(deployment.public.login(reader))
        assert access.find_grants(api, project, ("member", "admin"), reader, newcomer) == []

    with step("the second makes itself, and the last, an administrator; that is refused"):
        api = deployment.public.as_bearer(deployment.public.login(writer))
        assert access.find_grants(api, project, ("admin",), writer, newcomer) == []


def test_no_member_of_the_organization_administers_it(deployment, step):
    golden, owner = deployment.golden, deployment.owner
    organization = golden.admin.organization
    with step("create a machine that is a member of the organization and of no project"):
        machine = owner.create_identity(organization, "employee", "member")
        api = deployment.public.as_bearer(deployment.public.login(machine))
        chief = {"name": "chief", "organizationId": organization, "role": "admin"}

    with step("it reads no project, changes no setting, and makes no administrator"):
        asked = {
            "read": lambda: api.secrets(golden.place("prod")),
            "change a setting": lambda: api.change_settings({"allowSignUp": True}),
            "make an administrator": lambda: api.http.call(
                "POST", "/api/v1/identities", json=chief
            ),
        }
        assert [name for name, ask in asked.items() if credentials.is_allowed(ask)] == []


def test_lost_rights_end(deployment, stranger, record, observe, step):
    owner = deployment.owner
    own, other = (owner.create_project(f"{one} project of a leaver") for one in ("First", "Second"))
    place, elsewhere = Place(own, "prod"), Place(other, "prod")
    with step("create a machine that administers two projects; it writes in both, and reads"):
        leaver = stranger("leaver", own)
        owner.add_member(other, leaver.identity, "admin")
        member = deployment.public.as_bearer(owner.login(leaver))
        for one in (place, elsewhere):
            member.write(one, {"KEPT": "first"})
        assert member.secrets(place)

    with step("let it only read the first; within a minute it no longer writes there, and reads"):
        owner.change_roles(own, leaver.identity, "viewer")
        writing_s = credentials.time_to_refusal(lambda: member.update(place, "KEPT", "second"))
        assert writing_s is not None
        assert member.secrets(place)

    with step("it still writes in the second"):
        assert credentials.is_allowed(lambda: member.update(elsewhere, "KEPT", "second"))

    with step("remove it from the first; within a minute it no longer reads there"):
        owner.remove_member(own, leaver.identity)
        reading_s = credentials.time_to_refusal(lambda: member.secrets(place))
        assert reading_s is not None

    with step("it still writes in the second, of which it is a member"):
        assert credentials.is_allowed(lambda: member.update(elsewhere, "KEPT", "third"))

    with step("add it again, to read only; within a minute it reads, and it does not write"):
        owner.add_member(own, leaver.identity, "viewer")
        assert wait_until(
            lambda: credentials.is_allowed(lambda: member.secrets(place)),
            within_s=60.0,
            every_s=0.5,
        )
        assert not credentials.is_allowed(lambda: member.update(place, "KEPT", "fourth"))
    if max(writing_s, reading_s) > credentials.LINGERING_S:
        observe("lost_rights_linger")
    record.note(f"lost rights ended after {writing_s:.1f} s (writing), {reading_s:.1f} s (reading)")


def test_others_keep_their_rights(deployment, stranger, step):
    owner = deployment.owner
    place = Place(owner.create_project("Project of several"), "prod")
    with step("create two machines that administer a project, and one that may read it"):
        stayer, leaver = (stranger(one, place.project) for one in ("stayer", "leaver"))
        reader = stranger("reader", place.project, "viewer")
        api = deployment.public.as_bearer(deployment.public.login(stayer))
        api.write(place, {"KEPT": "first"})

    with step("let the second only read: the first still writes"):
        owner.change_roles(place.project, leaver.identity, "viewer")
        assert credentials.is_allowed(lambda: api.update(place, "KEPT", "second"))

    with step("remove the second: the first still writes"):
        owner.remove_member(place.project, leaver.identity)
        assert credentials.is_allowed(lambda: api.update(place, "KEPT", "third"))

    with step("create another project: the one that may read the first does not read that"):
        other = Place(owner.create_project("Project of no one"), "prod")
        viewer = deployment.public.as_bearer(deployment.public.login(reader))
        assert viewer.secrets(place)
        assert not credentials.is_allowed(lambda: viewer.secrets(other))


def test_guessing_leads_to_the_promised_lockout(deployment, stranger, record, observe, step):
    with step("create a machine, and ask after how many wrong secrets it is locked out"):
        machine = stranger("guessed", deployment.golden.project, "viewer")
        lockout = credentials.promised_lockout(deployment.owner, machine)
        record.note(f"{lockout.guesses if lockout else 'none'}, says the instance")

    if lockout:
        with step("send one wrong secret fewer than that; the right one is accepted"):
            token = deployment.public.login(machine)
            fewer = replace(lockout, guesses=lockout.guesses - 1)
            assert not credentials.locks_out(deployment.public, machine, fewer)

        with step("send that many wrong secrets; then the right one is refused as well"):
            # Another one that logs in between two guesses does not forgive the first.
            other = deployment.golden.machine
            assert credentials.locks_out(deployment.public, machine, lockout, other)

        with step("a token that it got before is still accepted"):
            assert deployment.accepts(token)

        with step("what the cache holds of it expires by itself"):
            # Noted only: a release may keep a lock elsewhere as well.
            if credentials.ends_early(deployment.stack, machine, lockout):
                observe("lockout_shorter_than_promised")
            assert credentials.find_endless_keys(deployment.stack, machine) == []

        with step("another machine is not locked out"):
            assert deployment.machine_can_log_in()

    with step("request a password reset mail, and guess its code; the guess is refused"):
        http, email = deployment.public.http, deployment.golden.admin.email
        tried = mails.RESET.request(http, email)
        guessed = mails.opens(http, tried, email, "0" * 32)
        assert not guessed

    with step("request one for an address without an account; the answer is the same"):
        disclosed = credentials.discloses_accounts(http, email)
        if disclosed:
            observe("accounts_disclosed")
        assert not disclosed


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


def test_renewed_token_expires(deployment, observe, step):
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

    # Noted only: a release may say less.
    with step("the refusal of an old token differs from those of forged ones, and they differ"):
        forged = credentials.forge_tokens(golden.token, deployment.golden_settings["AUTH_SECRET"])
        if credentials.are_refused_alike(public, forged):
            observe("refused_alike")

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


def test_restart_keeps_locks_and_credentials(deployment, stranger, step):
    with step("make other client secrets for a machine, which no one uses; use a token up"):
        create = partial(deployment.owner.create_client_secret, deployment.golden.machine)
        unused, limited = create()[0], create(ttl=DAY_S, numUsesLimit=2)[0]
        used_up = credentials.used_up_token(deployment.owner, deployment.public, deployment.golden)

    with step("lock another machine out by guesses, if the instance says that this is so"):
        guessed = stranger("guessed before the restart")
        locked_until = credentials.lock_out(deployment.owner, deployment.public, guessed)

    with step("restart; the client secret that no one had used lets in, also one with limits"):
        assert deployment.restart().serves
        assert credentials.can_log_in(deployment.public, unused)
        assert credentials.can_log_in(deployment.public, limited)

    with step("make more client secrets; none was made before, and they are too long to guess"):
        made = [create()[0] for _ in range(6)]
        assert not {unused, deployment.golden.machine} & {*made}
        assert credentials.bits([one.client_secret for one in made]) >= credentials.ENOUGH_BITS

    if locked_until is not None:
        with step("the machine that was locked out still is"):
            let_in = credentials.is_let_in_before(deployment.public, guessed, locked_until)
            assert not let_in

    with step("every credential that was revoked, has expired or is used up is refused"):
        assert not deployment.accepts(used_up)
        taken = [
            f"a credential that is {name}"
            for name, machine in deployment.dead_credentials.items()
            if credentials.can_log_in(deployment.public, machine)
        ]
        assert taken == []
