use super::blang::{self, Range};
use super::masterminds::{self, Constraint, Prereleases};
