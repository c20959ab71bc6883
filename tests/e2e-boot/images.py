"""Images with real content, pushed to a real registry under the paths of their pull specs; what the guest must find in each."""
import gzip, hashlib, io, json, pathlib, random, socket, subprocess, tarfile, time

RELEASE = "4.18.1"
ART = "quay.io/openshift-release-dev/ocp-v4.0-art-dev"
DOCKER = ("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.container.image.v1+json",
          "application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.docker.distribution.manifest.list.v2+json")
OCI = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.config.v1+json",
       "application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.oci.image.index.v1+json")
# name: (repository, destination, payload MiB, family); the release is made last, it lists the others
COMPONENTS = {name: (ART, f"openshift/release:{RELEASE}-x86_64-{name}", mib, DOCKER) for name, mib in
              [("cluster-bootstrap", 4), ("etcd", 8), ("machine-config-operator", 8), ("rhel-coreos", 32)]}
OTHERS = {
    "agent": ("registry.redhat.io/multicluster-engine/assisted-installer-agent-rhel9", "multicluster-engine/assisted-installer-agent-rhel9:1", 4, DOCKER),
    "operator": ("registry.redhat.io/openshift4/ptp-rhel9-operator", "openshift4/ptp-rhel9-operator:a1b2c3", 6, OCI),
    "catalog": ("registry.redhat.io/redhat/redhat-operator-index", "redhat/redhat-operator-index:v4.18", 3, OCI),
    "spare": ("registry.redhat.io/openshift4/spare-rhel9", "openshift4/spare-rhel9:d4e5f6", 96, DOCKER),
}
# No list of Red Hat's registries has this one.
OS = "registry.example.com/os/rhcos"
LISTED, TAGGED = {"agent"}, {"catalog": "v4.18"}


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Image:
    """One image as a `dir:` of skopeo."""

    def __init__(self, name, mib, family, busybox, extra=None, command=None, arch="amd64", labels=None):
        self.name, self.family = name, family
        self.payload = random.Random(f"{name}/{arch}").randbytes(mib << 20)
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w", format=tarfile.PAX_FORMAT) as out:
            files = {"component": f"{name}\n".encode(), "payload": self.payload, **(extra or {})}
            for path, data, mode in [("bin/busybox", busybox, 0o755), *((p, d, 0o644) for p, d in files.items())]:
                entry = tarfile.TarInfo(path)
                entry.size, entry.mode = len(data), mode
                out.addfile(entry, io.BytesIO(data))
            link = tarfile.TarInfo("bin/sh")
            link.type, link.linkname, link.mode = tarfile.SYMTYPE, "busybox", 0o777
            out.addfile(link)
        layer = gzip.compress(tar.getvalue(), compresslevel=1, mtime=0)
        config = {"architecture": arch, "os": "linux", "rootfs": {"type": "layers", "diff_ids": [sha(tar.getvalue())]},
                  "config": {"Labels": labels or {},
                             "Entrypoint": command or ["/bin/busybox", "sh", "-c", "/bin/busybox cat /component; /bin/busybox sha256sum /payload"]}}
        config = json.dumps(config).encode()
        kind, config_type, layer_type, _ = family
        describe = lambda media, data: {"mediaType": media, "digest": sha(data), "size": len(data)}
        self.layer = sha(layer)
        self.blobs = {sha(d): d for d in (layer, config)}
        self.manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": describe(config_type, config),
                                    "layers": [describe(layer_type, layer)]}, indent=3).encode()

    def descriptor(self, arch):
        return {"mediaType": self.family[0], "digest": sha(self.manifest), "size": len(self.manifest),
                "platform": {"architecture": arch, "os": "linux"}}


