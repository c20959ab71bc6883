//! Every field of `factory.yaml`, once: the reader, the JSON Schema and the command lines of the steps are made of this table.

/// A section of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// `release`: what to install; flags of `precache download`.
    Release,
    /// `download`: where to and how; flags of `precache download`.
    Download,
    /// An entry of `disks`; flags of `precache partition`.
    Disk,
    /// `install`; flags of `ignition create`.
    Install,
    /// `iso`; flags of `iso build`.
    Iso,
    /// `rates`: what the plan's times are estimated from.
    Rates,
}

impl Section {
    /// All of them, in the order of the file.
    pub const ALL: [Self; 6] = [
        Self::Release,
        Self::Download,
        Self::Disk,
        Self::Install,
        Self::Iso,
        Self::Rates,
    ];

    /// Its key; that of the list for an entry of it.
    pub fn key(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Download => "download",
            Self::Disk => "disks",
            Self::Install => "install",
            Self::Iso => "iso",
            Self::Rates => "rates",
        }
    }

    /// Its fields, in the order of the file.
    pub fn fields(self) -> impl Iterator<Item = &'static Field> {
        FIELDS.iter().filter(move |field| field.section == self)
    }

    /// The field of a key.
    pub fn field(self, key: &str) -> Option<&'static Field> {
        self.fields().find(|field| field.key == key)
    }
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text, or a number as written.
    Text,
    /// Three numbers, `X.Y.Z`.
    Version,
    /// A path, relative to the file.
    Path,
    /// A whole number within bounds.
    Whole {
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// `true` gives the flag.
    Switch,
    /// A flag that takes `true` or `false`.
    Bool,
    /// One of these.
    Choice(&'static [&'static str]),
    /// A rate, as `20M` or `200mbit`.
    Rate,
    /// A place in a registry: `host[:port][/path]`.
    Registry,
    /// A registry to pull from first: the same, or a map of `source` and `mirror`; read as `[SOURCE=]REGISTRY`.
    Mirror,
}

/// One field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Where it is.
    pub section: Section,
    /// Its key.
    pub key: &'static str,
    /// The flag of the same meaning, without dashes (one letter: a short one); empty where it is no flag of its own.
    pub flag: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// Whether it is a list of such values.
    pub list: bool,
    /// One sentence about it.
    pub about: &'static str,
}

const fn field(
    section: Section,
    (key, flag): (&'static str, &'static str),
    kind: Kind,
    about: &'static str,
) -> Field {
    Field {
        section,
        key,
        flag,
        kind,
        list: false,
        about,
    }
}

const fn list(
    section: Section,
    names: (&'static str, &'static str),
    kind: Kind,
    about: &'static str,
) -> Field {
    let mut one = field(section, names, kind, about);
    one.list = true;
    one
}

use Kind::{Bool, Choice, Mirror, Path, Rate, Registry, Switch, Text, Version, Whole};
use Section::{Disk, Download, Install, Iso, Rates, Release};

