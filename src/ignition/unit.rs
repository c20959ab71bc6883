//! A reader for systemd unit files (`systemd.syntax(7)`), as strict as the one in Ignition.
//!
//! Sections, `Key=value`, comments with `#` or `;`, lines continued with a backslash. Ignition refuses a whole config for a section
//! header that does not end, a line in a section without `=`, a line of 2048 bytes or more, and for a comment inside a continued line
//! (systemd takes that one); asked of `ignition-validate` 2.14. Not done here: what a key means, specifiers.

/// The longest line that Ignition's reader takes, in bytes without the line feed.
const LONGEST_LINE: usize = 2047;

/// A unit file or a drop-in.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct UnitFile {
    /// Section names with the line of their header, from 1, in order.
    pub sections: Vec<(String, usize)>,
    /// Assignments, in order.
    pub assignments: Vec<Assignment>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// `Key=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The section; empty before the first header.
    pub section: String,
    /// The key.
    pub key: String,
    /// The value, trimmed, continued lines joined with one space each.
    pub value: String,
    /// The line it starts on, from 1.
    pub line: usize,
}

/// A line that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// Whether Ignition refuses the config for it; otherwise systemd ignores the line.
    pub fatal: bool,
    /// What is wrong.
    pub message: &'static str,
}

impl UnitFile {
    /// Reads a unit; never fails, see [`UnitFile::problems`].
    pub fn parse(text: &str) -> Self {
        let mut unit = Self::default();
        let mut lines = text.split('\n').enumerate();
        while let Some((index, line)) = lines.next() {
            let number = index + 1;
            unit.check_length(line, number);
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
                continue;
            }
            if trimmed.starts_with('[') {
                unit.header(trimmed, number);
                continue;
            }
            let mut logical = trimmed.to_owned();
            while logical.ends_with('\\') {
                logical.pop();
                let Some((index, next)) = lines.next() else {
                    unit.problem(number, false, "the last line ends in a backslash");
                    break;
                };
                unit.check_length(next, index + 1);
                if next.trim_start().starts_with(['#', ';']) {
                    unit.problem(index + 1, true, "a comment inside a continued line");
                    logical.push('\\');
                    continue;
                }
                logical.truncate(logical.trim_end().len());
                logical.push(' ');
                logical.push_str(next.trim());
            }
            unit.assignment(&logical, number);
        }
        unit
    }

    /// The values of a key, in order; an empty value clears what came before, as systemd does for lists.
    pub fn values(&self, section: &str, key: &str) -> Vec<&str> {
        let mut found = Vec::new();
        let matching = |a: &&Assignment| a.section == section && a.key == key;
        for assignment in self.assignments.iter().filter(matching) {
            if assignment.value.is_empty() {
                found.clear();
            } else {
                found.push(assignment.value.as_str());
            }
        }
        found
    }

    /// Whether the section is there.
    pub fn has_section(&self, name: &str) -> bool {
        self.sections.iter().any(|(section, _)| section == name)
    }

    fn header(&mut self, line: &str, number: usize) {
        match line.strip_prefix('[').and_then(|l| l.split_once(']')) {
            Some((name, "")) => self.sections.push((name.to_owned(), number)),
            Some(_) => self.problem(number, true, "text behind the section header"),
            None => self.problem(number, true, "the section header does not end with ]"),
        }
    }

    fn assignment(&mut self, line: &str, number: usize) {
        let section = self.sections.last().map(|(name, _)| name.clone());
        let Some(section) = section else {
            self.problem(number, false, "a line before the first section is ignored");
            return;
        };
        let Some((key, value)) = line.split_once('=') else {
            self.problem(number, true, "neither Key=value nor a section header");
            return;
        };
        if key.trim().is_empty() {
            self.problem(number, false, "a value without a key is ignored");
        }
        self.assignments.push(Assignment {
            section,
            key: key.trim().to_owned(),
            value: value.trim().to_owned(),
            line: number,
        });
    }

    fn check_length(&mut self, line: &str, number: usize) {
        if line.len() > LONGEST_LINE {
            self.problem(
                number,
                true,
                "longer than the 2047 bytes that Ignition reads",
            );
        }
    }

    fn problem(&mut self, line: usize, fatal: bool, message: &'static str) {
        self.problems.push(Problem {
            line,
            fatal,
            message,
        });
    }
}

/// The suffixes of unit names.
const SUFFIXES: [&str; 11] = [
    "service",
    "socket",
    "device",
    "mount",
    "automount",
    "swap",
    "target",
    "path",
    "timer",
    "slice",
    "scope",
];

/// The suffix of a unit name, when systemd knows it and something stands in front of it.
pub fn suffix(name: &str) -> Option<&str> {
    let (stem, suffix) = name.rsplit_once('.')?;
    (!stem.is_empty() && SUFFIXES.contains(&suffix)).then_some(suffix)
}

/// Whether the characters of a unit name are those of `systemd.unit(5)`, and it is at most 255 bytes.
pub fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b);
    suffix(name).is_some() && name.len() <= 255 && name.bytes().all(allowed)
}

/// Whether a section belongs into a unit of this suffix.
pub fn knows_section(suffix: &str, section: &str) -> bool {
    let own = match suffix {
        "service" => "Service",
        "socket" => "Socket",
        "mount" => "Mount",
        "automount" => "Automount",
        "swap" => "Swap",
        "path" => "Path",
        "timer" => "Timer",
        "slice" => "Slice",
        "scope" => "Scope",
        _ => "",
    };
    matches!(section, "Unit" | "Install")
        || section.starts_with("X-")
        || (!own.is_empty() && section == own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_systemd_reads() {
        let unit = UnitFile::parse(
            "# head\n[Unit]\nDescription = A b \n\n[Service]\nExecStart=/bin/x \\\n  --one \\\n  --two\nExecStart=\nExecStart=/bin/y\n; end",
        );
        assert_eq!(unit.problems, []);
        assert_eq!(unit.values("Unit", "Description"), ["A b"]);
        assert_eq!(unit.values("Service", "ExecStart"), ["/bin/y"]);
        let first = unit.assignments.get(1).unwrap();
        assert_eq!(
            (first.value.as_str(), first.line),
            ("/bin/x --one --two", 6)
        );
        assert!(unit.has_section("Service") && !unit.has_section("Install"));
    }

    #[test]
    fn names_what_is_wrong() {
        let long = format!("[Unit]\nA={}\n", "x".repeat(2046));
        for (text, line, fatal) in [
            ("[Unit\nfoo", 1, true),
            ("[Unit] x\n", 1, true),
            ("[Unit]\nfoo\n", 2, true),
            ("[Service]\nA=b \\\n# c\n d\n", 3, true),
            (long.as_str(), 2, true),
            ("foo=bar", 1, false),
            ("[Unit]\n=x", 2, false),
            ("[Unit]\nA=b\\", 2, false),
        ] {
            let problems = UnitFile::parse(text).problems;
            let first = problems.first().unwrap_or_else(|| panic!("{text:?}"));
            assert_eq!((first.line, first.fatal), (line, fatal), "{text:?}");
        }
    }

    #[test]
    fn names() {
        for good in [
            "a.service",
            "a@.service",
            "a@b.service",
            "dev-sda1.device",
            "x\\x2dy.mount",
        ] {
            assert!(is_name(good), "{good}");
        }
        for bad in [
            "",
            "a",
            ".service",
            "a.foo",
            "../a.service",
            "a b.service",
            "a.service ",
        ] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(knows_section("service", "Service") && knows_section("timer", "X-Ours"));
        assert!(!knows_section("service", "Timer") && !knows_section("target", ""));
    }
}
