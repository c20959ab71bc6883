"""Stands in for openshift-install, which cannot be had here: reads and consumes install-config.yaml by the rules of the real one
(openshift/installer pkg/types/installconfig.go, pkg/types/validation, pkg/asset/ignition/bootstrap/bootstrap_in_place.go), writes the files
that it writes, logs as logrus does. argv: the program as it was called, a stock Ignition config, then its own arguments.
STANDIN=leak|hang|broken|no-auth makes it go wrong."""

import base64
import ipaddress
import json
import os
import subprocess
import sys
import tempfile
import time

import yaml

PROGRAM, STOCK, ARGS = sys.argv[1], sys.argv[2], sys.argv[3:]
MODE = os.environ.get("STANDIN", "")


def log(level, text):
    quoted = json.dumps(text)
    print(f"level={level} msg={quoted}", file=sys.stderr, flush=True)


def fatal(text):
    log(
        "fatal",
        'failed to fetch Single Node Ignition Config: failed to load asset "Install Config": failed to create install config: ' + text,
    )
    sys.exit(3)


def marker(word, fallback):
    """What the real one finds in its own constant."""
    with open(PROGRAM, "rb") as file:
        data = file.read()
    # The wrapper names where its constants begin, by a mark in front of each.
    mark = b"#" + word.encode()
    if mark not in data:
        return fallback
    value = data.split(mark, 1)[1].split(b"\0", 1)[0]
    return value.decode() or fallback


def require(condition, text):
    if not condition:
        fatal(f'invalid "install-config.yaml" file: {text}')


def pool(value, name, replicas):
    require(set(value) <= {"architecture", "hyperthreading", "name", "platform", "replicas"}, "unknown field in a machine pool")
    require(value["name"] == name, f"name: Unsupported value: {value['name']}")
    require(value["replicas"] == replicas, "bootstrap in place requires a single ControlPlane replica")
    require(value.get("architecture", "amd64") in {"amd64", "arm64", "ppc64le", "s390x"}, "architecture")


def networks(value):
    known = {"clusterNetwork", "machineNetwork", "networkType", "serviceNetwork"}
    require(set(value) <= known, "unknown field in networking")
    require(value["networkType"], "networking.networkType: Required value")
    machine = [ipaddress.ip_network(n["cidr"]) for n in value["machineNetwork"]]
    cluster = [ipaddress.ip_network(n["cidr"]) for n in value["clusterNetwork"]]
    service = [ipaddress.ip_network(n) for n in value["serviceNetwork"]]
    every = machine + cluster + service
    for at, one in enumerate(every):
        for other in every[:at]:
            if one.version == other.version:
                require(not one.overlaps(other), "networks overlap")
    for entry, network in zip(value["clusterNetwork"], cluster):
        require(entry["hostPrefix"] >= network.prefixlen, "hostPrefix")
        require(network.version == 4 or entry["hostPrefix"] == 64, "hostPrefix must be 64 for IPv6 networks")
    versions = {n.version for n in service}
    require(len(service) == len(versions), "only one service network can be specified")
    for kind in (machine, cluster):
        require({n.version for n in kind} == versions, "every kind of network needs the same families")


def secret(text):
    try:
        auths = json.loads(text)["auths"]
        assert auths
        for entry in auths.values():
            user, _ = base64.b64decode(entry["auth"], validate=True).decode().split(":", 1)
            assert user
    except Exception:
        fatal(f'invalid "install-config.yaml" file: pullSecret: Invalid value: {json.dumps(text)}: invalid')


def key(text):
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(text + "\n")
        file.flush()
        done = subprocess.run(["ssh-keygen", "-l", "-f", file.name], capture_output=True)
    require(done.returncode == 0, f"sshKey: Invalid value: {json.dumps(text)}: ssh: no key found")


