//! The names of all variables, and the detection of misspelled names.

use crate::id::SafeId;

/// All variables of both functions, in the order of the README's table.
pub const VARIABLES: &[&str] = &[
    "HOOKS_SECRET_ID",
    "SECRET_TTL_SECONDS",
    "AUTH_MODE",
    "JWT_SCOPE",
    "JWT_CLIENT_ID",
    "AUTH_HEADER",
    "VERIFY_SERVICE_SID",
    "TWILIO_VERIFY_URL",
    "EXTRA_CA_FILE",
    "METRICS_STACK",
    "LOG_LEVEL",
    "HOOK_BUDGET_MS",
    "SMS_CHANNEL",
    "VERIFY_LOCALE",
    "VERIFY_TEMPLATE_SID",
    "VERIFY_RATE_LIMITS",
    "REPLACE_PENDING",
    "LOOKUP_FIELDS",
    "LOOKUP_TIMEOUT_MS",
    "TWILIO_LOOKUP_URL",
    "DEFAULT_COUNTRY",
    "ALLOWED_COUNTRIES",
    "BLOCKED_COUNTRIES",
    "COUNTRY_RULES",
    "POLICY_MODE",
    "BLOCKED_LINE_TYPES",
    "BLOCKED_CARRIERS",
    "MAX_SMS_PUMPING_RISK",
    "MAX_SIM_SWAP_AGE_HOURS",
    "POLICY_EXEMPT_REQUEST_TYPES",
    "LANDLINE_TO_CALL",
    "DENY_RESPONSE",
    "FEEDBACK_QUEUE_URL",
    "FEEDBACK_MAX_AGE_SECONDS",
    "SENDS_TABLE",
    "RESEND_CHANNELS",
    "PHONE_SOURCE",
    "OKTA_ORG_URL",
    "OKTA_SECRET_ID",
    "OKTA_API_URL",
];

/// Variables that configure a proxy for other programs. This program does not use a proxy.
pub const PROXY_VARIABLES: &[&str] =
    &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"];

/// A variable that is set but unused, and whose name is close to the name of a known variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MisspelledVariable {
    /// Its name.
    pub name: SafeId,
    /// The variable that was probably meant.
    pub meant: &'static str,
}

/// The misspelled names among all variables that are set.
pub fn misspelled(names: impl Iterator<Item = String>) -> Vec<MisspelledVariable> {
    let is_foreign = |name: &str| ["AWS_", "LAMBDA_", "_"].iter().any(|prefix| name.starts_with(prefix));
    let unknown = names.filter(|name| !VARIABLES.contains(&name.as_str()) && !is_foreign(name));
    unknown
        .filter_map(|name| Some(MisspelledVariable { meant: nearest(&name, VARIABLES)?, name: SafeId::parse(&name)? }))
        .collect()
}

/// The known name that is closest to `name`. It allows one edit for every five characters, ignores case, and treats `-`
/// and `_` as equal.
pub fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let name = normalised(name);
    let distances = known.iter().filter_map(|known| {
        let limit = (known.len() / 5).max(1);
        let known_name = normalised(known);
        let distance = may_be_near(&name, &known_name, limit).then(|| distance(&name, &known_name))?;
        (distance <= limit).then_some((distance, *known))
    });
    distances.min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// Whether two names can be within `limit` edits, judged by their letter counts. One edit changes at most two counts by
/// one. This excludes nearly every name, because INIT has no time to compare all of them.
fn may_be_near(one: &[u8], other: &[u8], limit: usize) -> bool {
    if one.len().abs_diff(other.len()) > limit {
        return false;
    }
    // Each letter and the underscore have their own value in the lower five bits.
    let mut counts = [0_i32; 32];
    let mut count = |names: &[u8], step: i32| {
        for byte in names {
            if let Some(count) = counts.get_mut(usize::from(byte & 31)) {
                *count += step;
            }
        }
    };
    count(one, 1);
    count(other, -1);
    counts.iter().map(|count| count.unsigned_abs() as usize).sum::<usize>() <= 2 * limit
}

