//! An API that does not answer, or lets nobody in: what that means, and whether it is the end.

use jiff::Timestamp;

use super::traps::{CLOCKS, EXTEND};
use super::{Stage, Verdict, age, short, since};
use crate::cluster::Reason;
use crate::objects::Finding;

/// What to do where the system that answers may be the installed one.
const OWN_DISK: &str = "a machine that runs its own disk (it was off for a day, say) makes new ones by itself: wait, and look at `oc get csr` when it answers";

/// The trap that an API is in which does not answer, in the furthest stage that was seen.
pub(super) fn trap(stage: Stage, server: &str, reason: &Reason, now: Timestamp) -> Option<Finding> {
    let (rule, message, cure) = match reason {
        Reason::CertificateExpired(end) => (
            "expired-certificate",
            format!(
                "the API's certificate expired on {} ({} ago); those of a boot medium live for 24 hours",
                day(*end),
                age(since(*end, now))
            ),
            if stage == Stage::Bootstrap {
                EXTEND.to_owned()
            } else {
                format!("{OWN_DISK}. One that runs the boot medium: {EXTEND}")
            },
        ),
        Reason::CertificateNotYetValid(begin) => (
            "clock",
            format!(
                "the API's certificate is valid from {} on, which is {} ahead: this clock is behind, or the machine's is ahead",
                day(*begin),
                age(since(now, *begin))
            ),
            CLOCKS.to_owned(),
        ),
        Reason::Tls(_) => (
            "another-server",
            format!(
                "{reason}: what answers there is another cluster, or another install of this one"
            ),
            "check that the kubeconfig (auth/kubeconfig) is of the config that the machine booted, and that nothing else has its address"
                .to_owned(),
        ),
        Reason::Connect(said) if said.contains("lookup address") => (
            "dns",
            "its name does not resolve here".to_owned(),
            "`snoforge site dns` prints the records that the site needs: api, api-int and *.apps".to_owned(),
        ),
        _ => return None,
    };
    Some(Finding::error(rule, server, message, cure))
}

/// Whether the machine can never get over it by itself: a live system that was seen to bootstrap has no other certificates, so a new
/// medium is the only way. As long as nothing was seen, the machine may run its own disk, whose system renews them.
/// `met`: this user was let in before, so a refusal is that of an API which takes its new configuration.
pub(super) fn is_end(stage: Stage, met: bool, reason: &Reason) -> bool {
    (!met && matches!(reason, Reason::Unauthorized | Reason::Forbidden(_)))
        || (stage == Stage::Bootstrap && matches!(reason, Reason::CertificateExpired(_)))
}

/// The end that such a reason is.
pub(super) fn end(stage: Stage, server: &str, reason: &Reason, now: Timestamp) -> Verdict {
    match (trap(stage, server, reason, now), reason) {
        (Some(trap), _) => Verdict::Failed {
            reason: format!("{server}: {}", trap.message),
            cure: trap.cure,
        },
        (None, Reason::Unauthorized) => Verdict::Failed {
            reason: format!("{server}: {reason}"),
            cure: "the kubeconfig is of another installation, or its certificate has expired: take auth/kubeconfig of the config that the machine booted".to_owned(),
        },
        _ => Verdict::Failed {
            reason: format!("{server}: {reason}"),
            cure: "take a kubeconfig whose user may read nodes, as auth/kubeconfig of the installation".to_owned(),
        },
    }
}

/// Why an API does not answer, for people.
pub(super) fn plainly(reason: &Reason) -> String {
    match reason {
        Reason::Connect(said) if said.contains("refused") => {
            "the machine is up, no API listens yet (connection refused)".to_owned()
        }
        Reason::Connect(said) if said.contains("lookup address") => {
            "its name does not resolve here".to_owned()
        }
        Reason::Connect(said)
            if said.contains("time limit")
                || said.contains("o route")
                || said.contains("nreachable") =>
        {
            format!("the machine does not answer ({})", said.to_lowercase())
        }
        Reason::Busy(_) | Reason::Absent(_) => {
            format!("the API starts ({})", short(&reason.to_string()))
        }
        Reason::Answer(_) | Reason::Slow(_) => {
            format!("the API went away ({})", short(&reason.to_string()))
        }
        _ => short(&reason.to_string()),
    }
}

fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