class Registry:
    """docker-registry with a filesystem below `root`, for the time of a `with`."""

    def __init__(self, root):
        self.root = pathlib.Path(root)

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = "127.0.0.1:%d" % free.getsockname()[1]
        config = self.root / "registry.yml"
        config.write_text(f"version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {self.root}/registry}}}}\n"
                          f"http: {{addr: '{self.address}'}}\n")
        self.log = (self.root / "registry.log").open("w")
        self.process = subprocess.Popen(["docker-registry", "serve", config], stdout=self.log, stderr=self.log)
        host, port = self.address.split(":")
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex((host, int(port))) == 0:
                    return self
            time.sleep(0.1)
        raise RuntimeError(f"docker-registry does not answer on {self.address}")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()

    def push(self, repository, manifest, media, blobs, tag, work):
        """Through skopeo for images; a list, which skopeo would have to copy whole, by the API."""
        place = work / "push"
        place.mkdir(exist_ok=True)
        for old in place.iterdir():
            old.unlink()
        (place / "version").write_text("Directory Transport Version: 1.1\n")
        (place / "manifest.json").write_bytes(manifest)
        for digest, data in blobs.items():
            (place / digest.removeprefix("sha256:")).write_bytes(data)
        if blobs:
            subprocess.run(["skopeo", "copy", "-q", "--preserve-digests", "--insecure-policy", "--dest-tls-verify=false",
                            f"dir:{place}", f"docker://{self.address}/{repository}:{tag}"], check=True)
        else:
            subprocess.run(["curl", "-sf", "-X", "PUT", "-H", f"Content-Type: {media}", "--data-binary", f"@{place}/manifest.json",
                            f"http://{self.address}/v2/{repository}/manifests/{tag}"], check=True)


def make(registry, work, busybox):
    """Pushes everything; returns what the guest must find, by name."""
    facts = {}

    def push(name, repository, destination, image, group):
        manifest, media, blobs, tag = image.manifest, image.family[0], image.blobs, destination.rpartition(":")[2]
        if name in LISTED:
            other = Image(name, 1, image.family, b"not for this machine", arch="arm64")
            for arch, member in (("amd64", image), ("arm64", other)):
                registry.push(repository, member.manifest, media, member.blobs, f"{tag}-{arch}", work)
            media, blobs = image.family[3], {}
            manifest = json.dumps({"schemaVersion": 2, "mediaType": media, "manifests": [image.descriptor("amd64"), other.descriptor("arm64")]}).encode()
        registry.push(repository, manifest, media, blobs, tag, work)
        pinned = f"{repository}@{sha(manifest)}"
        reference = f"{repository}:{TAGGED[name]}" if name in TAGGED else pinned
        facts[name] = {"reference": reference, "pinned": pinned, "destination": destination, "digest": sha(manifest),
                       "payload": hashlib.sha256(image.payload).hexdigest(), "layer": image.layer, "group": group}

    for name, (repository, destination, mib, family) in {**COMPONENTS, **OTHERS}.items():
        push(name, repository, destination, Image(name, mib, family, busybox), "ai" if name == "agent" else "ocp")
    listing = "".join(f"{n} {facts[n]['pinned']}\n" for n in COMPONENTS).encode()
    # As the real one: `image NAME` prints a component's pull spec.
    script = b'[ "$1" = image ] || { cat /component; sha256sum /payload; exit; }\nwhile read -r n s; do [ "$n" = "$2" ] && echo "$s" && exit; done </release\nexit 1\n'
    release = Image("release", 2, DOCKER, busybox, {"release": listing, "entry": script}, ["/bin/busybox", "sh", "/entry"])
    push("release", "quay.io/openshift-release-dev/ocp-release", f"openshift/release-images:{RELEASE}-x86_64", release, "ai")
    return facts


def make_os(registry, work, busybox, base):
    """An OS image as a build on the cluster pushes it, to a registry of the site; `base` is the release's."""
    labels = {"ostree.bootable": "true", "machineconfigpool": "master", "baseOSContainerImage": base}
    image, tag = Image("os-image", 24, OCI, busybox, labels=labels), "rendered"
    registry.push(OS, image.manifest, image.family[0], image.blobs, tag, work)
    pinned = f"{OS}@{sha(image.manifest)}"
    return {"reference": pinned, "pinned": pinned, "destination": f"os/rhcos:{tag}", "digest": sha(image.manifest),
            "payload": hashlib.sha256(image.payload).hexdigest(), "layer": image.layer, "group": "os"}


def mirrors(address):
    """registries.conf that leads the original names to the registry."""
    hosts = sorted({i[0].split("/")[0] for i in [*COMPONENTS.values(), *OTHERS.values(), [OS]]})
    return "".join(f'[[registry]]\nprefix = "{h}"\nlocation = "{address}/{h}"\ninsecure = true\n\n' for h in hosts)
