//! The traps of an installation that the API shows, each with its cure (seed 003, "Troubleshooting").

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::requests::{self, Judge, State};
use super::stage::MACHINE_STATE;
use super::{Facts, Stage, age, condition, has, lasting, moment, short, since};
use crate::objects::Finding;
use crate::objects::json::{list, name, text};

/// The network plugin of a healthy installation needs up to six minutes.
const NETWORK: Duration = Duration::from_mins(10);
/// A kubelet posts every ten seconds, and is taken for lost after forty.
const SILENT: Duration = Duration::from_mins(5);
/// The installed system approves its own requests every ten seconds, until the node is ready.
const DECIDED: Duration = Duration::from_mins(2);
/// Operators are degraded for a while in every installation.
const DEGRADED: Duration = Duration::from_mins(10);
/// What a difference of clocks is found at.
pub(super) const CLOCK: &str = "the machine's clock";
/// More of one kind say nothing new.
const MOST: usize = 5;
const MACHINE_REASON: &str = "/metadata/annotations/machineconfiguration.openshift.io~1reason";

pub(super) const EXTEND: &str = "make the config anew (`openshift-install create single-node-ignition-config`), or give it certificates that live longer (`snoforge ignition certs IN.ign --extend 365d -o OUT.ign`); then `snoforge iso build` and boot that";
pub(super) const CLOCKS: &str = "set both clocks: `timedatectl` here, and on the machine `chronyc sources` or its firmware's clock; `snoforge iso build --ntp HOST` gives the machine a time server";

/// The traps that the cluster's objects show.
pub(super) fn of_cluster(facts: &Facts, judge: &Judge<'_>, now: Timestamp) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(node) = facts.node() {
        found.extend(network(node, now));
        found.extend(silent(node, now));
        found.extend(pressure(node));
        found.extend(machine_config(facts, node));
    }
    found.extend(images(facts.pods()));
    found.extend(undecided(facts, judge, now));
    found.extend(degraded(facts, now));
    found.extend(expired(facts));
    found
}

fn network(node: &Value, now: Timestamp) -> Option<Finding> {
    let ready = condition(node, "Ready").filter(|c| text(c, "/status") != "True")?;
    let lasting = lasting(ready, now);
    let says = text(ready, "/message");
    (says.contains("No CNI configuration file") && lasting >= NETWORK).then(|| {
        Finding::error(
            "cni",
            format!("node {}", name(node)),
            format!("no network for {}: No CNI configuration file in /etc/kubernetes/cni/net.d/; the network plugin hangs", age(lasting)),
            "reboot the node once (`ssh core@NODE sudo systemctl reboot`): it comes up with its network, and the installation goes on",
        )
    })
}

fn silent(node: &Value, now: Timestamp) -> Option<Finding> {
    let ready = condition(node, "Ready").filter(|c| text(c, "/status") == "Unknown")?;
    let lasting = lasting(ready, now);
    (lasting >= SILENT).then(|| {
        Finding::error(
            "silent-kubelet",
            format!("node {}", name(node)),
            format!("the kubelet has not posted its status for {}: {}", age(lasting), short(text(ready, "/message"))),
            "look at `journalctl -u kubelet` on the machine: a certificate that expired while it was off says so there, and `oc get csr` shows what it asks for",
        )
    })
}

fn pressure(node: &Value) -> Vec<Finding> {
    let kinds = [
        (
            "DiskPressure",
            "free space below /var: remove the copied images (`snoforge node finish`), or install onto a larger disk; 120 GB is the least",
        ),
        (
            "MemoryPressure",
            "a Single Node needs 16 GB of memory and more",
        ),
        ("PIDPressure", "look at what runs on the machine"),
    ];
    let holds = kinds
        .into_iter()
        .filter(|(kind, _)| has(node, kind, "True"));
    let finding = |(kind, cure): (&str, &str)| {
        let said = condition(node, kind).map_or("", |c| text(c, "/message"));
        Finding::error(
            "pressure",
            format!("node {}", name(node)),
            format!("{kind}: {}", short(said)),
            cure,
        )
    };
    holds.map(finding).collect()
}

