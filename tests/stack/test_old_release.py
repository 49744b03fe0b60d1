"""A release older than the oldest supported one is refused before anything is judged."""

import io
import subprocess
import sys
import uuid

import docker
import pytest

from drillbook.core.application import ROOT
from drillbook.core.errors import BadInput
from drillbook.stack import releases

pytestmark = pytest.mark.engine
# It has migrations like the product's, but its code does not name the root key's table.
OLD = b"""FROM drillbook/base
RUN mkdir -p /backend/dist/db/migrations \
 && echo "export const up = 1" > /backend/dist/db/migrations/20240101000000_first.mjs
"""


@pytest.fixture(scope="module")
def old_image():
    name = f"drillbook-test-old:{uuid.uuid4().hex[:8]}"
    client = docker.from_env()
    client.images.build(fileobj=io.BytesIO(OLD), tag=name, rm=True)
    yield name
    client.images.remove(name, force=True)


def test_an_old_image_is_refused_and_ours_is_not(old_image):
    with pytest.raises(BadInput, match=f"{old_image} is older than July 2024"):
        releases.refuse_older(old_image)
    releases.refuse_older("drillbook/reference:latest")
    # An image that does not show its migrations is not refused.
    releases.refuse_older("drillbook/redis:7")


@pytest.mark.parametrize(
    "options",
    [
        ["suites/drill", "--drill", "--image={old}"],
        ["suites/change", "--rehearse", "--from=drillbook/reference:latest", "--to={old}"],
    ],
)
def test_drill_and_rehearsal_name_it_and_end(old_image, tmp_path, options):
    backup, keys = tmp_path / "backup.sql", tmp_path / "keys.env"
    backup.write_text("CREATE TABLE public.projects (id uuid);\n")
    keys.write_text(f"ENCRYPTION_KEY={'0f' * 16}\n")
    keys.chmod(0o600)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--evidence"]
    command += ["--one-question", "--stack=containers", f"--run-dir={tmp_path / 'runs'}"]
    command += [f"--backup={backup}", f"--env-file={keys}"]
    command += [one.format(old=old_image) for one in options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    printed = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 3, printed
    assert f"{old_image} is older than July 2024, the oldest that is supported" in printed
    assert "Traceback" not in printed
