//! The two schemas, field by field, in the order of oc-mirror's `types_config.go` and `type_config.go`.

use super::super::fields::Fields;
use super::super::finding::nearest;
use super::super::model::{
    AdditionalImage, ApiVersion, ChannelSet, ImageSet, Located, OperatorSet, OsArch, PackageSet,
    PlatformSet, Product, ReleaseChannel, VersionRange,
};
use super::unique::{self, Targets};

const ARCHITECTURES: [&str; 5] = ["amd64", "arm64", "ppc64le", "s390x", "multi"];

/// Reads the root map.
pub(super) fn imageset(fields: &mut Fields<'_>, api: ApiVersion) -> ImageSet {
    let mut imageset = ImageSet {
        api,
        platform: PlatformSet::default(),
        operators: Vec::new(),
        additional_images: Vec::new(),
        blocked_images: Vec::new(),
        helm_charts: Vec::new(),
    };
    fields.text("apiVersion");
    fields.text("kind");
    fields.check_integer("archiveSize");
    if api == ApiVersion::V1Alpha2 {
        fields.object("storageConfig", "StorageConfig", storage_config);
    }
    // `delete` has a message of its own.
    if api == ApiVersion::V2Alpha1 {
        fields.ignore("delete");
    }
    fields.object("mirror", "Mirror", |mirror| {
        read_mirror(mirror, &mut imageset);
    });
    imageset
}

fn read_mirror(mirror: &mut Fields<'_>, imageset: &mut ImageSet) {
    let v2 = imageset.api == ApiVersion::V2Alpha1;
    imageset.platform = mirror
        .object("platform", "Platform", |fields| platform(fields, v2))
        .unwrap_or_default();
    imageset.operators = mirror.list("operators", "Operator", |fields| operator(fields, v2));
    let image = if v2 { "AdditionalImage" } else { "Image" };
    imageset.additional_images = mirror.list("additionalImages", image, |fields| {
        additional_image(fields, v2)
    });
    imageset.helm_charts = mirror
        .object("helm", "Helm", |fields| helm(fields, v2))
        .unwrap_or_default();
    let image = if v2 { "BlockedImage" } else { "Image" };
    imageset.blocked_images = mirror.list("blockedImages", image, |fields| fields.text("name"));
    let sample = if v2 { "SampleImage" } else { "SampleImages" };
    for name in mirror.list("samples", sample, |fields| fields.text("name")) {
        let message = format!(
            "sample {:?} is not mirrored: oc-mirror never implemented samples",
            name.value
        );
        mirror.sink().warn(name.at, message, None);
    }
}

/// The metadata backend of oc-mirror v1; nothing is kept between runs here.
fn storage_config(fields: &mut Fields<'_>) {
    fields.object("registry", "RegistryConfig", |registry| {
        registry.text("imageURL");
        registry.flag("skipTLS");
    });
    fields.object("local", "LocalConfig", |local| local.text("path"));
}

fn platform(fields: &mut Fields<'_>, v2: bool) -> PlatformSet {
    let mut platform = PlatformSet {
        graph: fields.flag("graph"),
        channels: fields.list("channels", "ReleaseChannel", release_channel),
        ..PlatformSet::default()
    };
    let architectures = fields.texts("architectures");
    if v2 {
        platform.release = fields.optional("release");
        platform.kubevirt_container = fields.flag("kubeVirtContainer");
        platform.platforms = platforms(fields);
    }
    for architecture in &architectures {
        if !ARCHITECTURES.contains(&architecture.value.as_str()) {
            let message = format!("unknown architecture {:?}", architecture.value);
            fields.sink().warn(
                architecture.at,
                message,
                Some(one_of(&architecture.value, &ARCHITECTURES)),
            );
        }
    }
    platform.architectures = architectures.into_iter().map(|a| a.value).collect();
    if !platform.platforms.is_empty() && !platform.architectures.is_empty() {
        fields.sink().error(fields.at(), BOTH_PLATFORMS);
    }
    platform
}

const BOTH_PLATFORMS: &str = "invalid configuration: platform.platforms and platform.architectures cannot be used together; \
use platform.platforms for sparse manifest filtering (requires disabling manifest list blob checks on container registry side), \
or platform.architectures (deprecated) for OCP multi payload or single arch payloads";

fn platforms(fields: &mut Fields<'_>) -> Vec<OsArch> {
    fields.list("platforms", "InstancePlatformFilter", |platform| {
        let (os, architecture) = (platform.text("os"), platform.text("architecture"));
        if os.value.is_empty() || architecture.value.is_empty() {
            let hint = Some("write both, e.g. `{os: linux, architecture: amd64}`".to_owned());
            let message = "a platform needs an os and an architecture";
            platform.sink().warn(platform.at(), message, hint);
        }
        OsArch {
            os: os.value,
            architecture: architecture.value,
        }
    })
}

