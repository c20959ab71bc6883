//! Numbers as people read them.

use std::time::Duration;

/// Bytes with a binary unit and at most one decimal: `512 B`, `1.5 GiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut whole, mut rest, mut unit) = (count, 0, "B");
    for next in UNITS {
        if whole < 1024 {
            break;
        }
        (whole, rest, unit) = (whole / 1024, whole % 1024, next);
    }
    if unit == "B" || whole >= 100 {
        format!("{whole} {unit}")
    } else {
        format!("{whole}.{} {unit}", rest * 10 / 1024)
    }
}

/// Bytes per second: `12.3 MiB/s`.
pub fn rate(bytes_per_sec: u64) -> String {
    format!("{}/s", bytes(bytes_per_sec))
}

/// A duration as the older tool prints it: `5h10m54s`, `42s`, `0.8s` below ten seconds.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (h, m) {
        (0, 0) if s < 10 => format!("{s}.{}s", time.subsec_millis() / 100),
        (0, 0) => format!("{s}s"),
        (0, m) => format!("{m}m{s}s"),
        (h, m) => format!("{h}h{m}m{s}s"),
    }
}

/// `1 image`, `2 images`.
pub fn count(n: u64, noun: &str) -> String {
    if n == 1 {
        format!("{n} {noun}")
    } else {
        format!("{n} {noun}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_these() {
        let table = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (150 << 20, "150 MiB"),
            (94 << 30, "94.0 GiB"),
        ];
        for (n, text) in table {
            assert_eq!(bytes(n), text);
        }
        assert_eq!(
            duration(Duration::from_secs(5 * 3600 + 10 * 60 + 54)),
            "5h10m54s"
        );
        assert_eq!(duration(Duration::from_millis(850)), "0.8s");
        assert_eq!(count(1, "image"), "1 image");
    }
}