fn normalised(name: &str) -> Vec<u8> {
    name.bytes().map(|byte| if byte == b'-' { b'_' } else { byte.to_ascii_lowercase() }).collect()
}

/// The number of insertions, deletions, replacements and transpositions that turn one name into the other.
fn distance(from: &[u8], to: &[u8]) -> usize {
    let first: Vec<usize> = (0..=to.len()).collect();
    let mut rows = vec![first];
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let at = |rows_up: usize, columns_left: usize| -> Option<usize> {
                rows.get((i + 1).checked_sub(rows_up)?)?.get((j + 1).checked_sub(columns_left)?).copied()
            };
            let left = row.get(j).map(|distance| distance + 1);
            let replaced = at(1, 1).map(|distance| distance + usize::from(a != b));
            let is_swap = i > 0 && j > 0 && from.get(i - 1) == Some(b) && to.get(j - 1) == Some(a);
            let swapped = if is_swap { at(2, 2).map(|distance| distance + 1) } else { None };
            let above = at(1, 0).map(|distance| distance + 1);
            row.push([left, above, replaced, swapped].into_iter().flatten().min().unwrap_or(usize::MAX / 2));
        }
        rows.push(row);
    }
    rows.last().and_then(|row| row.last()).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_names_exactly_these_variables() {
        let readme = include_str!("../../../../README.md");
        let table = readme.split_once("| Variable |").unwrap().1.split_once("\n\n").unwrap().0;
        let is_name = |word: &&str| {
            word.len() > 2
                && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        };
        let first_column = table.lines().filter_map(|row| row.strip_prefix("| ")?.split(" | ").next());
        let documented: Vec<_> = first_column.flat_map(|cell| cell.split('`').filter(is_name)).collect();
        assert_eq!(documented, VARIABLES);
    }

    #[test]
    fn a_misspelled_name_is_noticed() {
        for (name, meant) in [
            ("HOOK_SECRET_ID", Some("HOOKS_SECRET_ID")),
            ("HOOKS_SECRET_ARN", Some("HOOKS_SECRET_ID")),
            ("hooks_secret_id", Some("HOOKS_SECRET_ID")),
            ("VERIFY_SERVICE_ID", Some("VERIFY_SERVICE_SID")),
            ("BLOCKED_COUNTRY", Some("BLOCKED_COUNTRIES")),
            ("ALOWED_COUNTIRES", Some("ALLOWED_COUNTRIES")),
            ("LOOKUP_FIELD", Some("LOOKUP_FIELDS")),
            ("DENY-RESPONSE", Some("DENY_RESPONSE")),
            ("SECRET_TTL_SECOND", Some("SECRET_TTL_SECONDS")),
            ("RUST_LOG", None),
            ("PATH", None),
            ("TZ", None),
            ("LANG", None),
            ("LD_LIBRARY_PATH", None),
            ("POWERTOOLS_LOG_LEVEL", None),
            ("SERVICE_NAME", None),
            ("STAGE", None),
        ] {
            assert_eq!(nearest(name, VARIABLES), meant, "{name}");
        }
        let names = ["HOOKS_SECRET_ID", "AWS_LOG_LEVEL", "LOG_LEVLE", "PATH", "DENY RESPONSE"].map(str::to_owned);
        let found = misspelled(names.into_iter());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].name.as_str(), found[0].meant), ("LOG_LEVLE", "LOG_LEVEL"));
    }

    #[test]
    fn known_names_are_not_confused() {
        for name in VARIABLES.iter().chain(PROXY_VARIABLES) {
            let others: Vec<_> = VARIABLES.iter().copied().filter(|other| other != name).collect();
            assert_eq!(nearest(name, &others), None, "{name}");
        }
    }

    #[test]
    fn counts_edits() {
        for (from, to, expected) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "ab", 2),
            ("abc", "abc", 0),
            ("abc", "acb", 1),
            ("abc", "xbcd", 2),
            ("ca", "abc", 3),
        ] {
            assert_eq!(distance(from.as_bytes(), to.as_bytes()), expected, "{from} {to}");
        }
    }
}
