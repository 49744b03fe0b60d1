"""`make chaos` disturbs runs at random moments, and checks what they leave.

It fills the disk, shifts the clock, or kills the run, a worker, the backend, the database, the
cache or the Docker engine. Some stacks have a planted bug, with which no run may pass.
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from drillbook.core.application import ROOT
from tests.support import aftermath, disturbances, run_places
from tests.support.chaos_place import chaos_place
from tests.support.disturbances import Moment

_DISK_MIB = 400


@dataclass(frozen=True, slots=True)
class Seen:
    """The result of a run: whether it was disturbed, its exit code, and the faults found."""

    moment: Moment
    struck: bool
    code: int | None
    wrong: tuple[str, ...]
    kept: str


class Chaos:
    """Disturbs runs that use one temporary folder, in which there are also bystanders."""

    def __init__(self, place: Path, ground):
        self.place = place
        self.ground = ground
        self.temporary = place / "tmp"
        self.temporary.mkdir()
        self.takes_s, self.undisturbed = 5.0, None
        self.strangers = set()
        self._number, self._lasted_s = 0, 0.0

    def measured(self):
        """Seconds of an undisturbed run, which must pass; it has the caches of this machine."""
        cache = Path(tempfile.gettempdir()) / f"drillbook-cache-{os.getuid()}"
        (self.temporary / cache.name).mkdir(mode=0o711)
        # What is complete, of the PostgreSQL of these runs: the place of a full disk is small.
        for one in cache.glob("[!.]*postgresql-14*"):
            subprocess.run(["cp", "-a", one, self.temporary / cache.name], check=True)
        done = self.happened(Moment(0, "nothing", math.inf, None, ""))
        self.takes_s = self._lasted_s
        assert (done.code, done.wrong) == (0, ()), f"an undisturbed run: {done}"
        self.undisturbed = aftermath.evidence(self.place / str(self._number) / "runs")
        return self.takes_s

    def happened(self, moment):
        """Start a run, disturb it at this moment, and return what was found afterwards."""
        self._number += 1
        place = self.place / str(self._number)
        place.mkdir()
        with self._disk(moment, place) as temporary:
            return self._happened(moment, place, temporary)

    def struck(self, moment):
        """As `happened`, but repeated up to twice if the run ended before the moment."""
        for _ in range(3):
            seen = self.happened(moment)
            if seen.struck or seen.wrong:
                break
            self.takes_s = min(self.takes_s, self._lasted_s)
        return seen

    @contextmanager
    def _disk(self, moment, place):
        """The temporary folder of a run; for a full disk a small one of its own, with caches."""
        if moment.kind != "disk":
            yield self.temporary
            return
        disk = place / "disk"
        disturbances.mounted(disk, _DISK_MIB)
        try:
            for one in self.temporary.glob("drillbook-cache-*"):
                subprocess.run(["cp", "-a", str(one), str(disk)], check=True)
            yield disk
        finally:
            disturbances.unmounted(disk)

    def _happened(self, moment, place, temporary):
        environment = self._environment(moment, place, temporary)
        runs = (temporary if moment.kind == "disk" else place) / "runs"
        ids, said, began = set(), (place / "said").open("wb"), time.monotonic()
        with (
            said,
            subprocess.Popen(
                self._command(moment, runs),
                cwd=ROOT,
                env=environment,
                stdout=said,
                stderr=said,
                start_new_session=True,
            ) as process,
        ):
            struck = self._watched(process, moment, ids, place, temporary)
            with suppress(subprocess.TimeoutExpired):
                process.wait(self.ground.patience_s)
            hung = process.poll() is None
            self._lasted_s = time.monotonic() - began
            process.kill()
        (temporary / "filler").unlink(missing_ok=True)
        return self._judged(
            moment, struck, None if hung else process.returncode, ids, runs, environment
        )

    def _watched(self, process, moment, ids, place, temporary):
        """Wait for the moment, disturb the run, wait for its end, and add the ids of its runs."""
        began, struck, patience_s = time.monotonic(), False, self.ground.patience_s
        while process.poll() is None and not struck and time.monotonic() - began < patience_s:
            ids |= _ids(temporary)
            if time.monotonic() - began >= moment.at * self.takes_s:
                struck = self.ground.strike(moment, process.pid, ids, place)
            time.sleep(0.02)
        while process.poll() is None and time.monotonic() - began < patience_s:
            ids |= _ids(temporary)
            time.sleep(0.05)
        return struck

    def _judged(self, moment, struck, code, ids, runs, environment):
        wrong = [] if code is not None else [f"it hung for {self.ground.patience_s} s"]
        ids = ids - self.strangers
        self.ground.mend()
        aftermath.swept(self.ground.sweeping, environment)
        found = [*aftermath.left(ids, Path(environment["TMPDIR"])), *self.ground.left(ids)]
        wrong += [f"left: {one}" for one in found]
        run = None
        try:
            run = aftermath.evidence(runs)
            wrong += aftermath.untruths(run, code, moment.mutant, self.undisturbed)
            wrong += ["it lacks something unmarked"] if run and aftermath.unmarked(run) else []
        except ValueError as torn:
            wrong.append(f"its evidence is torn: {torn}")
        broken = aftermath.broken_bundle(runs)
        kept = "none" if run is None else "partial" if aftermath.unfinished(run) else "complete"
        return Seen(moment, struck, code, (*wrong, *([broken] if broken else [])), kept)

    def _command(self, moment, runs):
        files = [f"suites/{one}" for one in self.ground.specs]
        command = [*self.ground.prefix, sys.executable, "-m", "pytest", *files, "--evidence"]
        command += [*self.ground.options, "--one-question", "-p", "no:cacheprovider"]
        command += [f"--seed={moment.number}"]
        command += [f"--run-dir={runs}", f"--workers={2 if moment.kind == 'worker' else 1}"]
        return command + ([f"--mutant={moment.mutant}"] if moment.mutant else [])

    def _environment(self, moment, place, temporary):
        found = {**os.environ, "TMPDIR": str(temporary), "NO_COLOR": "1"}
        found |= self.ground.environment
        if moment.kind == "clock":
            (place / "clock").write_text("+0")
            found |= {"LD_PRELOAD": str(disturbances.faketime()), "FAKETIME_NO_CACHE": "1"}
            found |= {"FAKETIME_TIMESTAMP_FILE": str(place / "clock")}
            found |= {"DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        return found


def _ids(folder):
    """The ids of runs that have a folder there."""
    names = (path.name for path in folder.glob(f"*drillbook-{os.getuid()}-*") if path.is_dir())
    found = {name.rpartition("-")[2] for name in names if not name.startswith("drillbook-cache")}
    return {one for one in found if len(one) == 10}


def say(sentence):
    """Print a line at once."""
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


def tried(count, seed, kinds=None, tell=say, stack="embedded", specs=None):
    """Yield the results of `count` disturbed runs, after an undisturbed one."""
    with chaos_place() as place, closing(run_places.of(stack, place)) as ground:
        if specs:
            # The bugs that the specs of both stacks see.
            ground.specs, ground.bugs = specs, run_places.Guests.bugs
        chaos = Chaos(place, ground)
        here = [kind for kind in kinds or ground.kinds if not disturbances.absent(kind)]
        for kind in sorted({*(kinds or ground.kinds)} - {*here}):
            tell(f"left out, {kind}: {disturbances.absent(kind)}")
        tell(f"an undisturbed run takes {chaos.measured():.1f} s")
        yield from disturbed(chaos, disturbances.moments(count, seed, here, ground.bugs))


def disturbed(chaos, moments):
    """Yield the result of a run for each moment, including harm to bystanders."""
    with closing(chaos.ground.bystanders(chaos.temporary)) as bystanders:
        chaos.strangers = _ids(chaos.temporary)
        for moment in moments:
            seen = chaos.struck(moment)
            harmed = tuple(f"harmed: {one}" for one in bystanders.harmed())
            yield replace(seen, wrong=seen.wrong + harmed)


def summary(seed, stack, found):
    """The numbers of all results, and the faults, as data for a JSON file."""
    return {
        "schema": "drillbook/chaos/1",
        "seed": seed,
        "stack": stack,
        "moments": len(found),
        "struck": sum(one.struck for one in found),
        "kinds": dict(Counter(one.moment.kind for one in found)),
        "with_a_planted_bug": sum(one.moment.mutant is not None for one in found),
        "evidence": dict(Counter(one.kept for one in found)),
        "wrong": [f"{one.moment}: {words}" for one in found for words in one.wrong],
    }


def told(one):
    """The result of a run as lines of text."""
    code = "hung" if one.code is None else f"exit {one.code}"
    late = "" if one.struck else ", over before it"
    yield f"{one.moment}: {code}, evidence {one.kept}{late}"
    for words in one.wrong:
        yield f"      WRONG: {words}"


def main():
    """Run `make chaos`; return 1 if a fault was found, else 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=30)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--stack", choices=("embedded", "containers"), default="embedded")
    asked, found = parser.parse_args(), []
    say(f"seed {asked.seed} (SEED= repeats the moments)")
    for one in tried(asked.moments, asked.seed, stack=asked.stack):
        found.append(one)
        say("\n".join(told(one)))
    text = json.dumps(summary(asked.seed, asked.stack, found), indent=1)
    target = ROOT / "reports" / "runs" / "chaos.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text + "\n")
    say(text)
    return 1 if any(one.wrong for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
