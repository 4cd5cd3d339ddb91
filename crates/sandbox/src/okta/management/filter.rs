//! The filter of the System Log: `eventType eq "a" and (target.id eq "b" or actor.id eq "b")`.

use serde_json::Value;

/// A filter that can be applied.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Filter {
    Equal(String, String),
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
}

impl Filter {
    /// `None` if Okta would refuse the text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = words(text)?;
        words.reverse();
        let filter = either(&mut words)?;
        words.is_empty().then_some(filter)
    }

    pub(super) fn matches(&self, event: &Value) -> bool {
        match self {
            Self::Equal(path, value) => has(event, path.split('.'), value),
            Self::And(left, right) => left.matches(event) && right.matches(event),
            Self::Or(left, right) => left.matches(event) || right.matches(event),
        }
    }
}

/// Whether the value is at the path. A list has it if any of its items has it.
fn has<'a>(value: &Value, mut path: impl Iterator<Item = &'a str> + Clone, wanted: &str) -> bool {
    if let Value::Array(items) = value {
        return items.iter().any(|item| has(item, path.clone(), wanted));
    }
    match path.next() {
        Some(name) => value.get(name).is_some_and(|value| has(value, path, wanted)),
        None => value.as_str() == Some(wanted),
    }
}

/// Splits into words, brackets and texts in quotes.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '(' | ')' => 1,
            '"' => rest.get(1..)?.find('"')? + 2,
            _ => rest.find([' ', '(', ')']).unwrap_or(rest.len()),
        };
        let (word, after) = rest.split_at(end);
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Some(words)
}

fn either(words: &mut Vec<String>) -> Option<Filter> {
    let mut filter = both(words)?;
    while words.last().is_some_and(|word| word == "or") {
        words.pop();
        filter = Filter::Or(Box::new(filter), Box::new(both(words)?));
    }
    Some(filter)
}

fn both(words: &mut Vec<String>) -> Option<Filter> {
    let mut filter = one(words)?;
    while words.last().is_some_and(|word| word == "and") {
        words.pop();
        filter = Filter::And(Box::new(filter), Box::new(one(words)?));
    }
    Some(filter)
}

fn one(words: &mut Vec<String>) -> Option<Filter> {
    let first = words.pop()?;
    if first == "(" {
        let filter = either(words)?;
        return (words.pop()? == ")").then_some(filter);
    }
    if words.pop()? != "eq" {
        return None;
    }
    let value = words.pop()?;
    let value = value.strip_prefix('"')?.strip_suffix('"')?;
    Some(Filter::Equal(first, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_filter_selects_events() {
        let event = json!({ "eventType": "a", "target": [{ "id": "1" }, { "id": "2" }] });
        for (filter, matches) in [
            (r#"eventType eq "a""#, true),
            (r#"eventType eq "b""#, false),
            (r#"target.id eq "2""#, true),
            (r#"eventType eq "b" or target.id eq "2""#, true),
            (r#"eventType eq "a" and (target.id eq "3" or target.id eq "4")"#, false),
        ] {
            assert_eq!(Filter::parse(filter).unwrap().matches(&event), matches, "{filter}");
        }
    }

    #[test]
    fn another_text_is_refused() {
        for text in ["", "a", "a eq b", r#"a ne "b""#, r#"a eq "b" and"#, r#"(a eq "b""#, r#"a eq "b" c eq "d""#] {
            assert_eq!(Filter::parse(text), None, "{text}");
        }
    }
}
