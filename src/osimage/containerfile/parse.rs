//! Text to instructions.

use super::OPERATOR_STAGES;

/// One instruction, continuations joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Line of its keyword, from 1.
    pub line: usize,
    /// In capitals.
    pub keyword: String,
    /// `--name=value` before the arguments, in order; the value is empty when there is none.
    pub flags: Vec<(String, String)>,
    /// The rest, without the flags.
    pub args: String,
    /// Documents that it brings along.
    pub heredocs: Vec<Heredoc>,
}

/// A heredoc of `RUN`, `COPY` or `ADD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heredoc {
    /// What ends it.
    pub name: String,
    /// Its lines, with line ends.
    pub body: String,
}

/// What cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// In the operator's or buildah's words.
    pub message: String,
}

/// A `FROM` with what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Line of `FROM`.
    pub line: usize,
    /// Index of `FROM` among the instructions.
    pub first: usize,
    /// What it builds on.
    pub image: String,
    /// Its name, when it has one.
    pub name: Option<String>,
}

/// A whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// In order.
    pub instructions: Vec<Instruction>,
    /// In order.
    pub stages: Vec<Stage>,
    /// In order.
    pub faults: Vec<Fault>,
    /// Parser directives at its top (`escape`, `syntax`, `check`), with their lines and values.
    pub directives: Vec<(usize, String, String)>,
}

impl Parsed {
    /// Whether there is nothing but comments.
    pub fn is_empty(&self) -> bool {
        self.instructions.is_empty() && self.faults.is_empty()
    }

    /// The instructions of a stage, without its `FROM`.
    pub fn body(&self, stage: &Stage) -> &[Instruction] {
        let rest = self.instructions.get(stage.first + 1..).unwrap_or_default();
        let end = rest.iter().position(|i| i.keyword == "FROM");
        rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
    }

    /// The stage that a name means at a line: the last one before it, else one of the operator's.
    pub fn is_stage(&self, name: &str, line: usize) -> bool {
        let own = self.stages.iter().any(|stage| {
            stage.line < line
                && stage
                    .name
                    .as_deref()
                    .is_some_and(|n| n.eq_ignore_ascii_case(name))
        });
        own || OPERATOR_STAGES
            .iter()
            .any(|stage| stage.eq_ignore_ascii_case(name))
    }

    /// Whether only a later stage has a name.
    pub fn comes_later(&self, name: &str, line: usize) -> bool {
        let mut later = self.stages.iter().filter(|s| s.line > line);
        !self.is_stage(name, line) && later.any(|s| s.name.as_deref() == Some(name))
    }

    /// Images that are no stages, with the lines that use them. Numbers are stages, variables are nobody knows what.
    pub fn external_images(&self) -> Vec<(usize, String)> {
        let from = self.stages.iter().map(|s| (s.line, s.image.clone()));
        let others = self.instructions.iter().flat_map(|i| {
            let sources = i.sources_from().into_iter();
            sources.map(|image| (i.line, image))
        });
        let mut all: Vec<_> = from.chain(others).collect();
        all.retain(|(line, image)| {
            !image.is_empty()
                && image != "scratch"
                && !image.contains('$')
                && !image.bytes().all(|b| b.is_ascii_digit())
                && !self.is_stage(image, *line)
                && !self.comes_later(image, *line)
        });
        all.sort_by_key(|(line, _)| *line);
        all
    }
}

