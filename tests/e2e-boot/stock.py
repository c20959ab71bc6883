"""A stock bootstrap-in-place config whose programs are stand-ins, made from the fixture generator's: same units, files and order."""
import base64, json, pathlib, subprocess

BIN = "/usr/local/bin"
BOOTKUBE = """#!/usr/bin/env bash
set -euo pipefail
e2e bootkube
touch /opt/openshift/.bootkube.done
"""
KUBELET = """#!/usr/bin/env bash
systemd-notify --ready
exec sleep infinity
"""
# node-image-pull.sh: ostree container image pull --authfile FILE REPO ostree-unverified-image:docker://IMAGE
OSTREE = """#!/usr/bin/env bash
set -euo pipefail
image=${!#} repo=${@: -2:1}
mkdir -p "$repo"
exec skopeo copy -q "docker://${image##*docker://}" "dir:$repo"
"""
# What the machine-config server would send for the installed stage, as far as images go.
MCD_PULL = """[Unit]
Description=Machine Config Daemon Pull
Requires=network-online.target
After=network-online.target
ConditionPathExists=/etc/ignition-machine-config-encapsulated.json
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c "while ! podman pull -q {mco}; do sleep 1; done"
[Install]
RequiredBy=machine-config-daemon-firstboot.service
"""
MCD_FIRSTBOOT = """[Unit]
Description=Machine Config Daemon Firstboot
After=machine-config-daemon-pull.service
Before=crio.service kubelet.service
ConditionPathExists=/etc/ignition-machine-config-encapsulated.json
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/podman run --rm --net=none {mco}
ExecStart=/usr/bin/skopeo copy -q docker://{os} dir:/var/tmp/os
ExecStart=/bin/mv /etc/ignition-machine-config-encapsulated.json /etc/ignition-machine-config-encapsulated.json.bak
[Install]
WantedBy=multi-user.target
"""
INSTALLED_KUBELET = """[Unit]
Description=Kubelet
Wants=rpc-statd.service crio.service
After=crio.service network-online.target
[Service]
Type=notify
NotifyAccess=all
ExecStart=/usr/local/bin/kubelet.sh
[Install]
WantedBy=multi-user.target
"""
READY = """[Unit]
Description=Everything that the installed stage starts
After=kubelet.service machine-config-daemon-firstboot.service bootkube.service snoforge-registry.service snoforge-load@ocp.service
"""


def report(verb, after=""):
    return f"[Unit]\nDescription=Report ({verb})\n{after}\n[Service]\nType=exec\nExecStart={BIN}/e2e {verb}\n\n[Install]\nWantedBy=multi-user.target\n"


def url(data):
    return "data:text/plain;charset=utf-8;base64," + base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def entry(path, data, mode=0o644):
    return {"path": path, "mode": mode, "overwrite": True, "user": {"name": "root"}, "contents": {"source": url(data)}}


def original_master(images, guest):
    files = [entry(f"{BIN}/e2e", guest, 0o755), entry("/etc/e2e/images.json", json.dumps(images)), entry("/etc/e2e/marker", "installed\n"),
             entry("/etc/ignition-machine-config-encapsulated.json", "{}"), entry(f"{BIN}/kubelet.sh", KUBELET, 0o755)]
    specs = {"mco": images["machine-config-operator"]["pinned"], "os": images["rhel-coreos"]["pinned"]}
    units = {"machine-config-daemon-pull.service": MCD_PULL.format(**specs), "machine-config-daemon-firstboot.service": MCD_FIRSTBOOT.format(**specs),
             "kubelet.service": INSTALLED_KUBELET, "multi-user-ready.target": READY,
             "e2e-installed.service": report("installed", "Wants=multi-user-ready.target")}
    return json.dumps({"ignition": {"version": "3.2.0"}, "storage": {"files": files},
                       "systemd": {"units": [{"name": n, "contents": t, "enabled": "[Install]" in t} for n, t in units.items()]}})


def make(root, work, era, images, guest, manifests=()):
    """Writes the config; `root` is the checkout, `manifests` are files of openshift-install's `openshift/`. Returns its path."""
    subprocess.run([root / "scripts/make-ignition-fixtures", "--out", work, "--era", era, "--keys", work / "keys"], check=True)
    path = work / f"era-{era}.ign"
    config = json.loads(path.read_text())
    fixture = "quay.io/openshift-release-dev/ocp-release@sha256:"
    named = {f"{BIN}/bootkube.sh": BOOTKUBE, f"{BIN}/kubelet.sh": KUBELET}
    for file in config["storage"]["files"]:
        for place in [file["contents"]] if "contents" in file else file["append"]:
            text = base64.b64decode(place["source"].partition("base64,")[2]).decode()
            at = text.find(fixture)
            if at >= 0:
                end = at + len(fixture) + 64
                text = text.replace(text[at:end], images["release"]["pinned"])
            text = named.get(file["path"], text)
            place["source"] = url(text)
    config["storage"]["files"] += [
        entry(f"{BIN}/e2e", guest, 0o755), entry("/etc/e2e/images.json", json.dumps(images)), entry("/etc/e2e/marker", "live\n"),
        entry("/opt/openshift/original-master.ign", original_master(images, guest), 0o600),
        entry(f"{BIN}/bootstrap-service-record.sh", "#!/usr/bin/env bash\n", 0o755), entry(f"{BIN}/ostree", OSTREE, 0o755),
        entry("/etc/systemd/system/install-to-disk.service.d/console.conf", "[Service]\nStandardOutput=journal+console\nStandardError=journal+console\n")]
    config["storage"]["files"] += [entry(f"/opt/openshift/openshift/{path.name}", path.read_bytes()) for path in manifests]
    config["systemd"]["units"] += [
        {"name": "e2e-watch.service", "enabled": True, "contents": report("watch")},
        {"name": "e2e-released.path", "enabled": True, "contents": "[Path]\nPathExists=/opt/openshift/.install-to-disk.done\n\n[Install]\nWantedBy=multi-user.target\n"},
        {"name": "e2e-released.service", "contents": report("released").partition("\n[Install]")[0] + "\n"}]
    path.write_text(json.dumps(config))
    return path