/// All fields.
#[rustfmt::skip]
pub const FIELDS: [Field; 77] = [
    field(Release, ("version", "release"), Version, "OpenShift release."),
    list(Release, ("arch", "arch"), Choice(&["amd64", "arm64", "ppc64le", "s390x", "multi"]), "Architectures; without it the image set's, else amd64."),
    field(Release, ("allArch", "all-arch"), Switch, "Take every architecture of each image."),
    field(Release, ("image", "release-image"), Text, "Release payload to use instead of the update graph."),
    field(Release, ("acmVersion", "acm-version"), Version, "Advanced Cluster Management version."),
    field(Release, ("mceVersion", "mce-version"), Version, "Multicluster engine version."),
    field(Release, ("duProfile", "du-profile"), Switch, "Include the operators of the telco DU profile."),
    list(Release, ("aiImages", "ai-img"), Text, "Further images for the live stage."),
    list(Release, ("images", "img"), Text, "Additional images."),
    field(Release, ("catalogRedhatOperators", "catalog-redhat-operators"), Text, "Catalog to use instead of redhat-operator-index."),
    field(Release, ("catalogCertifiedOperators", "catalog-certified-operators"), Text, "Catalog to use instead of certified-operator-index."),
    field(Release, ("filter", "filter"), Path, "File with `patterns:` of images to leave out."),
    field(Release, ("graph", "graph"), Path, "Saved update graph to use instead of the service."),
    field(Release, ("ignoreReleaseSignature", "ignore-release-signature"), Switch, "Do not look for release signatures."),
    field(Release, ("mapping", "mapping"), Path, "Start from an existing mapping.txt instead of an image set."),

    field(Download, ("folder", "folder"), Path, "Directory for the data."),
    field(Download, ("parallel", "parallel"), Whole { min: 1, max: 256 }, "Transfers in flight."),
    field(Download, ("rmStale", "rm-stale"), Switch, "Remove what the inventory no longer names."),
    list(Download, ("rootfsUrl", "rootfs-url"), Text, "Files to download into FOLDER/files (the RHCOS rootfs)."),
    field(Download, ("authfile", "authfile"), Path, "Credentials; without it the places where podman and skopeo look."),
    field(Download, ("registriesConf", "registries-conf"), Path, "registries.conf (version 2) with mirrors."),
    list(Download, ("mirrors", "mirror"), Mirror, "Registries to pull from first, before those of registriesConf; `push` of another bench fills them."),
    list(Download, ("push", ""), Registry, "Registries to push every image to when the download is done."),
    field(Download, ("certDir", "cert-dir"), Path, "Directory with a private CA and client certificates."),
    field(Download, ("tlsVerify", "tls-verify"), Bool, "Require HTTPS with a valid certificate."),
    field(Download, ("limitRate", "limit-rate"), Rate, "Cap on the download rate."),

    field(Disk, ("device", "device"), Text, "Disk: /dev/…, serial=… or wwn=…; what is on it stays unless `wipe`."),
    field(Disk, ("image", ""), Path, "Image file to make instead, as large as its partition needs."),
    field(Disk, ("size", "size"), Whole { min: 1, max: 1 << 20 }, "Size of the partition in GiB; 100 when it is not said."),
    field(Disk, ("number", "number"), Whole { min: 1, max: 128 }, "Number of the partition."),
    field(Disk, ("label", "label"), Text, "Label of the partition and of its filesystem."),
    field(Disk, ("fs", "fs"), Choice(&["xfs", "ext4", "vfat"]), "Filesystem."),
    field(Disk, ("wipe", "wipe"), Switch, "Make a new partition table: everything on the disk is lost."),

    field(Install, ("pullSecret", "pull-secret"), Path, "Pull secret that the clusters get."),
    field(Install, ("sshKey", "ssh-key"), Path, "Public SSH key for the user core."),
    field(Install, ("out", "out"), Path, "Directory of the clusters: OUT/HOSTNAME has the Ignition config and the kubeconfig of each."),
    field(Install, ("installer", "installer"), Path, "openshift-install; without it the one of the downloaded release."),
    list(Install, ("machineNetwork", "machine-network"), Text, "Network of machines without a static address; one per address family."),
    list(Install, ("clusterNetwork", "cluster-network"), Text, "Network of the pods; one per address family."),
    list(Install, ("serviceNetwork", "service-network"), Text, "Network of the services; one per address family."),
    field(Install, ("networkType", "network-type"), Text, "Network plugin; OVNKubernetes when it is not said."),
    field(Install, ("arch", "arch"), Choice(&["amd64", "arm64", "ppc64le", "s390x"]), "Architecture of the machines; amd64 when it is not said."),
    field(Install, ("fips", "fips"), Switch, "Validated cryptography only."),
    field(Install, ("additionalTrustBundle", "additional-trust-bundle"), Path, "PEM certificates that the machines trust."),
    field(Install, ("extend", "extend"), Text, "How long the certificates shall live at least: 365d, 12w, 48h; 24 hours when it is not said."),
    field(Install, ("parallel", "parallel"), Whole { min: 1, max: 64 }, "Installers at work at once."),
    field(Install, ("force", "force"), Switch, "Replace configs of other inputs, and those that have expired."),

    field(Iso, ("live", "iso"), Path, "Live ISO."),
    field(Iso, ("ignition", "ignition"), Path, "Ignition config of the sites that name none."),
    field(Iso, ("out", "o"), Path, "Directory of the ISOs and of sites.json."),
    field(Iso, ("cluster", "cluster"), Text, "Name of the cluster of the sites that name none; else the first label of the hostname."),
    field(Iso, ("domain", "domain"), Text, "Base domain of the clusters: the API is api.CLUSTER.DOMAIN."),
    field(Iso, ("interface", "interface"), Text, "Interface of the sites that name none."),
    field(Iso, ("netmask", "netmask"), Text, "Netmask of addresses without a prefix length."),
    list(Iso, ("gateway", "gateway"), Text, "Gateway of the sites that name none; one per address family."),
    list(Iso, ("nameserver", "nameserver"), Text, "Name servers of the sites that name none."),
    field(Iso, ("vlan", "vlan"), Text, "VLAN on the interface: ID, or NAME:ID."),
    field(Iso, ("bond", "bond"), Text, "Bond in place of an interface."),
    list(Iso, ("networkKeyfile", "network-keyfile"), Path, "NetworkManager keyfiles in place of the above."),
    list(Iso, ("ntp", "ntp"), Text, "NTP servers for both stages."),
    field(Iso, ("installationDisk", "installation-disk"), Text, "Disk to install to, a path below /dev."),
    field(Iso, ("loader", "loader"), Choice(&["registry", "copy"]), "How images get into the containers' storage."),
    field(Iso, ("label", "label"), Text, "Partition label of the data partition."),
    field(Iso, ("savePartlabel", "save-partlabel"), Text, "Partition label that the installation keeps."),
    field(Iso, ("motd", "motd"), Path, "Text for people who log in."),
    field(Iso, ("inventory", "inventory"), Path, "Inventory to mirror by repository instead of whole registries."),
    field(Iso, ("embedPullSecret", "embed-pull-secret"), Switch, "Put the pull secret of `download.authfile` into the live stage."),
    field(Iso, ("noPatch", "no-patch"), Switch, "Embed the config without patching it for the data partition."),
    list(Iso, ("karg", "karg"), Text, "Kernel arguments to append."),
    list(Iso, ("kargDelete", "karg-delete"), Text, "Default kernel arguments to delete."),
    list(Iso, ("kargReplace", "karg-replace"), Text, "Default kernel arguments to replace, KEY=OLD=NEW."),
    field(Iso, ("noSha256", "no-sha256"), Switch, "Do not compute the SHA-256 of each ISO."),
    field(Iso, ("force", "force"), Switch, "Replace what the live ISO has embedded, and ISOs of other inputs."),

    field(Rates, ("download", ""), Rate, "Of the registry or the mirror; 100mbit when it is not said."),
    field(Rates, ("disk", ""), Rate, "Of a data disk, written or read; 100M when it is not said."),
    field(Rates, ("push", ""), Rate, "Of a registry that is pushed to; 100M when it is not said."),
    field(Rates, ("iso", ""), Rate, "Of ISOs, copied and hashed; 500M when it is not said."),
];
