//! `systemd-escape --path` and its reverse (systemd.unit(5), section String Escaping for Inclusion in Unit Names).
//!
//! Checked against systemd 252 (`tests/seed/golden/systemd_escape.json`). A wrong escape names a device that never appears, and
//! the machine ends in emergency mode.

use std::fmt::Write as _;

/// Escapes an absolute path. `None` when it has a part `.` or `..`, or is empty or relative.
pub fn escape_path(path: &str) -> Option<String> {
    if !path.starts_with('/') {
        return None;
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if parts.iter().any(|part| matches!(*part, "." | "..")) {
        return None;
    }
    if parts.is_empty() {
        return Some("-".to_owned());
    }
    let mut escaped = String::with_capacity(path.len() * 2);
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            escaped.push('-');
        }
        for (offset, byte) in part.bytes().enumerate() {
            let leading_dot = byte == b'.' && index == 0 && offset == 0;
            if (byte.is_ascii_alphanumeric() || b":_.".contains(&byte)) && !leading_dot {
                escaped.push(char::from(byte));
            } else {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\x{byte:02x}");
            }
        }
    }
    Some(escaped)
}

/// The path that an escaped name stands for. `None` when the name is not well formed.
pub fn unescape_path(name: &str) -> Option<String> {
    if name == "-" {
        return Some("/".to_owned());
    }
    let mut path = vec![b'/'];
    let mut rest = name.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'-' => path.push(b'/'),
            b'\\' => {
                let digits = rest.strip_prefix(b"x")?.get(..2)?;
                let digits = std::str::from_utf8(digits).ok()?;
                path.push(u8::from_str_radix(digits, 16).ok()?);
                rest = rest.get(3..)?;
            }
            other => path.push(other),
        }
    }
    String::from_utf8(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_escape_names_another_device() {
        let right = r"dev-disk-by\x2dpartlabel-var\x2dlib\x2dcontainers";
        let path = "/dev/disk/by-partlabel/var-lib-containers";
        assert_eq!(escape_path(path).as_deref(), Some(right));
        assert_eq!(unescape_path(right).as_deref(), Some(path));
        // What lifecycle-agent's own document has.
        let wrong = r"dev-disk-by\x2dpartlabel-var-lib-containers";
        let device = unescape_path(wrong);
        assert_eq!(
            device.as_deref(),
            Some("/dev/disk/by-partlabel/var/lib/containers")
        );
        for bad in [r"a\x2", r"a\y2d", r"a\xzz", r"a\"] {
            assert_eq!(unescape_path(bad), None, "{bad}");
        }
    }
}
