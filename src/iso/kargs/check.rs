//! Which characters survive both boot loaders.
//!
//! The same bytes go to GRUB and to ISOLINUX, so nothing can be escaped for one of them. What each does was measured by booting
//! (GRUB 2.06, ISOLINUX 6.04): GRUB expands `$`, drops `\`, ends the command at `;` and at a word that begins with `#`, and refuses
//! to boot on `{ } < > | &`; a newline ends the arguments in both.

use std::fmt;

use crate::iso::error::IsoError;

/// Something that the user should know about kernel arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// This one reaches the kernel in another form.
    Quoted(String),
    /// The embedded keyfiles win over `ip=`.
    Replaced,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quoted(karg) => write!(
                f,
                "the kernel argument `{karg}` has quotes, which GRUB moves to its beginning; the kernel takes both for the same"
            ),
            Self::Replaced => f.write_str(
                "there are network keyfiles and `ip=` kernel arguments: the keyfiles replace what `ip=` sets up, but for its host name",
            ),
        }
    }
}

/// Checks one or several arguments.
///
/// # Errors
/// [`IsoError::BadKarg`] for the first that a boot loader would mangle.
pub fn check(text: &str) -> Result<Option<Warning>, IsoError> {
    let bad = |what: String| {
        Err(IsoError::BadKarg {
            karg: text.escape_debug().to_string(),
            what,
        })
    };
    for c in text.chars() {
        if let Some(what) = fate(c) {
            let shown = c.escape_debug();
            return bad(format!("`{shown}`, which {what}"));
        }
    }
    if text.split_whitespace().any(|word| word.starts_with('#')) {
        return bad("a word that begins with `#`, which GRUB takes for a comment".to_owned());
    }
    if !balanced(text) {
        return bad("an unbalanced quote".to_owned());
    }
    let quoted = text.contains(['"', '\'']);
    Ok(quoted.then(|| Warning::Quoted(text.to_owned())))
}

fn fate(c: char) -> Option<&'static str> {
    Some(match c {
        '\n' | '\r' => "ends the arguments",
        '\0' => "ends the arguments in the kernel",
        c if c.is_control() && c != '\t' => "is a control character",
        '$' => "GRUB takes for a variable",
        '\\' | '`' => "GRUB drops or interprets",
        ';' => "ends the command in GRUB: everything after it is lost",
        '{' | '}' | '<' | '>' | '|' | '&' => {
            "is a syntax error in GRUB: the machine would not boot"
        }
        c if !c.is_ascii() => "is not ASCII",
        _ => return None,
    })
}

fn balanced(text: &str) -> bool {
    let mut open = None;
    for c in text.chars().filter(|c| matches!(c, '"' | '\'')) {
        match open {
            None => open = Some(c),
            Some(quote) if quote == c => open = None,
            Some(_) => {}
        }
    }
    open.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_boot_loaders_do() {
        let good = [
            "a=x,y:z%@!~^*?[]()+=",
            "a=x#y",
            "ip=[fd00::10]::[fd00::1]:64::ens3:none",
            "rd.neednet=1 ip=dhcp",
        ];
        for text in good {
            assert_eq!(check(text).unwrap(), None, "{text}");
        }
        for text in ["a=\"p q\"", "a='p \" q'"] {
            assert!(check(text).unwrap().is_some(), "{text}");
        }
        let bad = [
            "a=x$y", "a=x\\y", "a=x;y", "#c", "a #c", "a={x}", "a=<x>", "a=x|y", "a=x&y", "a\nb",
            "a\rb", "a\0b", "a=`x`", "a=\"x", "a=é", "a\u{7}",
        ];
        for text in bad {
            let error = check(text).unwrap_err().to_string();
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