fn machine_config(facts: &Facts, node: &Value) -> Option<Finding> {
    let pool = facts.pool().and_then(|pool| {
        let kinds = ["RenderDegraded", "NodeDegraded", "Degraded"];
        let kind = kinds.into_iter().find(|kind| has(pool, kind, "True"))?;
        let says = short(text(condition(pool, kind)?, "/message"));
        Some(format!("the pool master is degraded ({kind}): {says}"))
    });
    let daemon = || {
        let says = short(text(node, MACHINE_REASON));
        (text(node, MACHINE_STATE) == "Degraded")
            .then(|| format!("the machine-config-daemon gave up: {says}"))
    };
    let message = pool.or_else(daemon)?;
    let cure = "`oc describe mcp master` and the log of the machine-config-daemon name the file or image; mend the manifest of that name in the installation, or its source";
    Some(Finding::error(
        "machine-config",
        format!("node {}", name(node)),
        message,
        cure,
    ))
}

/// Pods that wait for an image.
fn images(pods: &[Value]) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for pod in pods {
        let init = list(pod, "/status/initContainerStatuses").iter();
        for container in init.chain(list(pod, "/status/containerStatuses")) {
            let image = text(container, "/image");
            let backing_off = text(container, "/state/waiting/reason") == "ImagePullBackOff";
            if !backing_off || found.len() == MOST || found.iter().any(|f| f.object == image) {
                continue;
            }
            found.push(Finding::error(
                "image-pull",
                image,
                format!("pod {}/{} cannot pull it; a machine with a data disk has every image of its release: the data partition is not served, or the image is not on it", text(pod, "/metadata/namespace"), name(pod)),
                "on the machine `snoforge node status` tells whether the partition is there, the registry answers and the image is on it; here `snoforge precache list -f DIR` shows what the disk holds",
            ));
        }
    }
    found
}

fn undecided(facts: &Facts, judge: &Judge<'_>, now: Timestamp) -> Vec<Finding> {
    let waiting = |request: &&Value| {
        let asked = moment(request, "/metadata/creationTimestamp");
        requests::state(request) == State::Pending
            && asked.is_some_and(|then| since(then, now) >= DECIDED)
    };
    let finding = |request: &Value| {
        let asked = moment(request, "/metadata/creationTimestamp").unwrap_or(now);
        let (doubt, cure) = match judge.judge(request) {
            Ok(()) => (
                String::new(),
                format!(
                    "`--approve-csr` approves it, or `{}`",
                    requests::by_hand(request)
                ),
            ),
            Err(why) => (
                format!("; it may not be the node's own: {why}"),
                format!(
                    "look at it (`oc describe csr {}`); if it is right, `{}`",
                    name(request),
                    requests::by_hand(request)
                ),
            ),
        };
        Finding::error(
            "certificate-request",
            requests::shown(request),
            format!(
                "pending for {}, and nobody approves it{doubt}",
                age(since(asked, now))
            ),
            cure,
        )
    };
    let all = facts.requests().iter().filter(waiting);
    all.take(MOST).map(finding).collect()
}

fn degraded(facts: &Facts, now: Timestamp) -> Vec<Finding> {
    let stuck = |operator: &&Value| {
        condition(operator, "Degraded")
            .is_some_and(|c| text(c, "/status") == "True" && lasting(c, now) >= DEGRADED)
    };
    let finding = |operator: &Value| {
        let said = condition(operator, "Degraded");
        let lasting = said.map_or(Duration::ZERO, |c| lasting(c, now));
        let said = said.map_or("", |c| text(c, "/message"));
        Finding::error(
            "operator",
            format!("operator {}", name(operator)),
            format!("degraded for {}: {}", age(lasting), short(said)),
            format!("`oc describe co {}`, then the pods of its namespace (`oc get pods -A | grep -v Running`)", name(operator)),
        )
        .warning()
    };
    facts
        .operators()
        .iter()
        .filter(stuck)
        .take(MOST)
        .map(finding)
        .collect()
}

