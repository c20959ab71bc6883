//! One edit of an ISO: these bytes at that place. Every change is a list of them; nothing else is ever written.

/// Bytes at a place.
#[derive(Clone, PartialEq, Eq)]
pub struct Region {
    /// First byte, on the medium.
    pub offset: u64,
    /// What is to be there; secrets, so `Debug` shows only how much.
    pub contents: Vec<u8>,
}

impl Region {
    /// The byte after the last. The place may be out of a hostile record.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.contents.len() as u64)
    }

    /// Copies what falls into `buffer`, which holds the bytes from `start` on.
    pub(super) fn copy_into(&self, start: u64, buffer: &mut [u8]) {
        let from = self.offset.max(start);
        let to = self.end().min(start.saturating_add(buffer.len() as u64));
        let within = |base: u64| {
            let (from, to) = (from.checked_sub(base)?, to.checked_sub(base)?);
            Some(usize::try_from(from).ok()?..usize::try_from(to).ok()?)
        };
        let (Some(target), Some(own)) = (within(start), within(self.offset)) else {
            return;
        };
        if let (Some(target), Some(own)) = (buffer.get_mut(target), self.contents.get(own)) {
            target.copy_from_slice(own);
        }
    }

    /// Without what `old`, the present bytes at the same place, has in common with it at both ends; none when they are the same.
    #[must_use]
    pub(super) fn changed(mut self, old: &[u8]) -> Option<Self> {
        let first = std::iter::zip(&self.contents, old).position(|(a, b)| a != b)?;
        let same = |(a, b): &(&u8, &u8)| a == b;
        let tail = std::iter::zip(self.contents.iter().rev(), old.iter().rev());
        let tail = tail.take_while(same).count();
        self.contents.truncate(self.contents.len() - tail);
        self.contents.drain(..first);
        self.offset += first as u64;
        Some(self)
    }
}

impl std::fmt::Debug for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes at {}", self.contents.len(), self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes() {
        let region = |offset, contents: &[u8]| Region {
            offset,
            contents: contents.to_vec(),
        };
        assert_eq!(region(10, b"abcd").changed(b"abcd"), None);
        assert_eq!(
            region(10, b"abcd").changed(b"aXXd"),
            Some(region(11, b"bc"))
        );
        assert_eq!(region(10, b"abcd").changed(b"Xbcd"), Some(region(10, b"a")));
        assert_eq!(region(10, b"abcd").changed(b"abcX"), Some(region(13, b"d")));
    }
}
