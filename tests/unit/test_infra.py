"""The files under infra/ are what their own validators accept; a validator that is not installed is named in the skip."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tasks.spec import parse_spec

INFRA = Path(__file__).resolve().parents[2] / "infra"


def run(*command: str, cwd: Path = INFRA) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("path", sorted([*INFRA.glob("specs/*.yaml"), *INFRA.glob("kubernetes/specs/*.yaml")]), ids=lambda p: p.stem)
def test_every_example_is_a_valid_spec_without_a_secret_in_it(path: Path) -> None:
    text = path.read_text("utf-8")
    parse_spec(yaml.safe_load(text))
    assert "password:" not in text or "password: {" in text


def test_shell_scripts_parse() -> None:
    for script in INFRA.rglob("*.sh"):
        run("bash", "-n", str(script))


def test_certificates_are_made_kept_and_verified(tmp_path: Path) -> None:
    run(str(INFRA / "certificates.sh"), str(tmp_path), "10.0.0.1", "dask.example")
    for role in ("scheduler", "worker", "client"):
        run("openssl", "verify", "-CAfile", str(tmp_path / "ca.pem"), str(tmp_path / f"{role}.pem"))
        assert (tmp_path / f"{role}.key").stat().st_mode & 0o077 == 0
    assert "IP Address:10.0.0.1" in run("openssl", "x509", "-in", str(tmp_path / "scheduler.pem"), "-noout", "-ext", "subjectAltName")
    before = {p.name: p.read_bytes() for p in tmp_path.glob("*.pem")}
    run(str(INFRA / "certificates.sh"), str(tmp_path))
    assert {p.name: p.read_bytes() for p in tmp_path.glob("*.pem")} == before


def test_compose_mounts_exist_and_no_port_is_open_to_the_network() -> None:
    compose = yaml.safe_load((INFRA / "compose" / "compose.yaml").read_text("utf-8"))
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        assert set(service.get("secrets", ())) <= set(compose["secrets"])
        assert set(service.get("networks", ())) <= set(compose["networks"])
        assert set(service.get("depends_on", ())) <= set(compose["services"])
    assert (INFRA / "specs" / "compose.yaml").is_file()
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        run("docker", "compose", "--env-file", "env.example", "config", "--quiet", cwd=INFRA / "compose")


def test_kubernetes_objects_fit_the_schema() -> None:
    objects = list(yaml.safe_load_all(run("kubectl", "kustomize", "kubernetes")))
    assert {o["kind"] for o in objects} >= {"Deployment", "StatefulSet", "Service", "NetworkPolicy", "Namespace", "ConfigMap"}
    for workload in (o for o in objects if o["kind"] in ("Deployment", "StatefulSet")):
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["resources"]["limits"]["memory"]
    validate = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate checks the schema too")
    for one in objects:
        validate.validate(one, "1.31", strict=True)


def test_terraform_is_well_formed() -> None:
    run("terraform", "fmt", "-check", "terraform")


def test_the_systemd_unit_is_accepted(tmp_path: Path) -> None:
    unit = (INFRA / "systemd" / "sallyport.service").read_text("utf-8")
    (tmp_path / "sallyport.service").write_text(unit)
    run("systemd-analyze", "verify", "--man=no", str(tmp_path / "sallyport.service"))


def test_the_deployment_file_names_flows_that_exist() -> None:
    import flows.deployed

    deployments = yaml.safe_load((INFRA / "prefect.yaml").read_text("utf-8"))["deployments"]
    for deployment in deployments:
        module, _, name = deployment["entrypoint"].rpartition(".")
        assert module == "flows.deployed"
        accepted = getattr(flows.deployed, name).parameters.properties
        assert set(deployment["parameters"]) <= set(accepted)