/// What Go says of a certificate outside its time, wherever an object quotes it.
fn expired(facts: &Facts) -> Option<Finding> {
    const SAYS: &str = "x509: certificate has expired or is not yet valid: current time ";
    let conditions = |object: &Value| {
        let all = list(object, "/status/conditions").iter();
        all.map(|c| text(c, "/message").to_owned())
            .collect::<Vec<_>>()
    };
    let all = facts
        .operators()
        .iter()
        .chain(facts.node())
        .chain(facts.version());
    let (object, says) = all
        .flat_map(|object| {
            conditions(object)
                .into_iter()
                .map(move |says| (object, says))
        })
        .find(|(_, says)| says.contains(SAYS))?;
    let kind = text(object, "/kind");
    let object = format!(
        "{} {}",
        if kind.is_empty() { "object" } else { kind },
        name(object)
    );
    let words = says.split_once(SAYS).map_or("", |(_, rest)| rest);
    let mut words = words.split_whitespace();
    let mut time = || {
        words
            .next()
            .unwrap_or_default()
            .trim_end_matches(|c: char| !c.is_ascii_alphanumeric())
            .to_owned()
    };
    let (current, is, limit) = (time(), time(), time());
    if is == "is" && limit == "before" {
        let message =
            format!("a certificate is not valid yet: the clock that looked at it says {current}");
        return Some(Finding::error("clock", object, message, CLOCKS));
    }
    let end = time();
    let message = format!("a certificate has expired ({end}): the bootstrap's live for 24 hours");
    Some(Finding::error(
        "expired-certificate",
        object,
        message,
        EXTEND,
    ))
}

/// The live system came up a second time: another cluster answers with the certificates of the same medium.
pub(super) fn booted_again() -> Finding {
    Finding::error(
        "boots-again",
        "boot order",
        "the machine booted the medium again instead of its own disk: it bootstraps a new cluster, and will write the disk once more",
        "let it come to its next reboot, and pull the stick then, or put the disk first in the firmware's boot order",
    )
}

/// How far the machine's clock is from this one, when that is too far.
pub(super) fn skew(heartbeat: Timestamp, now: Timestamp) -> Option<Finding> {
    const MOST: Duration = Duration::from_mins(2);
    let (ahead, behind) = (since(now, heartbeat), since(heartbeat, now));
    let (by, word) = if ahead > behind {
        (ahead, "ahead of")
    } else {
        (behind, "behind")
    };
    (by > MOST).then(|| {
        let message = format!("it is {} {word} this one", age(by));
        Finding::error("clock", CLOCK, message, CLOCKS).warning()
    })
}

/// A stage that lasts too long.
pub(super) fn slow(stage: Stage, lasting: Duration) -> Option<Finding> {
    if lasting < stage.patience() || stage == Stage::Complete {
        return None;
    }
    let cure = match stage {
        Stage::Api => {
            "at the machine or over ssh (core@): does it run the live system, has it its address (`ip a`), and what do `journalctl -b -u bootkube -u kubelet -u release-image` and `snoforge node status` say"
        }
        Stage::Bootstrap => {
            "over ssh (core@): `journalctl -b -u bootkube` says which component it waits for"
        }
        Stage::Reboot => {
            "look at the machine's screen: does it boot from its own disk (was the stick pulled, or the boot order changed), and what does `journalctl -b -u machine-config-daemon-firstboot -u machine-config-daemon-pull` say"
        }
        Stage::Node | Stage::Ready => {
            "over ssh (core@): `journalctl -b -u kubelet -u bootkube -u nodeip-configuration`"
        }
        Stage::MachineConfig => {
            "the log of the machine-config-daemon (`oc logs -n openshift-machine-config-operator ds/machine-config-daemon`)"
        }
        _ => {
            "`oc get co` and `oc get pods -A | grep -v Running` show what hangs; `oc adm must-gather` keeps it for others"
        }
    };
    let message = format!(
        "it lasts for {} now; {} is long for it",
        age(lasting),
        age(stage.patience())
    );
    Some(Finding::error("slow", format!("stage {stage}"), message, cure).warning())
}
