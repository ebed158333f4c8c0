"""The files under infra/ are what their own validators accept; a validator that is not installed is named in the skip."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tasks.spec import parse_spec

INFRA = Path(__file__).resolve().parents[2] / "infra"
VALIDATORS = Path(f"{sys.prefix}-validators")
"""Made by `make .venv-validators/.installed` from infra/validators/requirements.lock."""


def validator(name: str) -> str:
    """Return a program of the validators' own environment."""
    found = VALIDATORS / "bin" / name
    if not found.is_file():
        pytest.skip(f"{name} is not installed: make .venv-validators/.installed")
    return str(found)


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


@pytest.mark.parametrize("profile", ["", "test"])
def test_docker_compose_accepts_the_compose_file_and_resolves_it(tmp_path: Path, profile: str) -> None:
    validator("docker-compose")  # its wrapper drops the exit code: the program itself is in the package
    (program,) = VALIDATORS.glob("lib/python*/site-packages/compose/docker-compose")
    program.chmod(0o755)
    options = ["--env-file", "env.example", "--profile", profile] if profile else ["--env-file", "env.example"]
    resolved = json.loads(run(str(program), *options, "config", "--format", "json", cwd=INFRA / "compose"))
    services = resolved["services"]
    assert set(services) == {"postgres", "prefect", "sallyport", "scheduler", "worker", *(["s3", "orthanc"] if profile else [])}
    for name in ("prefect", "sallyport", "scheduler", "worker"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
    assert not any(port.get("host_ip") != "127.0.0.1" for service in services.values() for port in service.get("ports", ()))
    assert "filesystem" in services["prefect"]["environment"]["PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE"]
    home = services["prefect"]["environment"]["PREFECT_HOME"]
    assert any(v["type"] == "volume" and home.startswith(v["target"]) for v in services["prefect"]["volumes"])


def test_the_dockerfile_is_accepted_and_copies_what_there_is() -> None:
    dockerfile = INFRA / "container" / "Dockerfile"
    # DL3008: Debian's point releases replace versions in the archive, so a pinned one could not be installed next month.
    run(validator("hadolint"), "--ignore", "DL3008", str(dockerfile))
    for line in dockerfile.read_text("utf-8").splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            assert all((INFRA.parent / source).exists() for source in line.split()[1:-1]), line


@pytest.mark.slow
def test_kubernetes_objects_fit_the_schema(tmp_path: Path) -> None:
    objects = list(yaml.safe_load_all(run("kubectl", "kustomize", "kubernetes")))
    assert {o["kind"] for o in objects} >= {"Deployment", "StatefulSet", "Service", "NetworkPolicy", "Namespace", "ConfigMap"}
    for workload in (o for o in objects if o["kind"] in ("Deployment", "StatefulSet")):
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["resources"]["limits"]["memory"]
    everything = tmp_path / "objects.yaml"
    everything.write_text(yaml.safe_dump_all(objects))
    for version in ("1.31", "1.37"):
        run(validator("kubernetes-validate"), "--strict", "--quiet", "-k", version, str(everything))


def test_every_mount_secret_and_volume_of_kubernetes_is_there() -> None:
    objects = list(yaml.safe_load_all(run("kubectl", "kustomize", "kubernetes")))
    secrets = {o["metadata"]["name"] for o in yaml.safe_load_all((INFRA / "kubernetes" / "secrets.example.yaml").read_text()) if o}
    names = {kind: {o["metadata"]["name"] for o in objects if o["kind"] == kind} for kind in ("PersistentVolumeClaim", "ConfigMap")}
    for workload in (o for o in objects if o["kind"] in ("Deployment", "StatefulSet")):
        pod = workload["spec"]["template"]["spec"]
        volumes = {v["name"]: v for v in pod.get("volumes", ())}
        for container in pod["containers"]:
            assert {m["name"] for m in container.get("volumeMounts", ())} <= set(volumes)
        for volume in volumes.values():
            assert volume.get("persistentVolumeClaim", {}).get("claimName") in {None, *names["PersistentVolumeClaim"]}
            assert volume.get("configMap", {}).get("name") in {None, *names["ConfigMap"]}
            assert volume.get("secret", {}).get("secretName") in {None, *secrets}


def test_terraform_is_well_formed() -> None:
    run("terraform", "fmt", "-check", "terraform")


@pytest.mark.slow
def test_terraform_refers_to_nothing_that_is_not_declared() -> None:
    program = validator("hcl2tojson")
    declared: dict[str, set[str]] = {"var": set(), "local": set(), "data": set(), "resource": set()}
    text = ""
    for path in sorted((INFRA / "terraform").glob("*.tf")):
        parsed = json.loads(run(program, str(path)))
        unquote = lambda name: name.strip('"')  # noqa: E731
        declared["var"] |= {unquote(name) for block in parsed.get("variable", ()) for name in block}
        declared["local"] |= {name for block in parsed.get("locals", ()) for name in block}
        for kind in ("data", "resource"):
            declared[kind] |= {
                f"{unquote(type_)}.{unquote(name)}" for block in parsed.get(kind, ()) for type_, named in block.items() for name in named
            }
        text += "".join(line for line in path.read_text("utf-8").splitlines(True) if not line.lstrip().startswith("#"))
    assert set(re.findall(r"\bvar\.(\w+)", text)) == declared["var"]
    assert set(re.findall(r"\blocal\.(\w+)", text)) <= declared["local"]
    assert set(re.findall(r"\bdata\.(aws_\w+\.\w+)", text)) == declared["data"]
    assert set(re.findall(r"(?<!data\.)\b(aws_\w+\.\w+)", text)) - declared["data"] <= declared["resource"]
    guarded = {name for name in declared["resource"] if name.startswith("aws_s3_bucket")}
    parts = ("public_access_block", "ownership_controls", "versioning", "server_side_encryption_configuration", "policy")
    assert {"aws_s3_bucket.side", *(f"aws_s3_bucket_{part}.side" for part in parts)} <= guarded


def test_the_systemd_unit_is_accepted(tmp_path: Path) -> None:
    unit = (INFRA / "systemd" / "sallyport.service").read_text("utf-8")
    (tmp_path / "sallyport.service").write_text(unit)
    run("systemd-analyze", "verify", "--man=no", str(tmp_path / "sallyport.service"))


def test_the_deployment_file_is_what_prefect_reads_and_names_flows_that_exist() -> None:
    from prefect.cli.deploy._models import PrefectYamlModel

    import flows.deployed

    content = yaml.safe_load((INFRA / "prefect.yaml").read_text("utf-8"))
    PrefectYamlModel.model_validate(content)
    deployments = content["deployments"]
    for deployment in deployments:
        module, _, name = deployment["entrypoint"].rpartition(".")
        assert module == "flows.deployed"
        accepted = getattr(flows.deployed, name).parameters.properties
        assert set(deployment["parameters"]) <= set(accepted)
