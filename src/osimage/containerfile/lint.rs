//! What is wrong in a user's Containerfile, before the cluster says so after an hour.
//!
//! | rule | weight | |
//! |---|---|---|
//! | `syntax` | error | what the operator's own check, or buildah's parser behind it, refuses |
//! | `OCL001` | error | the last stage builds on `configs`, or the node boots without its `MachineConfigs` |
//! | `OCL002` | error | there is no build context to copy from |
//! | `OCL003` | warning | something is fetched while the image is built |
//! | `OCL004` | warning | an image that is not pinned by its digest |
//! | `OCL005` | error | more than 4096 characters (v1), more than a `ConfigMap` holds (4.14) |
//! | `OCL006` | warning | packages change, and nothing ends with `ostree container commit` or `bootc container lint` |
//! | `OCL007` | error, warning | a parser directive, which behind the operator's stages is a comment |
//! | `OCL008` | error | a variable in `FROM`, which is empty there |
//! | `OCL009` | warning | a stage with the name of one of the operator's |
//! | `OCL010` | warning | a platform: builds are for the node's own |
//! | `OCL011` | error | a stage by number, or one that comes later |
//!
//! Vectors: `containerfile_lint_cases.json`.

use super::OPERATOR_STAGES;
use super::parse::{Instruction, Parsed, Stage, parse};
use crate::objects::Finding;
use crate::osimage::Era;

/// Characters of `spec.containerFile[].content` (CRD `maxLength`).
pub const MAX_CONTENT: usize = 4096;
/// Bytes of a `ConfigMap`'s data (Kubernetes `MaxSecretSize`).
pub const MAX_CONFIG_MAP: usize = 1 << 20;

/// Checks a file; `name` is for the findings' objects, `name:line`. Findings are in the order of their lines.
pub fn lint(name: &str, text: &str, era: Era) -> Vec<Finding> {
    let parsed = parse(text);
    let mut lint = Lint {
        parsed: &parsed,
        found: Vec::new(),
    };
    lint.size(text, era);
    if !parsed.is_empty() {
        lint.syntax();
        lint.directives();
        lint.last_stage();
        for stage in &parsed.stages {
            lint.stage(stage);
        }
        for instruction in &parsed.instructions {
            lint.copies(instruction);
        }
        lint.images();
        lint.commit();
    }
    lint.found.sort_by_key(|(line, _)| *line);
    let place = |(line, finding): (usize, Finding)| Finding {
        object: format!("{name}:{line}"),
        ..finding
    };
    lint.found.into_iter().map(place).collect()
}

struct Lint<'a> {
    parsed: &'a Parsed,
    found: Vec<(usize, Finding)>,
}

