"""profiles/kubernetes with the real plugin and client, and a stand-in for the API."""

import os
import shutil
import subprocess

import pytest

from tests.runs.engines.cluster import TINY_PAIRS, submit, submit_training
from tests.runs.engines.kubernetes_api import KubernetesApi, container
from tests.support.project import ROOT, commit

pytestmark = pytest.mark.ci("jobs that are submitted in another form than the engine takes")

PATH = os.pathsep.join([str(ROOT / ".venv-kubernetes" / "bin"), os.environ["PATH"]])


@pytest.fixture
def volume(project):
    """Return the project as it lies on the volume that all pods mount."""
    if not shutil.which("rsync"):
        subprocess.run(["apt-get", "install", "-y", "-qq", "rsync"], check=True, capture_output=True)
    profile = project / "profiles" / "kubernetes" / "config.yaml"
    profile.write_text(profile.read_text().replace("/shared/dpo", str(project)))
    commit(project)
    return project


def test_a_training_asks_kubernetes_for_its_gpus_and_may_use_no_more(volume, tmp_path):
    with KubernetesApi(tmp_path / "api", PATH, refuse=True) as api:
        said = submit_training(volume, "kubernetes", PATH=PATH, KUBECONFIG=api.kubeconfig)
    assert api.jobs, said.stderr
    (job,) = api.jobs
    asked = container(job)["resources"]
    assert asked["limits"]["nvidia.com/gpu"] == asked["requests"]["nvidia.com/gpu"] == "4"
    assert (asked["limits"]["cpu"], asked["limits"]["memory"]) == ("32000m", "400000M")
    assert job["spec"]["template"]["spec"]["nodeSelector"] == {"node.kubernetes.io/instance-type": "h20"}


def test_a_light_rule_runs_from_the_command_of_its_pod(volume, tmp_path):
    with KubernetesApi(tmp_path / "api", PATH) as api:
        said = submit(volume, "kubernetes", TINY_PAIRS, PATH=PATH, KUBECONFIG=api.kubeconfig)
    assert all("nvidia.com/gpu" not in container(job)["resources"]["limits"] for job in api.jobs)
    assert said.returncode == 0, said.stderr
    assert (volume / TINY_PAIRS).exists()
