//! What is asked of the `ostree` program. Version 2022.7 and newer; its output is read only where it has no other form.

use std::ffi::OsStr;
use std::path::Path;

use super::error::RestoreError;
use super::sysroot::{self, Sysroot};
use super::undo;
use crate::exec;

/// Where ostree keeps a ref for each deployment: one tree per boot version.
pub(super) const DEPLOYMENT_REFS: [&str; 2] = ["ostree/0", "ostree/1"];

fn ostree(step: String, args: &[&OsStr]) -> Result<String, RestoreError> {
    let out = exec::run("ostree", args).map_err(RestoreError::program(step))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn admin(
    sysroot: &Sysroot,
    step: impl Into<String>,
    verb: &str,
    args: &[&str],
) -> Result<String, RestoreError> {
    let mut all: Vec<&OsStr> = vec!["admin".as_ref(), verb.as_ref(), "--sysroot".as_ref()];
    all.push(sysroot.path().as_os_str());
    all.extend(args.iter().map(OsStr::new));
    ostree(step.into(), &all)
}

fn in_repo(
    sysroot: &Sysroot,
    (step, verb): (&str, &str),
    args: &[&OsStr],
) -> Result<String, RestoreError> {
    let repo = sysroot.repo();
    let mut all: Vec<&OsStr> = vec![verb.as_ref(), "--repo".as_ref(), repo.as_os_str()];
    all.extend(args);
    ostree(step.to_owned(), &all)
}

/// All refs of another repository, and a commit that need not have one. Objects become hard links where both are on one filesystem.
///
/// The other's refs for its own deployments are left out: this ostree makes its own, and refuses them where the commit is bound to
/// another ref.
pub(super) fn pull_local(sysroot: &Sysroot, from: &Path, commit: &str) -> Result<(), RestoreError> {
    for version in DEPLOYMENT_REFS {
        let place = Path::new("refs/heads").join(version);
        let (Some(parent), Some(name)) = (place.parent(), place.file_name()) else {
            continue;
        };
        if let Ok(directory) = sysroot::beneath(from, parent) {
            undo::remove(&sysroot::through(&directory, Path::new(name)))?;
        }
    }
    let step = ("pull the seed's repository", "pull-local");
    in_repo(sysroot, step, &[from.as_os_str()])?;
    in_repo(sysroot, step, &[from.as_os_str(), commit.as_ref()]).map(drop)
}

/// Names of refs, sorted.
pub(super) fn refs(sysroot: &Sysroot) -> Result<Vec<String>, RestoreError> {
    let list = in_repo(sysroot, ("list the repository's refs", "refs"), &[])?;
    let mut refs: Vec<String> = list.lines().map(str::to_owned).collect();
    refs.sort();
    Ok(refs)
}

pub(super) fn delete_ref(sysroot: &Sysroot, name: &str) -> Result<(), RestoreError> {
    let args = ["--delete", name].map(OsStr::new);
    in_repo(sysroot, ("delete a ref of the seed", "refs"), &args).map(drop)
}

pub(super) fn os_init(sysroot: &Sysroot, stateroot: &str) -> Result<(), RestoreError> {
    admin(sysroot, "make the stateroot", "os-init", &[stateroot]).map(drop)
}

/// A commit with the options of [`super::karg_options`]; older deployments stay.
pub(super) fn deploy(
    sysroot: &Sysroot,
    (stateroot, commit): (&str, &str),
    kargs: &[String],
) -> Result<(), RestoreError> {
    let mut args = vec!["--os", stateroot, "--no-prune"];
    args.extend(kargs.iter().map(String::as_str));
    args.push(commit);
    admin(sysroot, "deploy the seed's commit", "deploy", &args).map(drop)
}

pub(super) fn undeploy(sysroot: &Sysroot, index: usize) -> Result<(), RestoreError> {
    let index = index.to_string();
    admin(sysroot, "undeploy", "undeploy", &[&index]).map(drop)
}

/// Drops what no deployment and no ref needs.
pub(super) fn cleanup(sysroot: &Sysroot) -> Result<(), RestoreError> {
    admin(sysroot, "clean up the repository", "cleanup", &[]).map(drop)
}

/// Stateroot and `<commit>.<serial>` of every deployment, in ostree's order.
pub(super) fn deployments(sysroot: &Sysroot) -> Result<Vec<(String, String)>, RestoreError> {
    let status = admin(sysroot, "list the deployments", "status", &[])?;
    Ok(parse_status(&status))
}

/// `* rhcos 0123….0 (pending)`: two columns of marks, stateroot, deployment; further lines of a deployment are indented more.
fn parse_status(text: &str) -> Vec<(String, String)> {
    let line = |line: &str| {
        let rest = line
            .strip_prefix("* ")
            .or_else(|| line.strip_prefix("  "))?;
        let mut words = rest.split(' ');
        let (os, deployment) = (words.next()?, words.next()?);
        deployment.parse::<crate::seed::image::Deployment>().ok()?;
        Some((os.to_owned(), deployment.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_read() {
        let sum = "e".repeat(64);
        let text = format!(
            "  rhcos_4 {sum}.0 (pending)\n    origin refspec: {sum}\n* rhcos {sum}.1\n    Version: 4\n    origin: <unknown origin type>\n  rhcos {sum}.0 (rollback)\n"
        );
        let found = parse_status(&text);
        let expected = [("rhcos_4", 0), ("rhcos", 1), ("rhcos", 0)];
        assert_eq!(
            found,
            expected.map(|(os, n)| (os.to_owned(), format!("{sum}.{n}")))
        );
        assert!(parse_status("No deployments.\n").is_empty());
    }
}