impl Lint<'_> {
    fn error(&mut self, line: usize, rule: &'static str, message: &str, cure: &str) {
        let finding = Finding::error(rule, "", message, cure);
        self.found.push((line, finding));
    }

    fn warning(&mut self, line: usize, rule: &'static str, message: &str, cure: &str) {
        let finding = Finding::error(rule, "", message, cure).warning();
        self.found.push((line, finding));
    }

    fn size(&mut self, text: &str, era: Era) {
        let (count, most, unit) = match era {
            Era::V1 => (text.chars().count(), MAX_CONTENT, "characters"),
            Era::V414 => (text.len(), MAX_CONFIG_MAP, "bytes"),
        };
        if count > most {
            let message = format!("it has {count} {unit}, at most {most} are taken");
            let cure = "drop comments, or build the larger part into an image of your own and copy from that";
            self.error(1, "OCL005", &message, cure);
        }
    }

    fn syntax(&mut self) {
        for fault in &self.parsed.faults {
            let cure = "write the instruction as Containerfile(5) has it";
            self.error(fault.line, "syntax", &fault.message, cure);
        }
        let has_from = |i: &Instruction| i.keyword == "FROM";
        if !self.parsed.instructions.iter().any(has_from) {
            let line = self.parsed.instructions.first().map_or(1, |i| i.line);
            let message = "Containerfile must contain at least one FROM instruction";
            self.error(
                line,
                "syntax",
                message,
                "begin with `FROM configs AS final`",
            );
        }
    }

    fn directives(&mut self) {
        for (line, name, value) in &self.parsed.directives {
            if name == "escape" && value != "\\" {
                let message = format!(
                    "the directive escape={value} has no effect: the text stands behind the operator's own instructions"
                );
                let cure = "continue lines with a backslash";
                self.error(*line, "OCL007", &message, cure);
            } else if name == "syntax" {
                let message = "the directive has no effect: buildah builds the image";
                self.warning(*line, "OCL007", message, "leave it out");
            }
        }
    }

    /// The last stage comes from `configs`, if by way of others.
    fn last_stage(&mut self) {
        let stages = &self.parsed.stages;
        let Some(last) = stages.last() else { return };
        let mut at = last;
        while let Some(base) = stages.iter().rev().find(|s| {
            let name = s.name.as_deref();
            s.line < at.line && name.is_some_and(|n| n.eq_ignore_ascii_case(&at.image))
        }) {
            at = base;
        }
        if at.image.eq_ignore_ascii_case("configs") {
            return;
        }
        let message = format!(
            "the last stage builds on `{}`, not on `configs`: the node would boot without its MachineConfigs",
            at.image
        );
        let cure = "make `FROM configs AS final` the last stage, and copy from the others";
        self.error(last.line, "OCL001", &message, cure);
    }

    fn stage(&mut self, stage: &Stage) {
        if stage.image.contains('$') {
            let message = format!(
                "the variable in `FROM {}` is empty: an ARG before the first FROM stands behind the operator's stages",
                stage.image
            );
            let cure = "write the image out";
            self.error(stage.line, "OCL008", &message, cure);
        }
        let name = stage.name.as_deref().unwrap_or_default();
        if OPERATOR_STAGES.iter().any(|s| s.eq_ignore_ascii_case(name)) {
            let message = format!("the stage `{name}` hides the operator's own");
            self.warning(stage.line, "OCL009", &message, "give it another name");
        }
        let from = self.parsed.instructions.get(stage.first);
        if let Some(platform) = from.and_then(|f| f.flag("platform")) {
            let message = format!(
                "--platform={platform}: the build is for the architecture of the node it runs on, and multi-arch builds are not supported"
            );
            let cure = "leave --platform out, or make sure that it is the node's";
            self.warning(stage.line, "OCL010", &message, cure);
        }
    }

    fn copies(&mut self, instruction: &Instruction) {
        let line = instruction.line;
        for source in instruction.sources_from() {
            let number = source.bytes().all(|b| b.is_ascii_digit());
            if number {
                let message = format!(
                    "--from={source} is not the stage that it seems to be: the operator's stages come first"
                );
                let cure = "give the stage a name, and copy from that";
                self.error(line, "OCL011", &message, cure);
            } else if self.parsed.comes_later(&source, line) {
                let message = format!("the stage `{source}` comes later");
                self.error(line, "OCL011", &message, "move it before this line");
            }
        }
        let mut context = |what: &str| {
            let message = format!(
                "{what} comes from the build context, which holds machineconfig/ and the CA bundle only"
            );
            let cure = "copy it from an image with --from=, write it in a heredoc, or put it into a MachineConfig";
            self.error(line, "OCL002", &message, cure);
        };
        let bind = |mount: &Vec<(&str, &str)>| {
            let value = |key: &str| mount.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
            value("type").unwrap_or("bind") == "bind" && value("from").is_none()
        };
        if instruction.mounts().any(|mount| bind(&mount)) {
            context("a bind mount without from=");
        }
        if !matches!(instruction.keyword.as_str(), "COPY" | "ADD")
            || instruction.flag("from").is_some()
        {
            return;
        }
        let sources = sources(instruction);
        let local =
            |s: &&String| !is_remote(instruction, s) && !in_context(s) && !s.starts_with("<<");
        if let Some(source) = sources.iter().find(local) {
            context(&format!("`{source}`"));
        }
        if sources.iter().any(|s| is_remote(instruction, s)) {
            let message = "the build fetches this from the network, unchecked";
            let cure = "make sure that the node reaches it, through the cluster's proxy if there is one, or take it from an image pinned by digest";
            self.warning(line, "OCL003", message, cure);
        }
    }

    fn images(&mut self) {
        for (line, image) in self.parsed.external_images() {
            if image.contains("@sha256:") {
                continue;
            }
            let host = image.split('/').next().unwrap_or_default();
            let short = !image.contains('/') || !(host.contains(['.', ':']) || host == "localhost");
            let also = if short {
                ", and names no registry: registries.conf of the node decides"
            } else {
                ""
            };
            let message = format!("`{image}` is not pinned by digest{also}");
            let cure = format!(
                "write `{image}@sha256:…`; `skopeo inspect --format '{{{{.Digest}}}}' docker://{image}` tells it"
            );
            self.warning(line, "OCL004", &message, &cure);
        }
    }

    fn commit(&mut self) {
        let Some(last) = self.parsed.stages.last() else {
            return;
        };
        let runs = self.parsed.body(last).iter().filter(|i| i.keyword == "RUN");
        let text = |i: &Instruction| {
            let bodies = i.heredocs.iter().map(|h| h.body.as_str());
            std::iter::once(i.args.as_str())
                .chain(bodies)
                .collect::<Vec<_>>()
                .join("\n")
        };
        let runs: Vec<(usize, String)> = runs.map(|i| (i.line, text(i))).collect();
        let ends =
            |t: &str| t.contains("ostree container commit") || t.contains("bootc container lint");
        let changed = runs.iter().rev().find(|(_, t)| changes_packages(t));
        let Some((line, text)) = changed else { return };
        let after = runs.iter().filter(|(l, _)| l > line).any(|(_, t)| ends(t));
        if !after && !ends(text) {
            let message = "packages change, and nothing ends with `ostree container commit` or `bootc container lint`";
            let cure = "end the last RUN with `&& ostree container commit`";
            self.warning(*line, "OCL006", message, cure);
        }
    }
}

