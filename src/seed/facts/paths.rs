//! API paths of the answers, as they are asked for.

/// Namespaces.
pub const NAMESPACES: &str = "/api/v1/namespaces";
/// Nodes.
pub const NODES: &str = "/api/v1/nodes";
/// Persistent volumes.
pub const VOLUMES: &str = "/api/v1/persistentvolumes";
/// Pods of all namespaces.
pub const PODS: &str = "/api/v1/pods";
/// The cluster's pull secret.
pub const PULL_SECRET: &str = "/api/v1/namespaces/openshift-config/secrets/pull-secret";
/// The user's CA bundle.
pub const USER_CA: &str = "/api/v1/namespaces/openshift-config/configmaps/user-ca-bundle";
/// The install config.
pub const INSTALL_CONFIG: &str = "/api/v1/namespaces/kube-system/configmaps/cluster-config-v1";
/// Custom resource definitions.
pub const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
/// Deployments of all namespaces.
pub const DEPLOYMENTS: &str = "/apis/apps/v1/deployments";
/// The cluster's version.
pub const VERSION: &str = "/apis/config.openshift.io/v1/clusterversions/version";
/// Cluster operators.
pub const OPERATORS: &str = "/apis/config.openshift.io/v1/clusteroperators";
/// Topology.
pub const INFRASTRUCTURE: &str = "/apis/config.openshift.io/v1/infrastructures/cluster";
/// The proxy.
pub const PROXY: &str = "/apis/config.openshift.io/v1/proxies/cluster";
/// Machine config pools.
pub const POOLS: &str = "/apis/machineconfiguration.openshift.io/v1/machineconfigpools";
/// Machine configs: names only.
pub const CONFIGS: &str = "/apis/machineconfiguration.openshift.io/v1/machineconfigs";
/// Installed operators.
pub const CSVS: &str = "/apis/operators.coreos.com/v1alpha1/clusterserviceversions";
/// Certificate signing requests.
pub const CSRS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
/// Local volumes.
pub const LOCAL_VOLUMES: &str = "/apis/local.storage.openshift.io/v1/localvolumes";
/// LVM clusters.
pub const LVM: &str = "/apis/lvm.topolvm.io/v1alpha1/lvmclusters";
/// OADP applications.
pub const DPAS: &str = "/apis/oadp.openshift.io/v1alpha1/dataprotectionapplications";
/// SR-IOV node states.
pub const SRIOV: &str = "/apis/sriovnetwork.openshift.io/v1/sriovnetworknodestates";
/// ACM hubs.
pub const HUBS: &str = "/apis/operator.open-cluster-management.io/v1/multiclusterhubs";
/// MCE engines.
pub const ENGINES: &str = "/apis/multicluster.openshift.io/v1/multiclusterengines";
/// Seed generators.
pub const GENERATORS: &str = "/apis/lca.openshift.io/v1/seedgenerators";
/// Image based upgrades.
pub const UPGRADES: &str = "/apis/lca.openshift.io/v1/imagebasedupgrades";
/// Address changes, from 4.20.
pub const IP_CONFIGS: &str = "/apis/lca.openshift.io/v1/ipconfigs";
/// Mirrors.
pub const IDMS: &str = "/apis/config.openshift.io/v1/imagedigestmirrorsets";
/// Mirrors, before 4.13.
pub const ICSP: &str = "/apis/operator.openshift.io/v1alpha1/imagecontentsourcepolicies";

/// Without these nothing can be said.
pub const REQUIRED: [&str; 16] = [
    NAMESPACES,
    NODES,
    VOLUMES,
    PODS,
    PULL_SECRET,
    INSTALL_CONFIG,
    CRDS,
    DEPLOYMENTS,
    VERSION,
    OPERATORS,
    INFRASTRUCTURE,
    PROXY,
    POOLS,
    CONFIGS,
    CSVS,
    CSRS,
];
/// These may be absent: their operator is not installed, or nobody made one.
pub const OPTIONAL: [&str; 12] = [
    USER_CA,
    LOCAL_VOLUMES,
    LVM,
    DPAS,
    SRIOV,
    HUBS,
    ENGINES,
    GENERATORS,
    UPGRADES,
    IP_CONFIGS,
    IDMS,
    ICSP,
];
/// Of all these, the ones that are one object.
pub(super) const OBJECTS: [&str; 6] = [
    PULL_SECRET,
    USER_CA,
    INSTALL_CONFIG,
    VERSION,
    INFRASTRUCTURE,
    PROXY,
];
/// Lists that have something in them on every cluster.
pub(super) const NEVER_EMPTY: [&str; 6] = [NAMESPACES, NODES, PODS, CRDS, OPERATORS, POOLS];