fn release_channel(fields: &mut Fields<'_>) -> ReleaseChannel {
    let name = fields.text("name");
    let product = match fields.optional("type") {
        Some(product) if product.value == "okd" => Product::Okd,
        Some(product) if product.value != "ocp" => {
            let message = format!("unknown type {:?} is taken as ocp", product.value);
            let hint = one_of(&product.value, &["ocp", "okd"]);
            fields.sink().warn(product.at, message, Some(hint));
            Product::Ocp
        }
        _ => Product::Ocp,
    };
    ReleaseChannel {
        name,
        product,
        min_version: fields.optional("minVersion"),
        max_version: fields.optional("maxVersion"),
        shortest_path: fields.flag("shortestPath"),
        full: fields.flag("full"),
    }
}

fn operator(fields: &mut Fields<'_>, v2: bool) -> OperatorSet {
    let packages = fields.list("packages", "IncludePackage", |package| {
        read_package(package, v2)
    });
    let catalog = fields.text("catalog");
    let target_catalog = fields.optional("targetCatalog");
    let target_tag = fields.optional("targetTag");
    let mut target_name = None;
    if v2 {
        fields.optional("targetCatalogSourceTemplate");
        platforms(fields);
    } else {
        target_name = fields.optional("targetName");
        fields.optional("originalRef");
    }
    let targets = Targets {
        catalog: target_catalog.as_ref().map(|t| t.value.as_str()),
        name: target_name.as_ref().map(|t| t.value.as_str()),
        tag: target_tag.as_ref().map(|t| t.value.as_str()),
    };
    let unique_name = if v2 {
        unique::v2(&catalog.value, &targets).unwrap_or_else(|error| {
            let target_at = target_catalog
                .as_ref()
                .map_or(catalog.at, |target| target.at);
            let at = if error.about_target {
                target_at
            } else {
                catalog.at
            };
            fields
                .sink()
                .error(at, format!("invalid configuration: {}", error.message));
            String::new()
        })
    } else {
        unique::v1(&catalog.value, &targets)
    };
    OperatorSet {
        catalog,
        unique_name,
        full: fields.flag("full"),
        skip_dependencies: fields.flag("skipDependencies"),
        packages,
    }
}

fn read_package(fields: &mut Fields<'_>, v2: bool) -> PackageSet {
    PackageSet {
        name: fields.text("name"),
        channels: fields.list("channels", "IncludeChannel", |channel| ChannelSet {
            name: channel.text("name"),
            range: range(channel, v2),
        }),
        default_channel: fields.optional("defaultChannel"),
        range: range(fields, v2),
    }
}

fn range(fields: &mut Fields<'_>, v2: bool) -> VersionRange {
    VersionRange {
        min: fields.optional("minVersion"),
        max: fields.optional("maxVersion"),
        min_bundle: if v2 {
            None
        } else {
            fields.optional("minBundle")
        },
    }
}

fn additional_image(fields: &mut Fields<'_>, v2: bool) -> AdditionalImage {
    let mut image = AdditionalImage {
        name: fields.text("name"),
        ..AdditionalImage::default()
    };
    if v2 {
        image.target_repo = fields.optional("targetRepo").map(|text| text.value);
        image.target_tag = fields.optional("targetTag").map(|text| text.value);
        platforms(fields);
    }
    image
}

/// Charts by name, each with a warning.
fn helm(fields: &mut Fields<'_>, v2: bool) -> Vec<Located<String>> {
    let chart = |fields: &mut Fields<'_>| {
        let name = fields.text("name");
        fields.optional("version");
        fields.optional("path");
        fields.texts("imagePaths");
        if v2 {
            platforms(fields);
        }
        name
    };
    let repositories = fields.list("repositories", "Repository", |repository| {
        repository.text("url");
        let name = repository.text("name");
        let charts = repository.list("charts", "Chart", chart);
        if charts.is_empty() {
            vec![name]
        } else {
            charts
        }
    });
    let local = fields.list("local", "Chart", chart);
    let charts: Vec<_> = repositories.into_iter().flatten().chain(local).collect();
    for chart in &charts {
        let message = format!(
            "helm chart {:?} is not resolved, its images are left out",
            chart.value
        );
        let hint = "list the chart's images under `additionalImages`".to_owned();
        fields.sink().warn(chart.at, message, Some(hint));
    }
    charts
}

fn one_of(word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known are {}", known.join(", ")),
    }
}

/// Fills in what is absent: the architectures, when releases are asked for.
pub(super) fn complete(imageset: &mut ImageSet) {
    let platform = &mut imageset.platform;
    if platform.channels.is_empty() || !platform.architectures.is_empty() {
        return;
    }
    for named in &platform.platforms {
        if !platform.architectures.contains(&named.architecture) {
            platform.architectures.push(named.architecture.clone());
        }
    }
    if platform.architectures.is_empty() {
        platform.architectures.push("amd64".to_owned());
    }
}
