//! The output of the children, line by line.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The maximum number of kept lines.
const KEPT_LINES: usize = 2000;

/// The output of the children, line by line.
#[derive(Default)]
pub(crate) struct Output {
    lines: Mutex<Lines>,
    written: Condvar,
}

#[derive(Default)]
struct Lines {
    kept: VecDeque<String>,
    /// The number of dropped lines.
    dropped: usize,
}

impl Output {
    /// The number of lines so far, which is the position of the next line.
    pub(crate) fn position(&self) -> usize {
        let lines = self.lock();
        lines.dropped + lines.kept.len()
    }

    /// Waits for a line that `wanted` accepts, at most `limit`. Returns the lines from `position` on.
    pub(crate) fn wait_for(&self, position: usize, limit: Duration, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        self.wait_for_several(1, position, limit, wanted)
    }

    /// Waits for a number of such lines.
    pub(crate) fn wait_for_several(
        &self,
        count: usize,
        position: usize,
        limit: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let is_missing = |lines: &mut Lines| lines.since(position).filter(|line| wanted(line)).count() < count;
        let (lines, _timed_out) =
            self.written.wait_timeout_while(self.lock(), limit, is_missing).unwrap_or_else(PoisonError::into_inner);
        lines.since(position).map(str::to_owned).collect()
    }

    /// Whether a kept line contains `text`.
    pub(crate) fn contains(&self, text: &str) -> bool {
        self.any(|line| line.contains(text))
    }

    /// Whether `wanted` accepts a kept line.
    pub(crate) fn any(&self, wanted: impl Fn(&str) -> bool) -> bool {
        self.lock().kept.iter().any(|line| wanted(line))
    }

    /// All kept lines.
    pub(crate) fn all(&self) -> Vec<String> {
        self.lock().kept.iter().cloned().collect()
    }

    /// The last lines, for an error's text.
    pub(crate) fn tail(&self) -> String {
        let lines = self.lock();
        let first = lines.kept.len().saturating_sub(30);
        let tail: Vec<&str> = lines.kept.iter().skip(first).map(String::as_str).collect();
        tail.join("\n")
    }

    pub(crate) fn push(&self, line: String) {
        let mut lines = self.lock();
        if lines.kept.len() == KEPT_LINES {
            lines.kept.pop_front();
            lines.dropped += 1;
        }
        lines.kept.push_back(line);
        drop(lines);
        self.written.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn since(&self, position: usize) -> impl Iterator<Item = &str> {
        let first = position.saturating_sub(self.dropped);
        self.kept.iter().skip(first).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_outlives_the_lines_before_it() {
        let output = Output::default();
        for number in 0..KEPT_LINES {
            output.push(number.to_string());
        }
        let position = output.position();
        output.push("one more".to_owned());
        let since = |position| output.wait_for(position, Duration::ZERO, |_line| true);
        assert_eq!(since(position), ["one more"]);
        assert_eq!(since(0).len(), KEPT_LINES);
    }
}