def check(config):
    known = {
        "additionalTrustBundle", "additionalTrustBundlePolicy", "apiVersion", "baseDomain", "bootstrapInPlace", "compute",
        "controlPlane", "fips", "metadata", "networking", "platform", "pullSecret", "sshKey",
    }
    unknown = set(config) - known
    if unknown:
        fatal(f"failed to parse first occurrence of unknown field: {unknown}")
    require(config["apiVersion"] == "v1", 'install-config version must be "v1"')
    require(config["platform"] == {"none": {}}, "platform")
    pool(config["controlPlane"], "master", 1)
    require(len(config["compute"]) == 1, "compute")
    pool(config["compute"][0], "worker", 0)
    require(config["compute"][0]["architecture"] == config["controlPlane"]["architecture"], "heteregeneous multi-arch is not supported")
    disk = config.get("bootstrapInPlace", {}).get("installationDisk")
    require(disk, "installationDisk must be set the target disk drive for the installation")
    name, domain = config["metadata"]["name"], config["baseDomain"]
    require(name == name.lower() and "." not in name and domain == domain.lower(), "names")
    networks(config["networking"])
    secret(config["pullSecret"])
    key(config["sshKey"])


def certificate():
    """A signer that lives a day, as the real one's do, and its key."""
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
             "-subj", "/OU=openshift/CN=kubelet-signer", "-keyout", f"{scratch}/key", "-out", f"{scratch}/crt"],
            capture_output=True, check=True,
        )
        parts = {}
        for part in ("crt", "key"):
            with open(f"{scratch}/{part}", "rb") as file:
                parts[part] = base64.b64encode(file.read()).decode()
        return parts


def write(directory, name, text):
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def create(directory):
    path = os.path.join(directory, "install-config.yaml")
    if os.stat(directory).st_mode & 0o077 or os.stat(path).st_mode & 0o077:
        fatal("others may read the pull secret")
    with open(path) as file:
        text = file.read()
    config = yaml.safe_load(text)
    if MODE == "leak":
        log("info", "login " + config["pullSecret"])
        fatal(f'invalid "install-config.yaml" file: pullSecret: Invalid value: {json.dumps(config["pullSecret"])}: no; sshKey {config["sshKey"]}')
    write(directory, ".openshift_install_state.json", json.dumps(config))
    if MODE == "hang":
        log("info", "Consuming Install Config from target directory")
        time.sleep(600)
    check(config)
    os.remove(path)
    log("info", "Consuming Install Config from target directory")
    with open(STOCK) as file:
        ignition = json.load(file)
    parts = certificate()
    for entry in ignition["storage"]["files"]:
        name, _, part = entry["path"].rpartition(".")
        if name == "/opt/openshift/tls/kubelet-signer":
            data = parts[part]
            entry["contents"] = {"source": "data:text/plain;charset=utf-8;base64," + data}
    if MODE == "broken":
        ignition["storage"]["files"].append({"path": "not/absolute"})
    write(directory, "bootstrap-in-place-for-live-iso.ign", json.dumps(ignition))
    write(directory, "worker.ign", "{}")
    write(directory, "metadata.json", json.dumps({"clusterName": config["metadata"]["name"]}))
    if MODE != "no-auth":
        server = f"https://api.{config['metadata']['name']}.{config['baseDomain']}:6443"
        write(directory, "auth/kubeconfig", yaml.safe_dump({"kind": "Config", "clusters": [{"cluster": {"server": server}}]}))
        write(directory, "auth/kubeadmin-password", "aaaaa-bbbbb-ccccc-ddddd")
    log("info", f"Single-Node-Ignition-Config created in: {directory} and {directory}/auth")


if ARGS == ["version"]:
    print(f"{PROGRAM} {marker('VERSION', 'v4.13.0')}")
    print("built from commit 90bb61f38881d07ce94368f0b34089d152ffa4ef")
    print("release image " + marker("IMAGE", "quay.io/openshift-release-dev/ocp-release@sha256:" + "a" * 64))
    print("release architecture amd64")
elif ARGS[:3] == ["create", "single-node-ignition-config", "--dir"]:
    create(ARGS[3])
else:
    fatal(f"unknown command {ARGS}")