fn changes_packages(text: &str) -> bool {
    const VERBS: [&str; 6] = ["install", "override", "remove", "update", "upgrade", "swap"];
    const TOOLS: [&str; 4] = ["rpm-ostree", "dnf", "microdnf", "yum"];
    let words: Vec<&str> = text.split_whitespace().collect();
    let tool = |w: &&str| TOOLS.contains(&w.rsplit('/').next().unwrap_or_default());
    let mut starts = words.iter().enumerate().filter(|(_, w)| tool(w));
    starts.any(|(at, _)| {
        let rest = words.iter().skip(at + 1);
        let mut rest = rest.skip_while(|w| w.starts_with('-'));
        rest.next().is_some_and(|verb| VERBS.contains(verb))
    })
}

/// All arguments but the last, in either form.
fn sources(instruction: &Instruction) -> Vec<String> {
    let mut words: Vec<String> = serde_json::from_str(&instruction.args).unwrap_or_else(|_| {
        let words = instruction.args.split_whitespace();
        words
            .map(|w| w.trim_matches(['"', '\'']).to_owned())
            .collect()
    });
    words.pop();
    words
}

fn is_remote(instruction: &Instruction, source: &str) -> bool {
    const SCHEMES: [&str; 4] = ["http://", "https://", "git@", "git://"];
    instruction.keyword == "ADD" && SCHEMES.iter().any(|s| source.starts_with(s))
}

/// What the operator itself puts into the context.
fn in_context(source: &str) -> bool {
    let path = source.trim_start_matches("./").trim_start_matches('/');
    path == "openshift-config-user-ca-bundle.crt"
        || path == "machineconfig"
        || path.starts_with("machineconfig/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Vec<String> {
        let findings = lint("C", text, Era::V1);
        let short = |f: &Finding| format!("{} {}", f.object, f.rule);
        findings.iter().map(short).collect()
    }

    #[test]
    fn each_rule_has_its_line() {
        const F: &str = "FROM configs AS final\n";
        let digest = format!("a.b/c@sha256:{:064}", 1);
        for (text, expected) in [
            (
                format!("FROM {digest} AS x\n{F}COPY --from=x /a /b\n"),
                &[][..],
            ),
            ("FROM configs AS x\nFROM x\n".to_owned(), &[]),
            (
                format!("{F}RUN a\nFROM {digest} AS x\nFROM x\n"),
                &["C:4 OCL001"],
            ),
            (format!("{F}COPY [\"a b\", \"/x\"]\n"), &["C:2 OCL002"]),
            (format!("{F}COPY <<EOF /x\nhi\nEOF\n"), &[]),
            (
                format!("{F}COPY ./machineconfig/machineconfig.json.gz /x\n"),
                &[],
            ),
            (
                format!("{F}RUN --mount=type=bind,source=.,target=/m ls\n"),
                &["C:2 OCL002"],
            ),
            (format!("{F}RUN --mount=type=cache,target=/m ls\n"), &[]),
            (format!("{F}ADD https://a.b/c /d\n"), &["C:2 OCL003"]),
            (format!("{F}COPY --from=busybox / /\n"), &["C:2 OCL004"]),
            (format!("# escape=`\n{F}"), &["C:1 OCL007"]),
            (format!("# syntax=x\n{F}"), &["C:1 OCL007"]),
            (format!("ARG B=a.b/c\nFROM $B AS b\n{F}"), &["C:2 OCL008"]),
            (format!("FROM {digest} AS extract\n{F}"), &["C:1 OCL009"]),
            (
                format!("FROM --platform=linux/arm64 {digest} AS a\n{F}"),
                &["C:1 OCL010"],
            ),
            (format!("{F}COPY --from=0 /a /b\n"), &["C:2 OCL011"]),
            (
                format!("FROM {digest} AS a\nCOPY --from=b /a /b\nFROM {digest} AS b\n{F}"),
                &["C:2 OCL011"],
            ),
            (
                format!("{F}RUN dnf -y install a\nRUN x && bootc container lint\n"),
                &[],
            ),
            (
                format!("{F}RUN ostree container commit\nRUN /usr/bin/dnf install -y a\n"),
                &["C:3 OCL006"],
            ),
            (format!("{F}RUN <<X\ndnf install a\nX\n"), &["C:2 OCL006"]),
            (format!("{F}RUN\nBAD x\n"), &["C:2 syntax", "C:3 syntax"]),
            (format!("{F}FROM a b\n"), &["C:2 syntax"]),
        ] {
            assert_eq!(rules(&text), expected, "{text}");
        }
    }

    #[test]
    fn every_finding_has_a_cure() {
        for finding in lint(
            "C",
            "FROM $x\nCOPY a b\nRUN\nADD http://a /b\nRUN dnf install a",
            Era::V1,
        ) {
            assert!(!finding.cure.is_empty() && !finding.message.is_empty());
        }
        let long = format!("FROM configs\n#{}", "é".repeat(MAX_CONTENT));
        assert_eq!(rules(&long), ["C:1 OCL005"]);
        assert_eq!(lint("C", &long, Era::V414), []);
        let fits = format!("FROM configs\n#{}", "é".repeat(MAX_CONTENT - 14));
        assert_eq!(rules(&fits), [""; 0]);
    }
}