impl Instruction {
    /// The value of a flag.
    pub fn flag(&self, name: &str) -> Option<&str> {
        let found = self.flags.iter().find(|(flag, _)| flag == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Stages or images of `--from` and of the mounts.
    pub fn sources_from(&self) -> Vec<String> {
        let copies = matches!(self.keyword.as_str(), "COPY" | "ADD");
        let from = self.flag("from").filter(|_| copies).map(str::to_owned);
        let mounts = self.mounts().filter_map(|options| {
            let from = options.iter().find(|(key, _)| *key == "from");
            from.map(|(_, value)| (*value).to_owned())
        });
        from.into_iter().chain(mounts).collect()
    }

    /// Options of each `RUN --mount`.
    pub fn mounts(&self) -> impl Iterator<Item = Vec<(&str, &str)>> {
        let run = self.keyword == "RUN";
        let mounts = self.flags.iter().filter(move |(f, _)| run && f == "mount");
        mounts.map(|(_, value)| {
            let options = value.split(',');
            options
                .map(|o| o.split_once('=').unwrap_or((o, "")))
                .collect()
        })
    }
}

/// Reads a file.
pub fn parse(text: &str) -> Parsed {
    let lines: Vec<&str> = text.lines().collect();
    let mut parsed = Parsed {
        directives: directives(&lines),
        ..Parsed::default()
    };
    let mut next = 0;
    while let Some(line) = lines.get(next) {
        let start = next;
        next += 1;
        if is_blank(line) {
            continue;
        }
        let mut logical = String::new();
        let mut open = push_line(&mut logical, line.trim_start());
        while open && let Some(more) = lines.get(next) {
            next += 1;
            // Comments and empty lines do not end a continuation.
            if !is_blank(more) {
                open = push_line(&mut logical, more);
            }
        }
        let mut instruction = instruction(start + 1, logical.trim());
        next = heredocs(&mut instruction, &lines, next, &mut parsed.faults);
        parsed.add(instruction);
    }
    parsed
}

fn is_blank(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

/// Appends a line without its continuation; whether it had one.
fn push_line(logical: &mut String, line: &str) -> bool {
    let line = line.trim_end_matches([' ', '\t', '\r']);
    let rest = line.strip_suffix('\\');
    logical.push_str(rest.unwrap_or(line));
    rest.is_some()
}

/// `# name=value` lines, which count only before everything else.
fn directives(lines: &[&str]) -> Vec<(usize, String, String)> {
    let directive = |line: &str| {
        let (name, value) = line.trim().strip_prefix('#')?.split_once('=')?;
        let name = name.trim().to_ascii_lowercase();
        let known = ["escape", "syntax", "check"].contains(&name.as_str());
        known.then(|| (name, value.trim().to_owned()))
    };
    let found = lines.iter().map_while(|line| directive(line));
    let numbered = found.enumerate().map(|(i, (n, v))| (i + 1, n, v));
    numbered.collect()
}

fn instruction(line: usize, logical: &str) -> Instruction {
    let (keyword, rest) = logical
        .split_once(char::is_whitespace)
        .unwrap_or((logical, ""));
    let mut rest = rest.trim();
    let mut flags = Vec::new();
    while let Some(flag) = rest.strip_prefix("--") {
        let (flag, after) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        flags.push((name.to_owned(), value.trim_matches('"').to_owned()));
        rest = after.trim_start();
    }
    Instruction {
        line,
        keyword: keyword.to_ascii_uppercase(),
        flags,
        args: rest.to_owned(),
        heredocs: Vec::new(),
    }
}

/// Takes the heredocs that an instruction opens; the index of the line after them.
fn heredocs(
    instruction: &mut Instruction,
    lines: &[&str],
    mut next: usize,
    faults: &mut Vec<Fault>,
) -> usize {
    if !matches!(instruction.keyword.as_str(), "RUN" | "COPY" | "ADD")
        || instruction.args.starts_with('[')
    {
        return next;
    }
    for (name, tabs) in openings(&instruction.args) {
        let mut body = String::new();
        loop {
            let Some(line) = lines.get(next) else {
                faults.push(Fault {
                    line: instruction.line,
                    message: format!("the heredoc `{name}` has no end"),
                });
                return next;
            };
            next += 1;
            let bare = if tabs {
                line.trim_start_matches('\t')
            } else {
                line
            };
            if bare == name {
                break;
            }
            body.push_str(bare);
            body.push('\n');
        }
        instruction.heredocs.push(Heredoc { name, body });
    }
    next
}

/// Names of the heredocs that words outside quotes open, and whether leading tabs go.
fn openings(args: &str) -> Vec<(String, bool)> {
    const SPECIAL: [char; 8] = ['>', '|', '&', ';', '<', '(', ')', '`'];
    let mut found = Vec::new();
    let mut quote = None;
    let mut word = String::new();
    for c in args.chars().chain([' ']) {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, c) if c.is_whitespace() => {
                let name = word.trim_start_matches(|c: char| c.is_ascii_digit());
                if let Some(name) = name.strip_prefix("<<") {
                    let bare = name.strip_prefix('-');
                    let (name, tabs) = (bare.unwrap_or(name), bare.is_some());
                    let end = name.find(SPECIAL).unwrap_or(name.len());
                    let name = name.get(..end).unwrap_or_default();
                    if !name.is_empty() {
                        found.push((name.to_owned(), tabs));
                    }
                }
                word.clear();
                continue;
            }
            _ => {
                word.push(c);
                continue;
            }
        }
        // A quote belongs to a word that is a heredoc's name, and makes every other word none.
        if !word.contains("<<") {
            word.push(c);
        }
    }
    found
}

/// Instructions, and what they need (`instructionRequirements` of the operator).
const KNOWN: [(&str, Option<&str>); 18] = [
    ("ADD", Some("source and destination paths")),
    ("ARG", Some("a variable name")),
    ("CMD", Some("a command or arguments")),
    ("COPY", Some("source and destination paths")),
    ("ENTRYPOINT", Some("a command or arguments")),
    ("ENV", Some("key=value pairs")),
    ("EXPOSE", Some("a port")),
    ("FROM", Some("a base image")),
    ("HEALTHCHECK", None),
    ("LABEL", Some("key=value pairs")),
    ("MAINTAINER", None),
    ("ONBUILD", Some("an instruction to execute")),
    ("RUN", Some("a command")),
    ("SHELL", Some("a shell command array")),
    ("STOPSIGNAL", Some("a signal")),
    ("USER", Some("a username or UID")),
    ("VOLUME", Some("a mount point")),
    ("WORKDIR", Some("a directory path")),
];

impl Parsed {
    fn add(&mut self, instruction: Instruction) {
        if let Some(message) = fault(&instruction) {
            self.faults.push(Fault {
                line: instruction.line,
                message,
            });
        } else if instruction.keyword == "FROM" {
            let mut words = instruction.args.split_whitespace();
            self.stages.push(Stage {
                line: instruction.line,
                first: self.instructions.len(),
                image: words.next().unwrap_or_default().to_owned(),
                name: words.nth(1).map(str::to_owned),
            });
        }
        self.instructions.push(instruction);
    }
}

/// What the operator, or buildah after it, says of an instruction by itself.
fn fault(instruction: &Instruction) -> Option<String> {
    let Instruction { keyword, args, .. } = instruction;
    let Some((_, need)) = KNOWN.iter().find(|(name, _)| name == keyword) else {
        let word: String = keyword.chars().take(40).collect();
        return Some(format!(
            "unknown Dockerfile instruction: {}",
            word.to_ascii_lowercase()
        ));
    };
    if let Some(need) = need
        && args.is_empty()
    {
        return Some(format!("{keyword} instruction requires {need}"));
    }
    let words: Vec<&str> = args.split_whitespace().collect();
    match keyword.as_str() {
        "ENV" | "LABEL" if words.len() == 1 && !args.contains('=') => Some(format!(
            "failed to parse Containerfile: {keyword} must have two arguments"
        )),
        "FROM" => match words.as_slice() {
            [_] => None,
            [_, word, _] if word.eq_ignore_ascii_case("as") => None,
            _ => Some(
                "FROM requires either one argument, or three: FROM <source> [as <name>]".to_owned(),
            ),
        },
        "COPY" | "ADD"
            if words.len() < 2 && !args.starts_with('[') && instruction.heredocs.is_empty() =>
        {
            Some(format!("{keyword} requires at least two arguments"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continuations_comments_and_heredocs_are_one_instruction() {
        let text = "# syntax=docker/dockerfile:1\n# escape=`\n\nARG V=1\nfrom configs as final\n  RUN a \\\n  # why\n\n    && b \\ \n    && c\nRUN <<A 3<<-\"B C\" cat\nFROM nothing\nA\n\t\tx\n\tB C\nCOPY --from=x --chmod=755 /a /b\n";
        let parsed = parse(text);
        assert_eq!(parsed.faults, []);
        let seen: Vec<_> = parsed
            .instructions
            .iter()
            .map(|i| (i.line, i.keyword.as_str(), i.args.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                (4, "ARG", "V=1"),
                (5, "FROM", "configs as final"),
                (6, "RUN", "a     && b     && c"),
                (11, "RUN", "<<A 3<<-\"B C\" cat"),
                (16, "COPY", "/a /b"),
            ]
        );
        let bodies: Vec<_> = parsed.instructions[3]
            .heredocs
            .iter()
            .map(|h| (h.name.as_str(), h.body.as_str()))
            .collect();
        assert_eq!(bodies, [("A", "FROM nothing\n"), ("B C", "x\n")]);
        assert_eq!(parsed.instructions[4].flag("from"), Some("x"));
        let directives: Vec<_> = parsed.directives.iter().map(|d| (d.0, &*d.1)).collect();
        assert_eq!(directives, [(1, "syntax"), (2, "escape")]);
        assert_eq!(parsed.stages[0].name.as_deref(), Some("final"));
    }

    #[test]
    fn what_only_looks_like_a_heredoc_is_none() {
        for run in [
            "echo $((1<<2))",
            "echo \"<<EOF\"",
            "cat <<<word",
            "echo '<< x'",
            "[\"<<EOF\"]",
            "echo a<<b",
        ] {
            let parsed = parse(&format!("FROM configs\nRUN {run}\nRUN x\n"));
            assert_eq!(parsed.instructions.len(), 3, "{run}");
            assert_eq!(parsed.faults, [], "{run}");
        }
        let parsed = parse("FROM configs\nRUN cat <<EOF\nRUN x\n");
        assert_eq!(parsed.faults[0].line, 2);
    }

    #[test]
    fn images_are_what_is_pulled() {
        let text = "FROM a.b/c AS x\nFROM x AS y\nFROM configs\nCOPY --from=x / /\nCOPY --from=d.e/f:1 / /\nRUN --mount=type=bind,from=g.h/i,target=/m x\nCOPY --from=0 / /\nCOPY --from=d.e/f:1 /a /\n";
        assert_eq!(super::super::images(text), ["a.b/c", "d.e/f:1", "g.h/i"]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "(?s)(FROM |RUN |COPY |<<|EOF|\\\\|\n|#|'|\"|--from=|=| |[a-z]|.){0,80}") {
            let parsed = parse(&text);
            let lines = text.lines().count();
            proptest::prop_assert!(parsed.instructions.iter().all(|i| i.line >= 1 && i.line <= lines));
            parsed.external_images();
        }
    }
}
